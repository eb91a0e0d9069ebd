use core::cmp::Ordering;

use crate::index::layout::OFFSET_BYTES;

/// The first eight bytes of a record or digest, filled up with zeros, as a number that sorts as they
/// do: digests differ in them, unless someone took pains.
#[inline]
pub(crate) fn prefix(record: &[u8]) -> u64 {
    record.first_chunk().map_or_else(|| short_prefix(record), |bytes| u64::from_be_bytes(*bytes))
}

#[cold]
fn short_prefix(digest: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..digest.len()].copy_from_slice(digest);
    u64::from_be_bytes(bytes)
}

/// The order of records of one group: digest, then offset.
#[inline]
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    prefix(a).cmp(&prefix(b)).then_with(|| compare_all(a, b))
}

#[cold]
fn compare_all(a: &[u8], b: &[u8]) -> Ordering {
    let digest = |record: &[u8]| record.len() - OFFSET_BYTES;
    let offset = |record: &[u8]| record.last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    a[..digest(a)].cmp(&b[..digest(b)]).then_with(|| offset(a).cmp(&offset(b)))
}

pub(crate) fn sort<const N: usize>(records: &mut [[u8; N]]) {
    records.sort_unstable_by(|a, b| compare(a, b));
}
