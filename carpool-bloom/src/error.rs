use core::fmt;

/// Why a filter was not made or not merged, or a sketch not decoded.
///
/// [`Error::is_peer_fault`] says whose mistake it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer's filter is larger than [`Limits::max_bytes`](crate::Limits::max_bytes).
    PeerBytes {
        /// The most bytes accepted.
        limit: usize,
        /// The bytes the peer sent.
        actual: usize,
    },
    /// The peer asks for more hashes a key than [`Limits::max_k`](crate::Limits::max_k).
    PeerHashes {
        /// The largest k accepted.
        limit: u32,
        /// The k the peer sent.
        actual: u32,
    },
    /// The peer sent bytes with k = 0: a filter that would claim to hold every key.
    PeerZeroHashes {
        /// The bytes the peer sent.
        bytes: usize,
    },
    /// Our own parameters describe no filter: it takes at least one byte and 1 to
    /// [`MAX_K`](crate::MAX_K) hashes a key.
    Params {
        /// The bytes asked for.
        bytes: usize,
        /// The k asked for.
        k: u32,
    },
    /// Two filters cannot be merged: they differ in size, in k or in their rejection rule.
    Mismatch {
        /// Bytes and k of the filter merged into.
        left: (usize, u32),
        /// Bytes and k of the filter merged from.
        right: (usize, u32),
    },
    /// The cells of a peer's sketch are of no set: more symbols came out of them than there are
    /// cells.
    PeerCells {
        /// Cells handed in, which is the limit.
        cells: usize,
    },
}

impl Error {
    /// True where a peer sent something outside the protocol or outside our limits, false where
    /// the caller asked for something impossible.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        match self {
            Self::PeerBytes { .. }
            | Self::PeerHashes { .. }
            | Self::PeerZeroHashes { .. }
            | Self::PeerCells { .. } => true,
            Self::Params { .. } | Self::Mismatch { .. } => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerBytes { limit, actual } => {
                write!(f, "the peer sent a Bloom filter of {actual} bytes, the limit is {limit}")
            }
            Self::PeerHashes { limit, actual } => {
                write!(f, "the peer sent a Bloom filter with k = {actual}, the limit is {limit}")
            }
            Self::PeerZeroHashes { bytes } => {
                write!(f, "the peer sent a Bloom filter of {bytes} bytes with k = 0, k starts at 1")
            }
            Self::Params { bytes, k } => {
                write!(f, "no Bloom filter has {bytes} bytes and k = {k}: ")?;
                write!(f, "bytes start at 1, k is 1 to {}", crate::MAX_K)
            }
            Self::Mismatch { left, right } => write!(
                f,
                "Bloom filters of {} bytes, k = {} and {} bytes, k = {} do not merge",
                left.0, left.1, right.0, right.1
            ),
            Self::PeerCells { cells } => {
                write!(f, "more than {cells} symbols came out of a peer's sketch of {cells} cells")
            }
        }
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn messages_name_limit_actual_and_culprit() {
        let table = [
            (
                Error::PeerBytes { limit: 8, actual: 9 },
                "the peer sent a Bloom filter of 9 bytes, the limit is 8",
                true,
            ),
            (
                Error::PeerHashes { limit: 64, actual: 65 },
                "the peer sent a Bloom filter with k = 65, the limit is 64",
                true,
            ),
            (
                Error::PeerZeroHashes { bytes: 1 },
                "the peer sent a Bloom filter of 1 bytes with k = 0, k starts at 1",
                true,
            ),
            (
                Error::Params { bytes: 0, k: 3 },
                "no Bloom filter has 0 bytes and k = 3: bytes start at 1, k is 1 to 64",
                false,
            ),
            (
                Error::Mismatch { left: (8, 3), right: (16, 3) },
                "Bloom filters of 8 bytes, k = 3 and 16 bytes, k = 3 do not merge",
                false,
            ),
            (
                Error::PeerCells { cells: 4 },
                "more than 4 symbols came out of a peer's sketch of 4 cells",
                true,
            ),
        ];
        for (error, message, peer) in table {
            assert_eq!((error.to_string().as_str(), error.is_peer_fault()), (message, peer));
        }
    }
}
