use alloc::vec::Vec;
use carpool_core::Bytes;

use super::sort::sort;
use crate::index::layout::OFFSET_BYTES;

/// A record of the common case: a digest of 32 bytes, and the offset in eight. As in the index.
pub(crate) const NARROW: usize = 32 + OFFSET_BYTES;

/// A record of any other: the digest is filled up with zeros to 64 bytes.
pub(crate) const WIDE: usize = 64 + OFFSET_BYTES;

/// What entries of one group have in common. Groups are in the order of these in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The hash function; 0 in a format that does not tell.
    pub(crate) code: u64,
    /// The bytes of a digest.
    pub(crate) len: usize,
}

/// The records of a group in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) run: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// The entries of one hash function whose digests have one length: as many as memory holds, and
/// where in the runs the others are.
#[derive(Debug)]
pub(crate) struct Group {
    key: Key,
    records: Records,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug)]
enum Records {
    Narrow(Vec<[u8; NARROW]>),
    Wide(Vec<[u8; WIDE]>),
}

impl Group {
    pub(crate) const fn new(key: Key) -> Self {
        let records = match key.len {
            32 => Records::Narrow(Vec::new()),
            _ => Records::Wide(Vec::new()),
        };
        Self { key, records, segments: Vec::new() }
    }

    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// The bytes of a record, in memory and in runs.
    pub(crate) const fn stride(&self) -> usize {
        match self.records {
            Records::Narrow(_) => NARROW,
            Records::Wide(_) => WIDE,
        }
    }

    /// How many entries there are, in memory and in runs.
    pub(crate) fn entries(&self) -> u64 {
        let spilled: u64 = self.segments.iter().map(|segment| segment.len).sum();
        let held = match &self.records {
            Records::Narrow(records) => records.len(),
            Records::Wide(records) => records.len(),
        };
        spilled / self.stride() as u64 + held as u64
    }

    /// Takes an entry whose digest has the length of the group; returns the bytes that it takes up.
    #[inline]
    pub(crate) fn push(&mut self, digest: &[u8], offset: u64) -> usize {
        match &mut self.records {
            Records::Narrow(records) => push(records, digest, offset),
            Records::Wide(records) => push(records, digest, offset),
        }
    }

    /// All records that are held, sorted; none are held from then on.
    pub(crate) fn take_sorted(&mut self) -> Bytes {
        match &mut self.records {
            Records::Narrow(records) => take_sorted(records),
            Records::Wide(records) => take_sorted(records),
        }
    }
}

#[inline]
fn push<const N: usize>(records: &mut Vec<[u8; N]>, digest: &[u8], offset: u64) -> usize {
    let mut record = [0; N];
    record[..digest.len()].copy_from_slice(digest);
    record[N - OFFSET_BYTES..].copy_from_slice(&offset.to_le_bytes());
    records.push(record);
    N
}

fn take_sorted<const N: usize>(records: &mut Vec<[u8; N]>) -> Bytes {
    let mut records = core::mem::take(records);
    sort(&mut records);
    Bytes::from(records.into_flattened())
}
