//! What goes wrong, and the one table of exit codes.

use carpool_http::Error as Http;
use carpool_store::Error as Store;
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

impl From<Store> for Failure {
    fn from(error: Store) -> Self {
        let exit = store_exit(&error);
        Self::new(exit, error)
    }
}

fn store_exit(error: &Store) -> Exit {
    match error {
        Store::Damaged { .. } | Store::IndexCorrupt { .. } => Exit::Damaged,
        Store::NameLength { .. } | Store::NameControl { .. } => Exit::Usage,
        _ => Exit::Io,
    }
}

impl From<Http> for Failure {
    fn from(error: Http) -> Self {
        let exit = match &error {
            Http::Usage(_) => Exit::Usage,
            Http::Refused { .. } | Http::Conflict { .. } => Exit::Refused,
            Http::Status { status, .. } if status.as_u16() == 413 => Exit::Refused,
            Http::Incomplete { .. } | Http::SourceLacks { .. } => Exit::Incomplete,
            Http::Block(_) | Http::Car(_) | Http::Mirror(_) | Http::Message(_) => Exit::Damaged,
            Http::Store(store) => store_exit(store),
            _ => Exit::Io,
        };
        Self::new(exit, error)
    }
}

impl From<carpool_unixfs::Error> for Failure {
    fn from(error: carpool_unixfs::Error) -> Self {
        let exit = match error {
            carpool_unixfs::Error::Missing { .. } => Exit::Incomplete,
            _ => Exit::Damaged,
        };
        Self::new(exit, error)
    }
}

impl From<carpool_unixfs::OptionsError> for Failure {
    fn from(error: carpool_unixfs::OptionsError) -> Self {
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
