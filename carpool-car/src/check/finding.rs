use alloc::vec::Vec;
use carpool_core::Cid;
use core::fmt;

use crate::{Error, index::IndexFault};

/// How bad a finding is, which decides what a program makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// No damage, and against what many expect of a CAR.
    Policy,
    /// The DAG is not all there.
    Incomplete,
    /// The file is not what was written, or was written wrongly.
    Damaged,
}

impl Class {
    /// Its name in reports: `against policy`, `incomplete`, `damaged`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "against policy",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
        }
    }
}

/// What can be wrong with a CAR, by name: whoever checks one says it in these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// There is no header that can be read.
    Header,
    /// No section begins where one should.
    Section,
    /// A section goes on beyond the data, or beyond the file.
    Truncated,
    /// The file ends before the data does.
    DataSize,
    /// A CARv2 was never finalised.
    Unfinalised,
    /// Bytes have another hash.
    Hash,
    /// The index cannot be read.
    IndexMalformed,
    /// An entry of the index is out of order.
    IndexUnsorted,
    /// An entry of the index names another place than the block's.
    IndexOffset,
    /// A block is not in the index.
    IndexMissing,
    /// An entry of the index has no block.
    IndexExtra,
    /// A root is not in the file.
    RootAbsent,
    /// A block links to one that is not in the file.
    LinkAbsent,
    /// The header names no root.
    RootsEmpty,
    /// Zeros end the data.
    Padding,
    /// Bytes lie behind the data of a CARv2 without an index.
    Trailing,
    /// A block was there before.
    Duplicate,
    /// A block whose links cannot be read.
    Undecodable,
    /// A hash function that is not known here.
    HashUnknown,
    /// There is no index.
    IndexAbsent,
    /// Something was not checked.
    NotChecked,
}

impl Kind {
    /// A name that does not change, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Section => "section",
            Self::Truncated => "truncated",
            Self::DataSize => "data-size",
            Self::Unfinalised => "unfinalised",
            Self::Hash => "hash",
            Self::IndexMalformed => "index-malformed",
            Self::IndexUnsorted => "index-unsorted",
            Self::IndexOffset => "index-offset",
            Self::IndexMissing => "index-missing",
            Self::IndexExtra => "index-extra",
            Self::RootAbsent => "root-absent",
            Self::LinkAbsent => "link-absent",
            Self::RootsEmpty => "roots-empty",
            Self::Padding => "padding",
            Self::Trailing => "trailing",
            Self::Duplicate => "duplicate",
            Self::Undecodable => "undecodable",
            Self::HashUnknown => "hash-unknown",
            Self::IndexAbsent => "index-absent",
            Self::NotChecked => "not-checked",
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Header
            | Self::Section
            | Self::Truncated
            | Self::DataSize
            | Self::Unfinalised
            | Self::Hash
            | Self::IndexMalformed
            | Self::IndexUnsorted
            | Self::IndexOffset
            | Self::IndexMissing
            | Self::IndexExtra => Class::Damaged,
            Self::RootAbsent | Self::LinkAbsent => Class::Incomplete,
            Self::RootsEmpty
            | Self::Padding
            | Self::Trailing
            | Self::Duplicate
            | Self::Undecodable
            | Self::HashUnknown
            | Self::IndexAbsent
            | Self::NotChecked => Class::Policy,
        }
    }

    /// What an error behind the header is called.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are about sections")]
    pub const fn of_error(error: &Error) -> Self {
        match error {
            Error::Truncated { .. } | Error::PastData { .. } => Self::Truncated,
            Error::Unfinalised => Self::Unfinalised,
            Error::Index { .. } => Self::IndexMalformed,
            _ => Self::Section,
        }
    }
}

/// Something that is wrong with a CAR, or worth telling. Offsets of sections are bytes from the
/// start of the CARv1, as indexes have them; all others from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// There is no header that can be read.
    Header(Error),
    /// The reading of sections ended here: truncated, malformed, or beyond a limit.
    Malformed(Error),
    /// A block's bytes do not hash to its CID.
    Hash {
        /// Where its section begins.
        offset: u64,
        /// The CID, whose digest was expected.
        cid: Cid,
        /// The digest of what is there.
        actual: Vec<u8>,
    },
    /// A block's CID names a hash function that this build does not know: not verified.
    UnknownHash {
        /// Where its section begins.
        offset: u64,
        /// The CID.
        cid: Cid,
        /// The multihash code.
        code: u64,
    },
    /// A block is not what its codec says, or has too many links: those behind were not followed.
    Undecodable {
        /// Where its section begins.
        offset: u64,
        /// The CID.
        cid: Cid,
        /// Where in the block, and what was expected there.
        fault: carpool_core::Error,
    },
    /// A block was there already.
    Duplicate {
        /// Where its section begins.
        offset: u64,
    },
    /// The header names no root.
    RootsEmpty,
    /// A root of the header is no block of the file.
    RootAbsent {
        /// The root.
        cid: Cid,
    },
    /// A block links to one that is not there.
    MissingLink {
        /// The block that is not there; `None` where the one that links to it could not be read
        /// again.
        cid: Option<Cid>,
        /// Where the section of the first block begins that links to it.
        from: u64,
    },
    /// A CARv2 was never finalised.
    Unfinalised,
    /// The file ends before the data does.
    DataSize {
        /// Where the header or section begins, that is cut or absent.
        offset: u64,
        /// Where the data would end.
        data_end: u64,
        /// Where the file ends.
        file_end: u64,
    },
    /// The index begins where the file has ended.
    IndexBeyondFile {
        /// Where it would begin.
        offset: u64,
        /// Where the file ends.
        file_end: u64,
    },
    /// Zeros end the data.
    NullPadding {
        /// Where they begin.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// Bytes follow the data of a CARv2 that has no index.
    Trailing {
        /// Where they begin.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// The index cannot be read.
    IndexUnreadable {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        fault: IndexFault,
    },
    /// An entry of the index comes before one that it has to follow.
    IndexUnsorted {
        /// Its number, from 0.
        entry: u64,
        /// Where in the file it begins.
        offset: u64,
    },
    /// An entry of the index names another place than that of its section.
    IndexOffset {
        /// Its number, from 0.
        entry: u64,
        /// Where the section begins.
        expected: u64,
        /// Where the entry says.
        actual: u64,
    },
    /// A section has no entry in the index.
    IndexMissing {
        /// Where it begins.
        offset: u64,
    },
    /// An entry of the index has no section.
    IndexExtra {
        /// Its number, from 0.
        entry: u64,
        /// Where it says that a section begins.
        offset: u64,
    },
    /// Something was not checked: it would have taken more than
    /// [`CheckOptions::max_entries`](super::CheckOptions).
    NotChecked {
        /// What.
        what: NotChecked,
        /// The limit.
        max: u64,
    },
}

/// What takes room to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChecked {
    /// Duplicates and missing links.
    Completeness,
    /// The index against the sections.
    Index,
}

impl Finding {
    /// What it is called.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Header(Error::Unfinalised) => Kind::Unfinalised,
            Self::Header(_) => Kind::Header,
            Self::Malformed(error) => Kind::of_error(error),
            Self::Hash { .. } => Kind::Hash,
            Self::UnknownHash { .. } => Kind::HashUnknown,
            Self::Undecodable { .. } => Kind::Undecodable,
            Self::Duplicate { .. } => Kind::Duplicate,
            Self::RootsEmpty => Kind::RootsEmpty,
            Self::RootAbsent { .. } => Kind::RootAbsent,
            Self::MissingLink { .. } => Kind::LinkAbsent,
            Self::Unfinalised => Kind::Unfinalised,
            Self::DataSize { .. } => Kind::DataSize,
            Self::NullPadding { .. } => Kind::Padding,
            Self::Trailing { .. } => Kind::Trailing,
            Self::IndexBeyondFile { .. } | Self::IndexUnreadable { .. } => Kind::IndexMalformed,
            Self::IndexUnsorted { .. } => Kind::IndexUnsorted,
            Self::IndexOffset { .. } => Kind::IndexOffset,
            Self::IndexMissing { .. } => Kind::IndexMissing,
            Self::IndexExtra { .. } => Kind::IndexExtra,
            Self::NotChecked { .. } => Kind::NotChecked,
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.kind().class()
    }

    /// The name of its kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) | Self::Malformed(error) => error.fmt(f),
            Self::Hash { offset, cid, actual } => {
                write!(f, "section at {offset}: {cid} has bytes of digest ")?;
                actual.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::UnknownHash { offset, cid, code } => {
                write!(f, "section at {offset}: {cid} of unknown hash {code:#x}, not verified")
            }
            Self::Undecodable { offset, fault, .. } => write!(f, "section at {offset}: {fault}"),
            Self::Duplicate { offset } => {
                write!(f, "section at {offset}: a block that was there before")
            }
            Self::RootsEmpty => f.write_str("the header names no root"),
            Self::RootAbsent { cid } => write!(f, "root {cid} is not there"),
            Self::MissingLink { cid: Some(cid), from } => {
                write!(f, "{cid} is not there, linked from the section at {from}")
            }
            Self::MissingLink { cid: None, from } => {
                write!(f, "a block is not there, linked from the section at {from}")
            }
            Self::Unfinalised => Error::Unfinalised.fmt(f),
            Self::DataSize { offset, data_end, file_end } => write!(
                f,
                "the file ends at byte {file_end}, its data at {data_end}: cut is what begins at \
                 {offset}"
            ),
            Self::IndexBeyondFile { offset, file_end } => {
                write!(f, "the file ends at byte {file_end}, its index begins at {offset}")
            }
            Self::NullPadding { offset, bytes } => {
                write!(f, "{bytes} zeros end the data, from byte {offset}")
            }
            Self::Trailing { offset, bytes } => {
                write!(f, "{bytes} bytes follow the data, from byte {offset}")
            }
            Self::IndexUnreadable { offset, fault } => {
                write!(f, "the index is malformed at byte {offset}: {fault}")
            }
            Self::IndexUnsorted { entry, .. } => write!(f, "index entry {entry} is out of order"),
            Self::IndexOffset { entry, expected, actual } => {
                write!(f, "index entry {entry} names {actual}, its section begins at {expected}")
            }
            Self::IndexMissing { offset } => {
                write!(f, "the section at {offset} has no entry in the index")
            }
            Self::IndexExtra { entry, offset } => {
                write!(f, "index entry {entry} has no section; it names {offset}")
            }
            Self::NotChecked { what: NotChecked::Completeness, max } => {
                write!(f, "duplicates and missing links not checked: beyond {max} entries")
            }
            Self::NotChecked { what: NotChecked::Index, max } => {
                write!(f, "index not compared: beyond {max} entries")
            }
        }
    }
}
