use carpool_core::{Cid, Fault};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing a file failed, and not for lack of room.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no room left (or the quota is used up). What was acknowledged is still there, and
    /// the store goes on working once there is room.
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// SQLite refused an operation on the index.
    Index {
        /// The index file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The index is damaged. [`LocalStore::rebuild_index`](crate::LocalStore::rebuild_index) makes
    /// a new one from the CAR files.
    IndexCorrupt {
        /// The index file.
        path: PathBuf,
    },
    /// The index was written by a later version of carpool.
    IndexVersion {
        /// The index file.
        path: PathBuf,
        /// The version it has.
        found: i64,
        /// The latest that this build reads.
        supported: i64,
    },
    /// Other processes have the store open, and what was asked needs it alone.
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// What is stored for a block is not the block.
    Damaged {
        /// The block.
        cid: Cid,
        /// The number of the segment it should be in.
        segment: u32,
        /// Where in the segment its bytes should begin.
        offset: u64,
    },
    /// What a CAR file that serves as a store holds for a block is not the block.
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The block.
        cid: Cid,
        /// Where in the file its bytes begin.
        offset: u64,
    },
    /// A block is larger than this store takes.
    BlockTooLarge {
        /// The block.
        cid: Cid,
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A name is empty or longer than [`MAX_NAME_BYTES`](crate::MAX_NAME_BYTES).
    NameLength {
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A name contains a control character.
    NameControl {
        /// Where in the name, in bytes.
        at: usize,
    },
    /// [`LocalOptions::segment_bytes`](crate::LocalOptions) is out of its range.
    SegmentBytes {
        /// What was asked for.
        bytes: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
}

impl Error {
    /// Whose fault it is: always on this side of the wire.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if full.contains(&source.kind()) {
            Self::DiskFull { path }
        } else {
            Self::Io { path, source }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::DiskFull { path } => write!(f, "{}: no room left", path.display()),
            Self::Index { path, source } => write!(f, "index {}: {source}", path.display()),
            Self::IndexCorrupt { path } => {
                write!(f, "index {} is damaged: rebuild it", path.display())
            }
            Self::IndexVersion { path, found, supported } => {
                let path = path.display();
                write!(f, "index {path} has version {found}, this build reads {supported}")
            }
            Self::InUse { path } => {
                write!(f, "store {} is open in another process", path.display())
            }
            Self::Damaged { cid, segment, offset } => {
                write!(f, "block {cid} is damaged in segment {segment} at byte {offset}")
            }
            Self::Mismatch { path, cid, offset } => {
                let path = path.display();
                write!(f, "{path}: the bytes at {offset} are not those of block {cid}")
            }
            Self::BlockTooLarge { cid, bytes, max } => {
                write!(f, "block {cid}: {bytes} bytes, limit {max}")
            }
            Self::NameLength { bytes, max } => {
                write!(f, "a name of {bytes} bytes; 1 to {max} are allowed")
            }
            Self::NameControl { at } => write!(f, "control character in a name at byte {at}"),
            Self::SegmentBytes { bytes, min, max } => {
                write!(f, "segments of {bytes} bytes; {min} to {max} are allowed")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Index { source, .. } => Some(source.as_ref()),
            Self::DiskFull { .. }
            | Self::IndexCorrupt { .. }
            | Self::IndexVersion { .. }
            | Self::InUse { .. }
            | Self::Damaged { .. }
            | Self::Mismatch { .. }
            | Self::BlockTooLarge { .. }
            | Self::NameLength { .. }
            | Self::NameControl { .. }
            | Self::SegmentBytes { .. } => None,
        }
    }
}
