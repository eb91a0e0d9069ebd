//! What goes wrong, and the one table of exit codes.

use carpool_http::Error as Http;
use carpool_store::Error as Store;
use carpool_unixfs::{Error as UnixFs, OptionsError};
use std::{fmt, io};

/// The exit codes of all verbs; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Input or output failed, or files were skipped or changed while they were read.
    Io = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Data is damaged: a hash, a CAR, a message, the store.
    Damaged = 3,
    /// Incomplete; the same command goes on where this one stopped.
    Incomplete = 4,
    /// Refused: read-only, a token, a name that has moved, a target that exists.
    Refused = 5,
}

/// A failure: what to say and how to exit.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// An I/O error at a place: a full disk is named as such.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        if is_full(error) {
            return Self::new(Exit::Io, format_args!("{what}: the disk is full"));
        }
        Self::new(Exit::Io, format_args!("{what}: {error}"))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// So that one can pass through what reads and writes.
impl std::error::Error for Failure {}

impl From<Store> for Failure {
    fn from(error: Store) -> Self {
        let exit = store_exit(&error);
        Self::new(exit, Plain(&error))
    }
}

/// A store's error as the user is told: a full disk is named as such everywhere.
struct Plain<'a>(&'a Store);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Store::DiskFull { path } = self.0 {
            return write!(f, "{}: the disk is full", path.display());
        }
        if let Store::IndexCorrupt { path } = self.0 {
            return write!(f, "index {} is damaged; `carpool repair --rebuild`", path.display());
        }
        self.0.fmt(f)?;
        if matches!(self.0, Store::Damaged { .. }) {
            f.write_str("; `carpool repair --forget`, then add or pull it again")?;
        }
        Ok(())
    }
}

fn store_exit(error: &Store) -> Exit {
    if matches!(error, Store::Damaged { .. } | Store::IndexCorrupt { .. } | Store::Mismatch { .. })
    {
        Exit::Damaged
    } else if matches!(error, Store::NameLength { .. } | Store::NameControl { .. }) {
        Exit::Usage
    } else {
        Exit::Io
    }
}

impl Exit {
    /// How a transfer ends that failed so.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not known here is input or output")]
    pub(crate) fn of(error: &Http) -> Self {
        match error {
            Http::Usage(_) => Self::Usage,
            Http::Refused { .. } | Http::Conflict { .. } | Http::PeerTakesLess { .. } => {
                Self::Refused
            }
            Http::Status { status, .. } if status.as_u16() == 413 => Self::Refused,
            Http::Incomplete { .. } | Http::SourceLacks { .. } => Self::Incomplete,
            Http::Block(_) | Http::Car(_) | Http::Mirror(_) | Http::Message(_) => Self::Damaged,
            Http::Store(store) => store_exit(store),
            _ => Self::Io,
        }
    }
}

impl From<Http> for Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most say what they are")]
    fn from(error: Http) -> Self {
        let exit = Exit::of(&error);
        match &error {
            Http::Status { status, .. } if status.as_u16() == 507 => {
                Self::new(exit, "at the server the disk is full")
            }
            Http::Store(store) => Self::new(exit, Plain(store)),
            _ => Self::new(exit, error),
        }
    }
}

impl From<UnixFs> for Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all else is wrong with what was read")]
    fn from(error: UnixFs) -> Self {
        let exit = match error {
            UnixFs::Missing { .. } => Exit::Incomplete,
            UnixFs::DuplicateName { cid: None, .. } | UnixFs::Name { cid: None, .. } => Exit::Usage,
            UnixFs::HashCollision { .. } => Exit::Io,
            _ => Exit::Damaged,
        };
        Self::new(exit, error)
    }
}

impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        if error == OptionsError::RawLeavesWithMetadata {
            let what = "raw leaves have no place for mode or mtime: say --profile=carpool-v1-meta, \
                        which keeps them above raw leaves, or --raw-leaves=false, as Kubo does";
            return Self::new(Exit::Usage, what);
        }
        Self::new(Exit::Usage, error)
    }
}

impl From<carpool_core::Error> for Failure {
    fn from(error: carpool_core::Error) -> Self {
        Self::new(Exit::Damaged, error)
    }
}

impl From<carpool_car::Error> for Failure {
    fn from(error: carpool_car::Error) -> Self {
        Self::new(Exit::Damaged, error)
    }
}
