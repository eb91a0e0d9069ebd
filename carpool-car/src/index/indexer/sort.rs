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

/// Fewer records than this are sorted by comparing them: a cache holds them.
const FEW: usize = 256;

/// Records are parted by so many of their first bytes, then compared.
const PARTED_BY: usize = 3;

pub(crate) fn sort<const N: usize>(records: &mut [[u8; N]]) {
    sort_from(records, 0);
}

/// Sorts records whose first `byte` bytes are the same.
fn sort_from<const N: usize>(records: &mut [[u8; N]], byte: usize) {
    if records.len() < FEW || byte == PARTED_BY {
        return records.sort_unstable_by(|a, b| compare(a, b));
    }
    let mut rest = &mut records[..];
    for count in part(rest, byte) {
        let (same, others) = rest.split_at_mut(count);
        sort_from(same, byte + 1);
        rest = others;
    }
}

/// Puts records in the order of their byte at this place, and counts those of each value.
fn part<const N: usize>(records: &mut [[u8; N]], byte: usize) -> [usize; 256] {
    let mut counts = [0; 256];
    records.iter().for_each(|record| counts[usize::from(record[byte])] += 1);
    let mut next = [0; 256];
    for value in 1..256 {
        next[value] = next[value - 1] + counts[value - 1];
    }
    let starts = next;
    for value in 0..256 {
        while next[value] < starts[value] + counts[value] {
            let at = next[value];
            let home = usize::from(records[at][byte]);
            records.swap(at, next[home]);
            next[home] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Records whose first bytes are one of `values`.
    fn records(count: u64, values: u64) -> Vec<[u8; 40]> {
        let record = |n: u64| {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            let mut record = [0; 40];
            record[..8].copy_from_slice(&(mixed % values).to_be_bytes());
            record[24..32].copy_from_slice(&(mixed % 3).to_be_bytes());
            record[32..].copy_from_slice(&(count - n).to_le_bytes());
            record
        };
        (0..count).map(record).collect()
    }

    #[test]
    fn records_of_any_number_and_likeness_come_in_order() {
        let few = FEW as u64;
        for count in [0, 1, 2, few - 1, few, few + 1, 70_000] {
            for values in [1, 2, 1000, 1 << 40, u64::MAX] {
                let mut sorted = records(count, values);
                let mut expected = sorted.clone();
                expected.sort_by_key(|record| {
                    let (digest, offset) = record.split_at(32);
                    (digest.to_vec(), u64::from_le_bytes(offset.try_into().unwrap()))
                });
                sort(&mut sorted);
                assert!(sorted == expected, "{count} of {values}");
            }
        }
    }
}
