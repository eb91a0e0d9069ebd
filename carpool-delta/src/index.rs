use alloc::{vec, vec::Vec};
use carpool_core::Bytes;

use crate::Spot;

/// Bytes that are hashed together; nothing shorter is found.
pub(crate) const GRAIN: usize = 16;

/// Low bits of a slot hold a grain's number plus one, the high byte a tag of its hash.
const TAG_SHIFT: u32 = 24;
/// The most grains of one index, which leaves 2 MiB for its table: that much stays near the processor.
const MAX_GRAINS: usize = 1 << 19;

/// Where the bytes of old blocks lie, by one grain of 16 bytes in so many.
///
/// The blocks are those of a file, or any others, in the order in which copies name them. The table
/// has at most 2 MiB: of more than 8 MiB of blocks only every second grain is in it, and so on.
#[derive(Clone, Debug)]
pub struct Index {
    bases: Vec<Bytes>,
    /// The number of the first grain of each base.
    firsts: Vec<u32>,
    table: Vec<u32>,
    /// A hash shifted so far right is a slot.
    shift: u32,
    step: usize,
}

impl Index {
    /// Indexes `bases`, with one grain in 16 bytes where they have at most 8 MiB.
    #[must_use]
    pub fn new(bases: Vec<Bytes>) -> Self {
        Self::sampled(bases, MAX_GRAINS)
    }

    /// As [`new`](Self::new), with at most `max_grains` grains, and a table of four times to eight
    /// times as many bytes.
    #[must_use]
    pub fn sampled(bases: Vec<Bytes>, max_grains: usize) -> Self {
        let max_grains = max_grains.clamp(1, MAX_GRAINS);
        let count = |step: usize| bases.iter().map(|base| grains(base.len(), step)).sum::<usize>();
        let (mut step, longest) = (GRAIN, bases.iter().map(Bytes::len).max().unwrap_or(0));
        while count(step) > max_grains && step < longest {
            step *= 2;
        }
        let bits = count(step).min(max_grains).next_power_of_two().trailing_zeros().max(4);
        let mut index =
            Self { bases, firsts: Vec::new(), table: vec![0; 1 << bits], shift: 32 - bits, step };
        index.fill(max_grains);
        index
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are at most 2^19 grains")]
    fn fill(&mut self, max_grains: usize) {
        let Self { bases, firsts, table, shift, step } = self;
        let mut next = 0;
        for base in bases {
            firsts.push(next as u32);
            // More bases than grains: the last of them are not found.
            let count = grains(base.len(), *step).min(max_grains - next);
            for at in (0..count).map(|n| n * *step) {
                next += 1;
                let hash = hash(&base[at..]);
                table[slot(hash, *shift)] = tag(hash) | next as u32;
            }
        }
    }

    /// The blocks.
    #[must_use]
    pub fn bases(&self) -> &[Bytes] {
        &self.bases
    }

    /// Bytes of the table.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.table.len() * 4
    }

    /// Where the first [`GRAIN`] bytes of `new` may lie: it is as good as sure, and has to be looked at.
    #[inline]
    pub(crate) fn find(&self, new: &[u8]) -> Option<Spot> {
        let hash = hash(new);
        let found = self.table[slot(hash, self.shift)];
        // The tag first: whether a slot is empty, no processor foresees.
        if (found ^ tag(hash)) >> TAG_SHIFT != 0 || found == 0 {
            return None;
        }
        Some(self.spot(found & ((1 << TAG_SHIFT) - 1)))
    }

    /// The place of a grain, by its number plus one.
    fn spot(&self, grain: u32) -> Spot {
        let base = self.firsts.partition_point(|first| *first < grain) - 1;
        Spot { base, at: (grain - 1 - self.firsts[base]) as usize * self.step }
    }

    /// The bytes of a base from a spot on; none where there is no such base.
    #[inline]
    pub(crate) fn from(&self, spot: Spot) -> &[u8] {
        self.bases.get(spot.base).and_then(|base| base.get(spot.at..)).unwrap_or(&[])
    }
}

/// How many grains of a base are taken.
const fn grains(len: usize, step: usize) -> usize {
    if len < GRAIN { 0 } else { (len - GRAIN) / step + 1 }
}

/// Of the first 16 bytes.
#[inline]
fn hash(bytes: &[u8]) -> u32 {
    let (words, _) = bytes[..GRAIN].as_chunks();
    let (low, high) = (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
    let mixed = low
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(high.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    u32::try_from(mixed >> 32).expect("half of 64 bits")
}

#[inline]
const fn slot(hash: u32, shift: u32) -> usize {
    (hash >> shift) as usize
}

/// The bits that say least about the slot.
#[inline]
const fn tag(hash: u32) -> u32 {
    hash << TAG_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn noise(len: usize, mut seed: u64) -> Bytes {
        let next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        };
        core::iter::repeat_with(next).take(len).collect::<Vec<u8>>().into()
    }

    #[test]
    fn grains_are_found_where_they_lie() {
        let bases = [noise(100, 1), noise(15, 2), Bytes::new(), noise(16, 3), noise(4_000, 4)];
        let index = Index::new(bases.to_vec());
        let mut found = 0;
        for (base, bytes) in bases.iter().enumerate() {
            for at in (0..(bytes.len() + 1).saturating_sub(GRAIN)).step_by(GRAIN) {
                // Another grain may have the slot.
                if let Some(spot) = index.find(&bytes[at..]) {
                    assert_eq!(spot, Spot { base, at });
                    found += 1;
                }
            }
        }
        assert!(found > 150, "{found} of 257");
    }

    #[test]
    fn an_index_keeps_to_its_grains() {
        let bases = alloc::vec![noise(1 << 16, 5), noise(100, 6)];
        for (max, step) in [(1 << 12, 32), (1 << 13, 16), (4_096 + 6, 16), (4_096 + 5, 32)] {
            let index = Index::sampled(bases.clone(), max);
            assert_eq!(index.step, step, "{max}");
            assert!(index.table_bytes() <= 8 * max.next_power_of_two());
        }
        assert_eq!(Index::new(Vec::new()).table_bytes(), 64);
        let many = Index::sampled(alloc::vec![noise(16, 7); 40], 3);
        assert_eq!((many.table_bytes(), many.firsts.last()), (64, Some(&3)));
    }
}
