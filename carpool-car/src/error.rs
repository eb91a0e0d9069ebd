use carpool_core::Fault;
use core::fmt;

use crate::index::IndexFault;

/// Why bytes are no CARv1, or not one that the limits allow. Offsets are bytes from the start of
/// the CAR.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside the header or a section.
    Truncated {
        /// Where the header or section begins.
        offset: u64,
    },
    /// The header is no CARv1 header.
    Header {
        /// What was expected.
        expected: &'static str,
    },
    /// The header names another version than 1.
    Version {
        /// The version it names.
        version: u64,
    },
    /// The header is larger than [`Limits::max_header_bytes`](carpool_core::Limits).
    HeaderTooLong {
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The header names more roots than [`Limits::max_header_roots`](carpool_core::Limits).
    TooManyRoots {
        /// How many it claims.
        roots: u64,
        /// The limit.
        max: u64,
    },
    /// A section is larger than [`Limits::max_section_bytes`](carpool_core::Limits).
    SectionTooLong {
        /// Where the section begins.
        offset: u64,
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A block is larger than [`Limits::max_block_bytes`](carpool_core::Limits).
    BlockTooLong {
        /// Where the section begins.
        offset: u64,
        /// The block's length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The section's length is malformed or zero.
    SectionLength {
        /// Where the section begins.
        offset: u64,
    },
    /// The section does not begin with a CID that fits into it.
    SectionCid {
        /// Where the section begins.
        offset: u64,
    },
    /// An index is malformed, goes beyond a limit, or cannot be made.
    Index {
        /// Where, in bytes from the start of the index; 0 where it is being made.
        offset: u64,
        /// What is wrong.
        fault: IndexFault,
    },
}

impl Error {
    /// Whose fault it is: that of whoever wrote the bytes, except where an index is being made.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        if let Self::Index { fault, .. } = self { fault.fault() } else { Fault::Peer }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { offset } => {
                write!(f, "the CAR ends inside what begins at byte {offset}")
            }
            Self::Header { expected } => write!(f, "CAR header: expected {expected}"),
            Self::Version { version } => write!(f, "CAR version {version} is not 1"),
            Self::HeaderTooLong { bytes, max } => {
                write!(f, "CAR header of {bytes} bytes, limit {max}")
            }
            Self::TooManyRoots { roots, max } => {
                write!(f, "CAR header of {roots} roots, limit {max}")
            }
            Self::SectionTooLong { offset, bytes, max } => {
                write!(f, "CAR section at byte {offset}: {bytes} bytes, limit {max}")
            }
            Self::BlockTooLong { offset, bytes, max } => {
                write!(f, "CAR section at byte {offset}: block of {bytes} bytes, limit {max}")
            }
            Self::SectionLength { offset } => {
                write!(f, "CAR section at byte {offset}: malformed length")
            }
            Self::SectionCid { offset } => write!(f, "CAR section at byte {offset}: malformed CID"),
            Self::Index { offset, fault } => write!(f, "index at byte {offset}: {fault}"),
        }
    }
}

impl core::error::Error for Error {}
