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
}

impl Error {
    /// Whose fault it is: that of whoever sent the blocks or the status.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Peer
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
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Block(error) => Some(error),
            Self::TooManyWanted { .. } | Self::Unwanted { .. } => None,
        }
    }
}
