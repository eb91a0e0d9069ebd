use carpool_core::{Cid, Fault};
use core::fmt;

/// Why a transfer cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A block that does not parse, has too many links or lies too deep.
    Block(carpool_core::Error),
    /// A status wants more CIDs than [`Limits::max_wanted`](carpool_core::Limits).
    TooManyWanted {
        /// How many it wants.
        wanted: u64,
        /// The limit.
        max: u64,
    },
    /// The peer sends blocks that nobody asked for, beyond
    /// [`Limits::max_unwanted_bytes`](carpool_core::Limits) in one round.
    Unwanted {
        /// The last of them.
        cid: Cid,
        /// How many bytes of them came.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// An extended request that is not the CBOR that was expected.
    Malformed {
        /// Where, in bytes.
        offset: u64,
        /// What was expected there.
        expected: &'static str,
    },
    /// An extended request that names more held roots than
    /// [`MAX_HELD`](crate::extension::MAX_HELD).
    TooManyHeld {
        /// How many it names.
        held: u64,
        /// The limit.
        max: u64,
    },
    /// An extended message whose bitmap has more bytes than
    /// [`MAX_BITMAP_BYTES`](crate::extension::MAX_BITMAP_BYTES).
    BitmapTooLong {
        /// How many it has.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The bitmap of an extended message is none over what this side sent last.
    UnknownTrail,
    /// The filter of an extended request breaks a limit.
    Bloom(carpool_bloom::Error),
    /// Cells of a sketch beyond [`MAX_CELLS`](crate::sketch::MAX_CELLS).
    TooManyCells {
        /// Where they end.
        cells: u64,
        /// The limit.
        max: u64,
    },
    /// Bytes that are no cells of a sketch, or none beside the one that they have to begin with.
    NoCells {
        /// How many bytes.
        bytes: usize,
    },
    /// More bits than [`MAX_BITS`](crate::bitmap::MAX_BITS) in one bitmap.
    TooManyBits {
        /// How many.
        bits: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are no bitmap of so many bits: of another number, or damaged.
    NoBitmap {
        /// How many bits were expected.
        bits: usize,
    },
}

impl Error {
    /// Whose fault it is: that of whoever sent the blocks, the request or the status, but for a bitmap
    /// that is too long, whose length the caller knows.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        if matches!(self, Self::TooManyBits { .. }) { Fault::Caller } else { Fault::Peer }
    }
}

impl From<carpool_core::Error> for Error {
    fn from(error: carpool_core::Error) -> Self {
        Self::Block(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(error) => error.fmt(f),
            Self::TooManyWanted { wanted, max } => write!(f, "{wanted} CIDs wanted, limit {max}"),
            Self::Unwanted { cid, bytes, max } => {
                write!(f, "{bytes} bytes of blocks that nobody wants, limit {max}; last {cid}")
            }
            Self::Malformed { offset, expected } => {
                write!(f, "extended request: expected {expected} at byte {offset}")
            }
            Self::TooManyHeld { held, max } => write!(f, "{held} held roots named, limit {max}"),
            Self::BitmapTooLong { bytes, max } => {
                write!(f, "a bitmap of {bytes} bytes, limit {max}")
            }
            Self::UnknownTrail => f.write_str("a bitmap over what was not sent last"),
            Self::Bloom(error) => error.fmt(f),
            Self::TooManyCells { cells, max } => {
                write!(f, "cells of a sketch up to {cells}, limit {max}")
            }
            Self::NoCells { bytes } => write!(f, "{bytes} bytes are no cells of a sketch"),
            Self::TooManyBits { bits, max } => write!(f, "a bitmap of {bits} bits, limit {max}"),
            Self::NoBitmap { bits } => write!(f, "the bytes are no bitmap of {bits} bits"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Block(error) => Some(error),
            Self::Bloom(error) => Some(error),
            Self::TooManyWanted { .. }
            | Self::Unwanted { .. }
            | Self::Malformed { .. }
            | Self::TooManyHeld { .. }
            | Self::TooManyCells { .. }
            | Self::NoCells { .. }
            | Self::BitmapTooLong { .. }
            | Self::UnknownTrail
            | Self::TooManyBits { .. }
            | Self::NoBitmap { .. } => None,
        }
    }
}
