use alloc::boxed::Box;
use core::fmt;

use carpool_core::{Cid, Fault};

/// Why import settings were refused. The caller's fault, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// No profile has this name.
    UnknownProfile,
    /// CIDs have version 0 or 1.
    CidVersion {
        /// The version asked for.
        version: u64,
    },
    /// A chunk has from 1 to [`Chunking::MAX_BYTES`](crate::Chunking::MAX_BYTES) bytes.
    ChunkSize {
        /// The bytes asked for.
        bytes: u64,
    },
    /// Chunks that end where their content says have a power of two from 4,096 to 262,144 bytes on
    /// average.
    AverageSize {
        /// The bytes asked for.
        bytes: u64,
    },
    /// The text does not name a chunker.
    Chunker,
    /// The text is neither `links` nor `block` nor `disabled`.
    Estimation,
    /// A file's node needs room for two links.
    FileLinks {
        /// The links asked for.
        links: usize,
    },
    /// A shard has a power of two from 8 to 1024 slots.
    Fanout {
        /// The slots asked for.
        fanout: u64,
    },
    /// Raw leaves have no place for mode and time, and both were asked for.
    RawLeavesWithMetadata,
    /// A second has nanoseconds 0 to 999,999,999.
    Nanoseconds {
        /// The nanoseconds given.
        nanos: u32,
    },
    /// Kubo knows it and this crate does not yet.
    NotSupportedYet {
        /// What it is.
        what: &'static str,
    },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProfile => f.write_str("no profile has this name"),
            Self::CidVersion { version } => write!(f, "unknown CID version: {version}"),
            Self::ChunkSize { bytes } => {
                write!(f, "chunks of {bytes} bytes, from 1 to 2096896 are possible")
            }
            Self::AverageSize { bytes } => {
                write!(
                    f,
                    "chunks of {bytes} bytes on average, powers of two from 4096 to 262144 are possible"
                )
            }
            Self::Chunker => {
                f.write_str("expected a chunker such as size-1048576 or fastcdc-65536")
            }
            Self::Estimation => f.write_str("expected links, block or disabled"),
            Self::FileLinks { links } => write!(f, "{links} links in a file's node, at least 2"),
            Self::Fanout { fanout } => {
                write!(f, "fanout {fanout}, expected a power of two from 8 to 1024")
            }
            Self::RawLeavesWithMetadata => f.write_str("raw leaves cannot have mode or mtime"),
            Self::Nanoseconds { nanos } => write!(f, "{nanos} nanoseconds, at most 999999999"),
            Self::NotSupportedYet { what } => write!(f, "{what} is not supported yet"),
        }
    }
}

impl core::error::Error for OptionsError {}

/// What can be wrong with a UnixFS node or with an entry of a directory that is being built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The block is too large, has too many links, or is no DAG-PB.
    Block(carpool_core::Error),
    /// The block's codec is neither `raw` nor `dag-pb`.
    Codec {
        /// The block.
        cid: Cid,
        /// Its codec.
        codec: u64,
    },
    /// The node's `Data` field does not parse as UnixFS.
    Malformed {
        /// The block.
        cid: Cid,
        /// What was expected.
        expected: &'static str,
    },
    /// The node's `Type` is not one of raw, directory, file, symlink, HAMT shard.
    Type {
        /// The block.
        cid: Cid,
        /// The type.
        kind: u64,
    },
    /// A file's node does not say one size for each link.
    BlockSizes {
        /// The block.
        cid: Cid,
        /// How many links it has.
        links: usize,
        /// How many sizes.
        sizes: usize,
    },
    /// A file's node or block has not as many bytes of the file as it or its parent claims.
    Size {
        /// The block.
        cid: Cid,
        /// The bytes claimed.
        claimed: u64,
        /// The bytes found; `u64::MAX` when they do not fit into 64 bits.
        actual: u64,
    },
    /// A shard's fanout is no power of two from 8 to 1024, or not its parent's.
    Fanout {
        /// The block.
        cid: Cid,
        /// The fanout.
        fanout: u64,
    },
    /// A shard's bit field is not the set of its links' slots, in order.
    Bitfield {
        /// The block.
        cid: Cid,
    },
    /// A name lies in a slot of a shard that its hash does not choose.
    Misplaced {
        /// The shard.
        cid: Cid,
        /// The name.
        name: Box<[u8]>,
    },
    /// A name that no entry may have: empty, `.`, `..`, or one with `/` or NUL.
    Name {
        /// The directory, unless it is being built.
        cid: Option<Cid>,
        /// The name.
        name: Box<[u8]>,
    },
    /// Two entries of a directory have the same name.
    DuplicateName {
        /// The directory, unless it is being built.
        cid: Option<Cid>,
        /// The name.
        name: Box<[u8]>,
    },
    /// Two names have so many bits of hash in common that no shard can tell them apart.
    HashCollision {
        /// One of the names.
        first: Box<[u8]>,
        /// The other.
        second: Box<[u8]>,
    },
    /// The node is a directory or a symbolic link where a file was expected.
    NotAFile {
        /// The block.
        cid: Cid,
    },
    /// The node is no directory.
    NotADirectory {
        /// The block.
        cid: Cid,
    },
    /// The DAG is deeper than [`Limits::max_depth`](crate::Limits::max_depth), or a sharded
    /// directory than its hash has bits.
    TooDeep {
        /// The block.
        cid: Cid,
        /// The limit, in links.
        max: u32,
    },
    /// More links wait to be followed than four times
    /// [`Limits::max_links`](crate::Limits::max_links).
    TooManyPending {
        /// The block whose links are too many.
        cid: Cid,
        /// The limit.
        max: usize,
    },
    /// The store has not the block.
    Missing {
        /// The block.
        cid: Cid,
    },
}

impl Error {
    /// Whose fault it is: the caller's for entries of a directory being built and for what the
    /// store lacks, else of whoever made the node.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Name { cid: None, .. }
            | Self::DuplicateName { cid: None, .. }
            | Self::HashCollision { .. }
            | Self::NotAFile { .. }
            | Self::NotADirectory { .. }
            | Self::Missing { .. } => Fault::Caller,
            Self::Block(error) => error.fault(),
            Self::Codec { .. }
            | Self::Malformed { .. }
            | Self::Type { .. }
            | Self::BlockSizes { .. }
            | Self::Size { .. }
            | Self::Fanout { .. }
            | Self::Bitfield { .. }
            | Self::Misplaced { .. }
            | Self::Name { .. }
            | Self::DuplicateName { .. }
            | Self::TooDeep { .. }
            | Self::TooManyPending { .. } => Fault::Peer,
        }
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
            Self::Codec { cid, codec } => write!(f, "block {cid}: codec 0x{codec:x} is no UnixFS"),
            Self::Malformed { cid, expected } => write!(f, "block {cid}: expected {expected}"),
            Self::Type { cid, kind } => write!(f, "block {cid}: unknown UnixFS type {kind}"),
            Self::BlockSizes { cid, links, sizes } => {
                write!(f, "block {cid}: {sizes} sizes for {links} links")
            }
            Self::Size { cid, claimed, actual } => {
                write!(f, "block {cid}: {claimed} bytes of the file claimed, {actual} found")
            }
            Self::Fanout { cid, fanout } => write!(f, "shard {cid}: wrong fanout {fanout}"),
            Self::Bitfield { cid } => write!(f, "shard {cid}: bit field and links differ"),
            Self::Misplaced { cid, name } => {
                write!(f, "shard {cid}: name \"{}\" in a foreign slot", name.escape_ascii())
            }
            Self::Name { cid, name } => {
                directory(f, cid.as_ref())?;
                write!(f, "name \"{}\" is not allowed", name.escape_ascii())
            }
            Self::DuplicateName { cid, name } => {
                directory(f, cid.as_ref())?;
                write!(f, "name \"{}\" twice", name.escape_ascii())
            }
            Self::HashCollision { first, second } => {
                let (first, second) = (first.escape_ascii(), second.escape_ascii());
                write!(f, "names \"{first}\" and \"{second}\" have the same hash")
            }
            Self::NotAFile { cid } => write!(f, "block {cid}: not a file"),
            Self::NotADirectory { cid } => write!(f, "block {cid}: not a directory"),
            Self::TooDeep { cid, max } => write!(f, "block {cid}: deeper than {max} links"),
            Self::TooManyPending { cid, max } => {
                write!(f, "block {cid}: more than {max} links are waiting")
            }
            Self::Missing { cid } => write!(f, "block {cid}: not in the store"),
        }
    }
}

fn directory(f: &mut fmt::Formatter<'_>, cid: Option<&Cid>) -> fmt::Result {
    cid.map_or(Ok(()), |cid| write!(f, "directory {cid}: "))
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Block(error) = self { Some(error) } else { None }
    }
}
