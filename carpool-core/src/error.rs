use cid::Cid;
use core::fmt;

/// Whose fault an error is: it decides between "fix your call" and "distrust the peer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes came from a peer, and they are wrong or exceed a limit.
    Peer,
    /// The call, or what is held locally, is at fault.
    Caller,
}

/// What can be wrong with a CID, a block or its links.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A varint is too long, padded or cut short.
    Varint,
    /// The bytes are no CID of version 0 or 1 with a digest of at most 64 bytes.
    Cid,
    /// The block's bytes do not hash to its CID.
    DigestMismatch {
        /// The CID that was claimed.
        cid: Cid,
    },
    /// The CID names a hash function that this build cannot compute.
    UnsupportedHash {
        /// The CID that was claimed.
        cid: Cid,
        /// Its multihash code.
        code: u64,
    },
    /// The CID's digest has not the length that its hash function makes.
    DigestLength {
        /// The CID that was claimed.
        cid: Cid,
    },
    /// A block is larger than [`Limits::max_block_bytes`](crate::Limits::max_block_bytes).
    BlockTooLarge {
        /// The block.
        cid: Cid,
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A block has more links than [`Limits::max_links`](crate::Limits::max_links).
    TooManyLinks {
        /// The block.
        cid: Cid,
        /// The limit.
        max: u64,
    },
    /// A block with links lies deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    TooDeep {
        /// The block.
        cid: Cid,
        /// The limit, in links from the root.
        max: u32,
    },
    /// The block does not parse as the codec that its CID names.
    Malformed {
        /// The block.
        cid: Cid,
        /// Where in the block, in bytes.
        offset: u64,
        /// What was expected there.
        expected: &'static str,
    },
}

impl Error {
    /// Whose fault it is. Everything here is about bytes that a peer chose.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Peer
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varint => f.write_str("malformed varint"),
            Self::Cid => f.write_str("malformed CID"),
            Self::DigestMismatch { cid } => write!(f, "block {cid}: its bytes have another hash"),
            Self::UnsupportedHash { cid, code } => {
                write!(f, "block {cid}: hash function 0x{code:x} is not supported")
            }
            Self::DigestLength { cid } => write!(f, "block {cid}: digest of the wrong length"),
            Self::BlockTooLarge { cid, bytes, max } => {
                write!(f, "block {cid}: {bytes} bytes, limit {max}")
            }
            Self::TooManyLinks { cid, max } => write!(f, "block {cid}: more than {max} links"),
            Self::TooDeep { cid, max } => {
                write!(f, "block {cid}: more than {max} links below the root")
            }
            Self::Malformed { cid, offset, expected } => {
                write!(f, "block {cid}: expected {expected} at byte {offset}")
            }
        }
    }
}

impl core::error::Error for Error {}
