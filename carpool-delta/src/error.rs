use carpool_core::{Cid, Fault};
use core::fmt;

/// Why bytes are no delta body, or not one that the limits allow. What was given out before stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The body has another version than 1.
    Version {
        /// Its version.
        version: u8,
    },
    /// The body ends before its end mark.
    Truncated {
        /// How many records were read.
        record: u64,
    },
    /// Something comes behind the end mark, or blocks wait for a parent there.
    End {
        /// What was expected.
        expected: &'static str,
    },
    /// A part of a segment is larger than its limit, compressed or raw.
    PartTooLong {
        /// Which part.
        part: &'static str,
        /// Its length in bytes; of a raw part, as far as it was decoded.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A compressed part is no zstd, or has more or less than its records use.
    Part {
        /// Which part.
        part: &'static str,
        /// How many records were read.
        record: u64,
    },
    /// A block is larger than [`Limits::max_block_bytes`](carpool_core::Limits).
    BlockTooLong {
        /// Its record, counted from 0.
        record: u64,
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A record is malformed.
    Record {
        /// Its number, counted from 0.
        record: u64,
        /// The block that it is of, where that is known.
        cid: Option<Cid>,
        /// What was expected.
        expected: &'static str,
    },
}

impl Error {
    /// Whose fault it is: that of whoever wrote the bytes.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Peer
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { version } => write!(f, "delta body of version {version}"),
            Self::Truncated { record } => write!(f, "the delta body ends at record {record}"),
            Self::End { expected } => write!(f, "end of the delta body: expected {expected}"),
            Self::PartTooLong { part, bytes, max } => {
                write!(f, "delta segment: {part} of {bytes} bytes, limit {max}")
            }
            Self::Part { part, record } => {
                write!(f, "delta segment: malformed {part} at record {record}")
            }
            Self::BlockTooLong { record, bytes, max } => {
                write!(f, "delta record {record}: block of {bytes} bytes, limit {max}")
            }
            Self::Record { record, cid: Some(cid), expected } => {
                write!(f, "delta record {record}, block {cid}: expected {expected}")
            }
            Self::Record { record, cid: None, expected } => {
                write!(f, "delta record {record}: expected {expected}")
            }
        }
    }
}

impl core::error::Error for Error {}
