use carpool_core::{Cid, Multihash};
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::BTreeMap;

use super::{Durability, Index, Mark};
use crate::Result;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The codec of the CID it was put under first; `None` for version 0.
    pub(crate) codec: Option<u64>,
    pub(crate) segment: u32,
    /// Where its data begins, in bytes from the start of the segment.
    pub(crate) offset: u64,
    /// The length of its data in bytes.
    pub(crate) len: u64,
}

const FIND: &str = "SELECT codec, segment, offset, len FROM blocks WHERE key = ?1";
const HOLD: &str = "SELECT 1 FROM sqlite_schema";
const PAGE: &str = "SELECT codec, segment, offset, len, key FROM blocks WHERE key > ?1
                    ORDER BY key LIMIT ?2";
const INSERT: &str = "INSERT OR IGNORE INTO blocks(key, codec, segment, offset, len)
                      VALUES(?1, ?2, ?3, ?4, ?5)";
const COUNT: &str = "UPDATE segments SET blocks = blocks + ?2, bytes = bytes + ?3 WHERE id = ?1";

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            codec: row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned),
            segment: row.get(1)?,
            offset: row.get::<_, i64>(2)?.cast_unsigned(),
            len: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    }
}

impl Index {
    /// The row of every CID at `wanted`, a list of positions in `cids`, where there is one.
    pub(crate) fn find(
        &self,
        cids: &[Cid],
        wanted: impl Iterator<Item = usize>,
        mut found: impl FnMut(usize, Row),
    ) -> Result<()> {
        let mut places: Vec<_> = wanted.map(|at| (near(cids[at].hash()), at)).collect();
        places.sort_unstable();
        // A statement that has not ended keeps SQLite's locks, which are then taken once, for all
        // keys. A transaction does the same, and costs more than several look-ups.
        let mut hold = self.ok(self.conn.prepare_cached(HOLD))?;
        let mut held = self.ok(hold.query([]))?;
        if places.len() > 1 {
            self.ok(held.next())?;
        }
        let mut find = self.ok(self.conn.prepare_cached(FIND))?;
        let mut key = Vec::new();
        for (_, at) in places {
            write_key(cids[at].hash(), &mut key);
            if let Some(row) = self.ok(find.query_row([&key], Row::read).optional())? {
                found(at, row);
            }
        }
        Ok(())
    }

    /// Up to `n` rows whose binary multihashes come after `after`, sorted by them.
    pub(crate) fn page(&self, after: &[u8], n: usize) -> Result<Vec<(Vec<u8>, Row)>> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let mut page = self.ok(self.conn.prepare_cached(PAGE))?;
        let rows = page.query_map(params![after, n], |row| Ok((row.get(4)?, Row::read(row)?)));
        self.ok(rows.and_then(Iterator::collect))
    }

    /// Adds rows, and says how far their segments are in the index; a block that another process
    /// added meanwhile keeps the row it has.
    pub(crate) fn commit(
        &self,
        rows: &[(Vec<u8>, Row)],
        marks: &[(u32, Mark)],
        durability: Durability,
    ) -> Result<()> {
        self.write(durability, |tx| {
            for (segment, mark) in marks {
                self.ok(mark.write(tx, *segment))?;
            }
            self.ok(insert(tx, rows))
        })
    }
}

/// What to sort by, so that keys that share a page of the index follow each other.
fn near(hash: &Multihash<64>) -> u64 {
    hash.digest().first_chunk().map_or(0, |front| u64::from_be_bytes(*front))
}

/// Writes a binary multihash over what `key` held.
fn write_key(hash: &Multihash<64>, key: &mut Vec<u8>) {
    key.clear();
    match (u8::try_from(hash.code()), hash.size()) {
        (Ok(code @ 0..0x80), size @ 0..0x80) => {
            key.extend([code, size]);
            key.extend_from_slice(hash.digest());
        }
        _ => key.extend(hash.to_bytes()),
    }
}

fn insert(tx: &Transaction<'_>, rows: &[(Vec<u8>, Row)]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(INSERT)?;
    let mut added = BTreeMap::<u32, (i64, i64)>::new();
    for (key, row) in rows {
        let codec = row.codec.map(u64::cast_signed);
        let (offset, len) = (row.offset.cast_signed(), row.len.cast_signed());
        if insert.execute(params![key, codec, row.segment, offset, len])? == 1 {
            let (blocks, bytes) = added.entry(row.segment).or_default();
            (*blocks, *bytes) = (*blocks + 1, *bytes + len);
        }
    }
    for (segment, (blocks, bytes)) in added {
        count(tx, segment, blocks, bytes)?;
    }
    Ok(())
}

/// Adds to what a segment holds.
pub(super) fn count(
    tx: &Transaction<'_>,
    segment: u32,
    blocks: i64,
    bytes: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(COUNT)?.execute(params![segment, blocks, bytes]).map(drop)
}

/// Puts the rows of one segment in, as they are: one that pointed elsewhere into the same segment
/// is put right, one that points into another stays.
pub(super) fn adopt(tx: &Transaction<'_>, rows: &[(Vec<u8>, Row)]) -> rusqlite::Result<()> {
    for (key, row) in rows {
        let old = tx.prepare_cached(FIND)?.query_row([key], Row::read).optional()?;
        if old.is_some_and(|old| old.segment == row.segment && old != *row) {
            remove(tx, key, row.segment)?;
        }
    }
    insert(tx, rows)
}

/// Drops the row of a block if it points into `segment`.
pub(super) fn remove(tx: &Transaction<'_>, key: &[u8], segment: u32) -> rusqlite::Result<usize> {
    const REMOVE: &str = "DELETE FROM blocks WHERE key = ?1 AND segment = ?2 RETURNING len";
    let len: Option<i64> =
        tx.prepare_cached(REMOVE)?.query_row(params![key, segment], |row| row.get(0)).optional()?;
    match len {
        Some(len) => count(tx, segment, -1, -len).map(|()| 1),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_binary_multihashes() {
        let mut key = vec![1, 2, 3];
        for code in [0, 0x12, 0x7f, 0x80, 0xb220, u64::MAX] {
            for size in [0, 1, 8, 32, 64] {
                let hash = Multihash::<64>::wrap(code, &[7; 64][..size]).unwrap();
                write_key(&hash, &mut key);
                assert_eq!(key, hash.to_bytes(), "{code:x}, {size} bytes");
            }
        }
    }
}
