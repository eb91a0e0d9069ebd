use alloc::vec::Vec;
use carpool_core::Cid;
use core::fmt;

use crate::Error;

/// What kind of fault a finding is, which decides what a program makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Worth telling and no fault.
    Note,
    /// No damage, and against what many expect of a CAR.
    Policy,
    /// The DAG is not all there.
    Incomplete,
    /// The file is not what was written, or was written wrongly.
    Damaged,
}

/// Something that is wrong with a CAR, or worth telling. Offsets of sections are bytes from the
/// start of the CARv1, as indexes have them; all others from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The reading ended here: truncated, malformed, or beyond a limit.
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
        /// The CID.
        cid: Cid,
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
        /// The block that is not there.
        cid: Cid,
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
    },
    /// An entry of the index comes before one that it has to follow.
    IndexUnsorted {
        /// Its number, from 0.
        entry: u64,
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
    /// What kind of fault it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Malformed(_)
            | Self::Hash { .. }
            | Self::DataSize { .. }
            | Self::IndexBeyondFile { .. }
            | Self::IndexUnreadable { .. }
            | Self::IndexUnsorted { .. }
            | Self::IndexOffset { .. }
            | Self::IndexMissing { .. }
            | Self::IndexExtra { .. } => Class::Damaged,
            Self::RootAbsent { .. } | Self::MissingLink { .. } => Class::Incomplete,
            Self::UnknownHash { .. }
            | Self::Undecodable { .. }
            | Self::RootsEmpty
            | Self::Unfinalised
            | Self::NullPadding { .. }
            | Self::Trailing { .. }
            | Self::NotChecked { .. } => Class::Policy,
            Self::Duplicate { .. } => Class::Note,
        }
    }

    /// A name that does not change, for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Malformed(Error::Truncated { .. }) => "truncated",
            Self::Malformed(_) => "malformed",
            Self::Hash { .. } => "hash",
            Self::UnknownHash { .. } => "unknown-hash",
            Self::Undecodable { .. } => "undecodable",
            Self::Duplicate { .. } => "duplicate",
            Self::RootsEmpty => "roots-empty",
            Self::RootAbsent { .. } => "root-absent",
            Self::MissingLink { .. } => "missing-link",
            Self::Unfinalised => "unfinalised",
            Self::DataSize { .. } => "data-size",
            Self::IndexBeyondFile { .. } => "index-beyond-file",
            Self::NullPadding { .. } => "padding",
            Self::Trailing { .. } => "trailing",
            Self::IndexUnreadable { .. } => "index-unreadable",
            Self::IndexUnsorted { .. } => "index-unsorted",
            Self::IndexOffset { .. } => "index-offset",
            Self::IndexMissing { .. } => "index-missing",
            Self::IndexExtra { .. } => "index-extra",
            Self::NotChecked { .. } => "not-checked",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Hash { offset, cid, actual } => {
                write!(f, "section at {offset}: {cid} has bytes of digest ")?;
                actual.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::UnknownHash { offset, cid, code } => {
                write!(f, "section at {offset}: {cid} of unknown hash {code:#x}, not verified")
            }
            Self::Undecodable { offset, fault, .. } => write!(f, "section at {offset}: {fault}"),
            Self::Duplicate { offset, cid } => write!(f, "section at {offset}: {cid} again"),
            Self::RootsEmpty => f.write_str("the header names no root"),
            Self::RootAbsent { cid } => write!(f, "root {cid} is not there"),
            Self::MissingLink { cid, from } => {
                write!(f, "{cid} is not there, linked from the section at {from}")
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
            Self::IndexUnreadable { offset } => {
                write!(f, "the index is malformed at byte {offset}")
            }
            Self::IndexUnsorted { entry } => write!(f, "index entry {entry} is out of order"),
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
