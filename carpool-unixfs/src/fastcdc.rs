use crate::gear::GEAR;

/// Least and most bits of an average size.
pub(crate) const BITS: core::ops::RangeInclusive<u32> = 12..=18;

/// Where a hash ends a chunk of 2 to the power of [`MASK_BITS`] and more bytes on average: bits spread
/// over the 48 bytes that the hash remembers, as FastCDC's authors chose them.
const MASKS: [u64; 9] = [
    0x0000_d900_0353_0000,
    0x0000_d901_0353_0000,
    0x0000_d903_0353_0000,
    0x0000_d903_1353_0000,
    0x0000_d90f_0353_0000,
    0x0000_d903_0353_7000,
    0x0000_d907_0353_7000,
    0x0000_d907_0753_7000,
    0x0000_d917_0753_7000,
];

/// The bits of the first mask.
const MASK_BITS: u32 = 11;

/// FastCDC (2020) with normalised sizes of level 1: finds where a chunk ends by a hash of the bytes
/// before, from a quarter of the average size to four times that.
///
/// It cuts where `fastcdc::v2020` of the crate of that name does with the same three sizes, but sees
/// the bytes as they come, each once.
#[derive(Debug)]
pub(crate) struct Cutter {
    average: usize,
    /// Where this hash is zero a chunk ends that is shorter than the average,
    strict: u64,
    /// or longer.
    loose: u64,
    at: usize,
    hash: u64,
    /// The chunk ends before the last byte seen, if another follows: bytes are tested in pairs.
    ends: Option<usize>,
}

impl Cutter {
    /// Of an average size of 2 to the power of `bits`, which are of [`BITS`].
    pub(crate) const fn new(bits: u32) -> Self {
        let place = (bits - MASK_BITS) as usize;
        let (strict, loose) = (MASKS[place + 1], MASKS[place - 1]);
        Self { average: 1 << bits, strict, loose, at: 0, hash: 0, ends: None }
    }

    const fn shortest(&self) -> usize {
        self.average / 4
    }

    const fn longest(&self) -> usize {
        self.average * 4
    }

    /// Bytes of the chunk that were looked at.
    pub(crate) const fn seen(&self) -> usize {
        self.at
    }

    /// Looks at the next bytes up to the chunk's end; its length, once it is known.
    pub(crate) fn look(&mut self, data: &[u8]) -> Option<usize> {
        let skipped = self.shortest().saturating_sub(self.at).min(data.len());
        self.at += skipped;
        for byte in &data[skipped..] {
            if self.ends.is_some() {
                return self.ends;
            }
            if self.at == self.longest() {
                return Some(self.at);
            }
            self.hash = (self.hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            let mask = if self.at < self.average { self.strict } else { self.loose };
            let (at, is_end) = (self.at, self.hash & mask == 0);
            self.at += 1;
            if is_end && at % 2 == 1 {
                return Some(at);
            }
            self.ends = is_end.then_some(at);
        }
        None
    }

    /// The next chunk begins.
    pub(crate) const fn begin(&mut self) {
        (self.at, self.hash, self.ends) = (0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn zeros_are_cut_where_a_chunk_is_longest() {
        let mut cutter = Cutter::new(12);
        assert_eq!(cutter.look(&[0; 16_384]), None);
        assert_eq!(cutter.look(&[0; 1]), Some(16_384));
        cutter.begin();
        assert_eq!(cutter.look(&[0; 1_024]), None);
        assert_eq!(cutter.seen(), 1_024);
    }

    #[test]
    fn masks_have_the_bits_that_their_sizes_ask_for() {
        let bits: Vec<u32> = MASKS.iter().map(|mask| mask.count_ones()).collect();
        assert!(bits.is_sorted() && MASKS.len() == BITS.count() + 2, "{bits:?}");
    }
}
