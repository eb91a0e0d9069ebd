use carpool_core::Limits;

/// What a reader does with a section of length zero, which the format does not know and which
/// Filecoin's sectors end in, filled up with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// It is [`Error::SectionLength`](crate::Error::SectionLength).
    #[default]
    Refuse,
    /// It ends the data, and nothing but zeros may follow.
    EndOfData,
}

/// How a CAR is read: its limits, and what beyond the strict CARv1 is taken.
///
/// [`Options::default`] is for files: both versions, sections of at most 8 MiB. [`Options::strict`]
/// is for transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What numbers in the input are held to.
    pub limits: Limits,
    /// Whether a CARv2 is read; otherwise it is [`Error::Version`](crate::Error::Version).
    pub v2: bool,
    /// What a section of length zero means.
    pub padding: Padding,
    /// Whether a CARv2 that its writer never finalised (its header is zero) is read, as data from
    /// byte 51 to the end; otherwise it is [`Error::Unfinalised`](crate::Error::Unfinalised).
    pub unfinalised: bool,
}

/// Bytes of a section, and so of a block, in a file. What go-car takes.
const MAX_FILE_SECTION: usize = 8 << 20;

impl Options {
    /// CARv1 and nothing else, held to these limits: what peers send each other.
    #[must_use]
    pub fn strict(limits: &Limits) -> Self {
        let limits = limits.clone();
        Self { limits, v2: false, padding: Padding::Refuse, unfinalised: false }
    }
}

impl Default for Options {
    fn default() -> Self {
        let mut limits = Limits::default();
        limits.max_section_bytes = MAX_FILE_SECTION;
        limits.max_block_bytes = MAX_FILE_SECTION;
        Self { v2: true, ..Self::strict(&limits) }
    }
}
