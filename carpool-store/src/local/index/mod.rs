//! The index: an SQLite file that says where every block lies, and what the names are.
//!
//! SQLite counts in signed 64-bit numbers; what is unsigned here is stored as the same 64 bits.
mod blocks;
mod names;
mod segments;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::{path::Path, path::PathBuf, time::Duration};

use crate::{Error, Result};
pub(crate) use blocks::Row;
pub(crate) use segments::Mark;

/// The version of the tables; SQLite keeps it as `user_version`.
const VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE blocks(
    key BLOB PRIMARY KEY,           -- binary multihash
    codec INTEGER,                  -- NULL for a CID of version 0
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,        -- of the block's data in the segment
    len INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE segments(
    id INTEGER PRIMARY KEY,
    synced INTEGER NOT NULL,        -- bytes that survive a power loss
    committed INTEGER NOT NULL,     -- bytes whose blocks are in the index
    blocks INTEGER NOT NULL,        -- rows of blocks that point here
    bytes INTEGER NOT NULL          -- the sum of their len
);
CREATE TABLE names(
    name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    root BLOB NOT NULL,             -- binary CID
    time INTEGER NOT NULL,          -- milliseconds since 1970
    PRIMARY KEY(name, seq)
) WITHOUT ROWID;
CREATE TABLE roots(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cid BLOB NOT NULL UNIQUE        -- binary CID
);
PRAGMA user_version = 1;";

/// How long one process waits for another's transaction. They take milliseconds.
const BUSY: Duration = Duration::from_secs(60);

/// One connection to the index.
#[derive(Debug)]
pub(crate) struct Index {
    conn: Connection,
    path: PathBuf,
}

impl Index {
    /// Opens the index that is there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let index = Self::connect(path, OpenFlags::empty())?;
        let version = "SELECT user_version FROM pragma_user_version";
        let found: i64 = index.ok(index.conn.query_row(version, [], |row| row.get(0)))?;
        match found {
            VERSION => Ok(index),
            0 => Err(Error::IndexCorrupt { path: path.to_owned() }),
            _ => Err(Error::IndexVersion { path: path.to_owned(), found, supported: VERSION }),
        }
    }

    /// Makes an index without rows where there is none.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let index = Self::connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        index.write(Durability::PowerLoss, |tx| index.ok(tx.execute_batch(SCHEMA)))?;
        Ok(index)
    }

    fn connect(path: &Path, create: OpenFlags) -> Result<Self> {
        let fail = |e| error(path, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
        conn.busy_timeout(BUSY).map_err(fail)?;
        // NORMAL: a power loss may undo commits and never damages; see `Durability`.
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                       PRAGMA cache_size = -8192;";
        conn.execute_batch(pragmas).map_err(fail)?;
        Ok(Self { conn, path: path.to_owned() })
    }

    fn ok<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|e| error(&self.path, e))
    }

    /// Runs `work` in a transaction that no other process writes beside; an error undoes it.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.ok(self.conn.pragma_update(None, "synchronous", durability.pragma()))?;
        let immediate = TransactionBehavior::Immediate;
        let tx = self.ok(Transaction::new_unchecked(&self.conn, immediate))?;
        let out = work(&tx)?;
        self.ok(tx.commit())?;
        Ok(out)
    }
}

/// What a commit survives when it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The end of the process.
    Process,
    /// A power loss too: the commit waits for the disk.
    PowerLoss,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Process => "NORMAL",
            Self::PowerLoss => "FULL",
        }
    }
}

fn error(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    let code = source.sqlite_error_code();
    // The file that readers share with writers could not grow.
    let shared = source.sqlite_error().map(|error| error.extended_code);
    if code == Some(ErrorCode::DiskFull) || shared == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
        Error::DiskFull { path }
    } else if matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
        Error::IndexCorrupt { path }
    } else {
        Error::Index { path, source: Box::new(source) }
    }
}
