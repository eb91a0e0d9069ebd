use carpool_core::Fault;
use core::fmt;

use crate::index::IndexFault;

/// Why bytes are no CAR, or not one that the limits and options allow. Offsets are bytes from the
/// start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside the header or a section.
    Truncated {
        /// Where the header or section begins.
        offset: u64,
    },
    /// The header is no header of a CARv1.
    Header {
        /// What was expected.
        expected: &'static str,
    },
    /// The header names a version that is not read here: another than 1, or than 2 where that may
    /// stand.
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
    /// A CARv2 was never finalised: its header is zero.
    Unfinalised,
    /// The header of a CARv2 has its data begin inside the header.
    DataOffset {
        /// Where the data would begin.
        offset: u64,
    },
    /// The header of a CARv2 names no data, or an end that no file can have.
    DataSize {
        /// Where the data begins.
        offset: u64,
        /// The bytes that it would have.
        size: u64,
    },
    /// The header of a CARv2 has its index begin before the data ends.
    IndexOffset {
        /// Where the index would begin.
        offset: u64,
        /// Where the data ends.
        data_end: u64,
    },
    /// The data's header or a section goes on where the data of a CARv2 ends.
    PastData {
        /// Where the header or section begins.
        offset: u64,
        /// Where the data ends.
        data_end: u64,
    },
    /// More bytes came than were asked for.
    LongRead {
        /// Where they were to begin.
        offset: u64,
        /// How many came.
        bytes: u64,
        /// How many were asked for.
        max: u64,
    },
    /// More blocks than a writer may keep to tell which it wrote
    /// ([`WriteOptions::max_seen`](crate::WriteOptions)).
    TooManySeen {
        /// The limit.
        max: u64,
    },
    /// Other roots do not fit into the place of those that a file began with.
    RootsLength {
        /// The bytes of the header that they make.
        bytes: u64,
        /// Those of the header that stands there.
        expected: u64,
    },
    /// Padding has a byte that is not zero.
    Padding {
        /// Where that byte is.
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
    /// Whose fault it is: that of whoever wrote the bytes, but for what a caller asks of a writer.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        if let Self::Index { fault, .. } = self {
            return fault.fault();
        }
        let caller = matches!(self, Self::TooManySeen { .. } | Self::RootsLength { .. });
        if caller { Fault::Caller } else { Fault::Peer }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { offset } => {
                write!(f, "the CAR ends inside what begins at byte {offset}")
            }
            Self::Header { expected } => write!(f, "CAR header: expected {expected}"),
            Self::Version { version } => write!(f, "CAR version {version} is not read here"),
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
            Self::Unfinalised => f.write_str("the CARv2 was never finalised: its header is zero"),
            Self::DataOffset { offset } => {
                write!(f, "CARv2 header: data at byte {offset}, inside the first 51")
            }
            Self::DataSize { offset, size } => {
                write!(f, "CARv2 header: data of {size} bytes at byte {offset}")
            }
            Self::IndexOffset { offset, data_end } => {
                write!(f, "CARv2 header: index at byte {offset}, and the data ends at {data_end}")
            }
            Self::PastData { offset, data_end } => {
                write!(f, "what begins at byte {offset} goes on after the data, at {data_end}")
            }
            Self::LongRead { offset, bytes, max } => {
                write!(f, "{bytes} bytes came for the {max} from byte {offset} on")
            }
            Self::TooManySeen { max } => write!(f, "more than {max} blocks to tell apart"),
            Self::RootsLength { bytes, expected } => {
                write!(f, "a header of {bytes} bytes in the place of one of {expected}")
            }
            Self::Padding { offset } => {
                write!(f, "the padding's byte {offset} of the CAR is not zero")
            }
            Self::Index { offset, fault } => write!(f, "index at byte {offset}: {fault}"),
        }
    }
}

impl core::error::Error for Error {}
