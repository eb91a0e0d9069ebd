//! Reads located blocks from segments, with few large reads in place of many small ones.
use carpool_core::{Bytes, Cid, Unverified, verify};
use std::io;

use super::{files::Files, index::Row};
use crate::{Error, Result, key};

/// Unwanted bytes between two blocks that are read along: about what another system call costs.
const MAX_GAP: u64 = 16 << 10;
/// Bytes of one read of several blocks. Blocks of one read share their memory.
const MAX_READ: u64 = 1 << 20;

/// A block and where it lies.
pub(crate) struct Located {
    /// Its position in the answer.
    pub(crate) at: usize,
    pub(crate) cid: Cid,
    pub(crate) row: Row,
}

/// The blocks that have a row.
pub(crate) fn located(cids: &[Cid], rows: &[Option<Row>]) -> Vec<Located> {
    let with_row =
        |(at, row): (usize, &Option<Row>)| row.map(|row| Located { at, cid: cids[at], row });
    rows.iter().enumerate().filter_map(with_row).collect()
}

/// Reads `wanted` in the order of the disk and hands each block's position and bytes to `found`.
pub(crate) fn fetch(
    files: &Files,
    wanted: &mut [Located],
    mut found: impl FnMut(usize, Bytes),
) -> Result<()> {
    wanted.sort_unstable_by_key(|l| (l.row.segment, l.row.offset));
    let mut rest = &*wanted;
    while !rest.is_empty() {
        let (group, after) = rest.split_at(group_len(rest));
        read_group(files, group, &mut found)?;
        rest = after;
    }
    Ok(())
}

fn end(row: &Row) -> u64 {
    row.offset.saturating_add(row.len)
}

/// How many blocks at the front are read at once.
fn group_len(wanted: &[Located]) -> usize {
    let first = wanted[0].row;
    let mut group_end = end(&first);
    let joins = |located: &&Located| {
        let row = &located.row;
        let near = row.segment == first.segment
            && row.offset <= group_end.saturating_add(MAX_GAP)
            && end(row) - first.offset <= MAX_READ;
        group_end = group_end.max(end(row));
        near
    };
    1 + wanted[1..].iter().take_while(joins).count()
}

fn read_group(
    files: &Files,
    group: &[Located],
    found: &mut impl FnMut(usize, Bytes),
) -> Result<()> {
    let start = group[0].row.offset;
    let len = group.iter().map(|l| end(&l.row) - start).max().unwrap_or(0);
    let read = read(files, group[0].row.segment, start, len);
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(e) if group.len() == 1 => return Err(cannot_read(files, &group[0], e)),
        // One by one, to name the block that cannot be read.
        Err(_) => {
            return group
                .iter()
                .try_for_each(|l| read_group(files, std::slice::from_ref(l), found));
        }
    };
    for located in group {
        let range = position(located.row.offset - start)..position(end(&located.row) - start);
        found(located.at, bytes.slice(range));
    }
    Ok(())
}

fn read(files: &Files, segment: u32, offset: u64, len: u64) -> io::Result<Bytes> {
    let file = files.get(segment)?;
    // A damaged index must not make us allocate more than there is to read.
    if len > MAX_READ && offset.saturating_add(len) > file.len()? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; position(len)];
    file.read_at(&mut bytes, offset)?;
    Ok(bytes.into())
}

/// What lies in a file that was written from memory fits into memory.
fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn cannot_read(files: &Files, located: &Located, source: io::Error) -> Error {
    let gone = [io::ErrorKind::UnexpectedEof, io::ErrorKind::NotFound];
    if gone.contains(&source.kind()) {
        damaged(located)
    } else {
        Error::io(&files.path(located.row.segment), source)
    }
}

pub(crate) fn damaged(located: &Located) -> Error {
    let Located { cid, row, .. } = located;
    Error::Damaged { cid: *cid, segment: row.segment, offset: row.offset }
}

/// Hashes what was read; the positions in `wanted` of the blocks that are not what they were.
pub(crate) fn mismatches(wanted: &[Located], data: impl Fn(usize) -> Bytes) -> Vec<usize> {
    let claim = |l: &Located| Unverified { cid: key::canonical(&l.cid), data: data(l.at) };
    let verdicts = verify(wanted.iter().map(claim).collect());
    (0..wanted.len()).filter(|&i| verdicts[i].is_err()).collect()
}
