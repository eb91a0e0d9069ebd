use carpool_core::{Cid, cid_exact};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Durability, Index};
use crate::{Expect, NameEntry, Result, SetName, names::RECENT_ROOTS};

const CURRENT: &str = "SELECT root, seq, time FROM names WHERE name = ?1 ORDER BY seq DESC LIMIT 1";
const HISTORY: &str = "SELECT root, seq, time FROM names WHERE name = ?1 ORDER BY seq DESC";
// SQLite takes the other columns from the row that has the maximum.
const ALL: &str = "SELECT root, max(seq), time, name FROM names GROUP BY name ORDER BY name";
const SET: &str = "INSERT OR REPLACE INTO names(name, seq, root, time) VALUES(?1, ?2, ?3, ?4)";
const NOTE: &str = "INSERT OR REPLACE INTO roots(cid) VALUES(?1)";
const TRIM: &str = "DELETE FROM roots WHERE id NOT IN
                    (SELECT id FROM roots ORDER BY id DESC LIMIT ?1)";
const RECENT: &str = "SELECT cid FROM roots ORDER BY id DESC LIMIT ?1";

impl Index {
    pub(crate) fn name(&self, name: &str) -> Result<Option<NameEntry>> {
        self.ok(current(&self.conn, name))
    }

    pub(crate) fn names(&self) -> Result<Vec<(String, NameEntry)>> {
        let mut all = self.ok(self.conn.prepare_cached(ALL))?;
        let rows = all.query_map([], |row| Ok((row.get(3)?, entry(row)?)));
        self.ok(rows.and_then(Iterator::collect))
    }

    pub(crate) fn history(&self, name: &str) -> Result<Vec<NameEntry>> {
        let mut history = self.ok(self.conn.prepare_cached(HISTORY))?;
        self.ok(history.query_map([name], entry).and_then(Iterator::collect))
    }

    /// Sets a name if it is what `expect` says. `journal` is called with the entry before it
    /// counts, while no other process can set a name.
    pub(crate) fn set_name(
        &self,
        name: &str,
        expect: Expect,
        new: (&Cid, SystemTime),
        journal: impl FnOnce(&NameEntry) -> Result<()>,
    ) -> Result<SetName> {
        self.write(Durability::PowerLoss, |tx| {
            let current = self.ok(current(tx, name))?;
            if !expect.allows(current.as_ref().map(|entry| &entry.root)) {
                return Ok(SetName::Conflict { current });
            }
            let seq = current.map_or(1, |entry| entry.seq + 1);
            let entry = NameEntry { root: *new.0, seq, time: new.1 };
            journal(&entry)?;
            self.ok(set(tx, name, &entry))?;
            Ok(SetName::Set(entry))
        })
    }

    /// Puts entries in as they are.
    pub(crate) fn restore_names(&self, entries: &[(String, NameEntry)]) -> Result<()> {
        self.write(Durability::PowerLoss, |tx| {
            entries.iter().try_for_each(|(name, entry)| self.ok(set(tx, name, entry)))
        })
    }

    pub(crate) fn note_root(&self, root: &Cid) -> Result<()> {
        self.write(Durability::Process, |tx| {
            self.ok(tx.prepare_cached(NOTE).and_then(|mut note| note.execute([root.to_bytes()])))?;
            self.ok(tx
                .prepare_cached(TRIM)
                .and_then(|mut trim| trim.execute([count(usize::MAX)])))?;
            Ok(())
        })
    }

    pub(crate) fn recent_roots(&self, n: usize) -> Result<Vec<Cid>> {
        let mut recent = self.ok(self.conn.prepare_cached(RECENT))?;
        let rows = recent.query_map([count(n)], cid);
        self.ok(rows.and_then(Iterator::collect))
    }

    /// Forgets the roots: after a loss nobody knows which are complete.
    pub(crate) fn forget_roots(&self) -> Result<()> {
        self.ok(self.conn.execute("DELETE FROM roots", [])).map(drop)
    }
}

/// `n`, and no more than are remembered.
fn count(n: usize) -> i64 {
    i64::try_from(n.min(RECENT_ROOTS)).unwrap_or(i64::MAX)
}

fn current(conn: &Connection, name: &str) -> rusqlite::Result<Option<NameEntry>> {
    conn.prepare_cached(CURRENT)?.query_row([name], entry).optional()
}

fn set(conn: &Connection, name: &str, entry: &NameEntry) -> rusqlite::Result<()> {
    let since = entry.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let values = params![name, entry.seq.cast_signed(), entry.root.to_bytes(), millis];
    conn.prepare_cached(SET)?.execute(values).map(drop)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<NameEntry> {
    let millis = Duration::from_millis(row.get::<_, i64>(2)?.cast_unsigned());
    let seq = row.get::<_, i64>(1)?.cast_unsigned();
    Ok(NameEntry { root: cid(row)?, seq, time: UNIX_EPOCH + millis })
}

fn cid(row: &Row<'_>) -> rusqlite::Result<Cid> {
    let bytes = row.get_ref(0)?.as_blob()?;
    cid_exact(bytes)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(e)))
}
