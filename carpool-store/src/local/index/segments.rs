use rusqlite::{OptionalExtension, Transaction, params};

use super::{Durability, Index, Row, blocks};
use crate::Result;

/// How far a segment is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes that survive a power loss.
    pub(crate) synced: u64,
    /// Bytes whose blocks are in the index.
    pub(crate) committed: u64,
}

const MARKS: &str = "SELECT id, synced, committed FROM segments ORDER BY id";
const SET_MARK: &str = "INSERT INTO segments(id, synced, committed, blocks, bytes)
    VALUES(?1, ?2, ?3, 0, 0)
    ON CONFLICT(id) DO UPDATE SET synced = excluded.synced, committed = excluded.committed";
const DROP_BEYOND: &str =
    "DELETE FROM blocks WHERE segment = ?1 AND offset + len > ?2 RETURNING len";

impl Mark {
    /// All of a segment of `len` bytes is safe.
    pub(crate) const fn all(len: u64) -> Self {
        Self { synced: len, committed: len }
    }

    pub(super) fn write(self, tx: &Transaction<'_>, segment: u32) -> rusqlite::Result<()> {
        let (synced, committed) = (self.synced.cast_signed(), self.committed.cast_signed());
        tx.prepare_cached(SET_MARK)?.execute(params![segment, synced, committed]).map(drop)
    }
}

impl Index {
    /// The mark of every segment that the index knows, in order.
    pub(crate) fn marks(&self) -> Result<Vec<(u32, Mark)>> {
        let mut marks = self.ok(self.conn.prepare_cached(MARKS))?;
        let rows = marks.query_map([], |row| {
            let (synced, committed) = (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
            let (synced, committed) = (synced.cast_unsigned(), committed.cast_unsigned());
            Ok((row.get(0)?, Mark { synced, committed }))
        });
        self.ok(rows.and_then(Iterator::collect))
    }

    /// The mark of one segment; `None` where the index does not know it.
    pub(crate) fn mark(&self, segment: u32) -> Result<Option<Mark>> {
        Ok(self.marks()?.into_iter().find(|(id, _)| *id == segment).map(|(_, mark)| mark))
    }

    /// Says that the first `synced` bytes of a segment, which another process appends to, survive
    /// a power loss.
    pub(crate) fn note_synced(&self, segment: u32, synced: u64) -> Result<()> {
        let sql = "UPDATE segments SET synced = max(synced, ?2) WHERE id = ?1";
        let values = params![segment, synced.cast_signed()];
        self.ok(self.conn.execute(sql, values)).map(drop)
    }

    /// Takes what recovery read in a segment: rows that are whole, and keys of damaged blocks.
    /// Returns how many rows were dropped.
    pub(crate) fn adopt(
        &self,
        segment: u32,
        rows: &[(Vec<u8>, Row)],
        damaged: &[Vec<u8>],
    ) -> Result<u64> {
        self.write(Durability::Process, |tx| {
            let mut dropped = 0;
            for key in damaged {
                dropped += self.ok(blocks::remove(tx, key, segment))? as u64;
            }
            self.ok(blocks::adopt(tx, rows))?;
            Ok(dropped)
        })
    }

    /// Forgets blocks by key, each if it points into the segment that is named, and with them the
    /// noted roots; returns how many blocks.
    pub(crate) fn forget_blocks(&self, damaged: &[(Vec<u8>, u32)]) -> Result<u64> {
        self.write(Durability::PowerLoss, |tx| {
            let mut dropped = 0;
            for (key, segment) in damaged {
                dropped += self.ok(blocks::remove(tx, key, *segment))? as u64;
            }
            if dropped > 0 {
                self.ok(tx.execute("DELETE FROM roots", []))?;
            }
            Ok(dropped)
        })
    }

    /// Makes sure that the index knows a segment, so that its rows are counted.
    pub(crate) fn introduce(&self, segment: u32) -> Result<()> {
        match self.mark(segment)? {
            Some(_) => Ok(()),
            None => self.commit(&[], &[(segment, Mark::all(0))], Durability::Process),
        }
    }

    /// Drops the rows that point into `segment` beyond byte `end`; returns how many. Reads the
    /// whole table: only what was lost needs it.
    pub(crate) fn drop_beyond(&self, segment: u32, end: u64) -> Result<u64> {
        self.write(Durability::Process, |tx| {
            let lens = self.ok(drop_rows(tx, segment, end))?;
            let dropped = lens.len() as u64;
            let bytes: i64 = lens.iter().sum();
            self.ok(blocks::count(tx, segment, -dropped.cast_signed(), -bytes))?;
            Ok(dropped)
        })
    }

    /// Forgets a segment whose file is gone; returns how many blocks went with it.
    pub(crate) fn forget(&self, segment: u32) -> Result<u64> {
        let dropped = self.drop_beyond(segment, 0)?;
        let forget = "DELETE FROM segments WHERE id = ?1";
        self.ok(self.conn.execute(forget, [segment]))?;
        Ok(dropped)
    }

    /// Blocks and bytes that the index points to.
    pub(crate) fn totals(&self) -> Result<(u64, u64)> {
        let sql = "SELECT sum(blocks), sum(bytes) FROM segments";
        let sums = self.conn.query_row(sql, [], |row| {
            let (blocks, bytes) = (row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?);
            Ok((blocks.unwrap_or(0).cast_unsigned(), bytes.unwrap_or(0).cast_unsigned()))
        });
        Ok(self.ok(sums.optional())?.unwrap_or_default())
    }
}

fn drop_rows(tx: &Transaction<'_>, segment: u32, end: u64) -> rusqlite::Result<Vec<i64>> {
    let mut drop = tx.prepare(DROP_BEYOND)?;
    drop.query_map(params![segment, end.cast_signed()], |row| row.get(0))?.collect()
}
