use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How to go on when a filter's size is not a power of two and an index came out too large
/// (specification section 3.4.1.2).
///
/// For power-of-two sizes, the only ones carpool and the published peers write, all three rules
/// give the same indices. The rules differ in which samples they take from one hash before the
/// next seed is tried; with `d` the number of bits of the largest index:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The specification's text: shift the hash right by `d` bits and take the lowest `d` again,
    /// for as long as `d` bits are left. The default, because the text is all that a stranger
    /// with an odd size can have followed.
    ///
    /// The text does not say how far to shift. By `d`, as only fresh digits make a fresh sample;
    /// and a remainder of fewer than `d` digits is not "the required number of bits".
    #[default]
    Spec,
    /// `car-mirror` 0.1.0 (`deterministic-bloom` 0.1.0): no second sample, next seed at once.
    Rust,
    /// `go-car-mirror` (`go-bloom` f6093fc): shift by `d - 1` bits for as long as fewer than 64
    /// were shifted, so that the last samples run out of digits.
    Go,
}

/// The endless sequence of a key's indices in a filter of `m` bits (specification section
/// 3.4.1); take k of them.
///
/// Filters take a shorter way to the same indices for keys of 33 to 64 bytes where the size is a
/// power of two. It is here for the rest, to look inside, and for sizes that are not a whole number
/// of bytes, which no [`Filter`](crate::Filter) has.
///
/// ```
/// # use carpool_bloom::{Indices, Rejection};
/// let indices: Vec<u64> = Indices::new(b"key", 128, Rejection::Spec).take(3).collect();
/// assert_eq!(indices, [99, 114, 81]);
/// ```
#[derive(Clone, Debug)]
pub struct Indices<'a> {
    key: &'a [u8],
    bits: u64,
    rule: Rejection,
    seed: u64,
}

impl<'a> Indices<'a> {
    /// The indices of `key` in a filter of `bits` bits. Of no bits there are no indices.
    #[must_use]
    pub const fn new(key: &'a [u8], bits: u64, rule: Rejection) -> Self {
        Self { key, bits, rule, seed: 0 }
    }
}

impl Iterator for Indices<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let largest = self.bits.checked_sub(1)?;
        loop {
            let hash = xxh3_64_with_seed(self.key, self.seed);
            self.seed += 1;
            if let Some(index) = self.rule.sample(hash, largest) {
                return Some(index);
            }
        }
    }
}

impl Rejection {
    /// The first sample of `hash` that is an index, under this rule.
    fn sample(self, hash: u64, largest: u64) -> Option<u64> {
        let zeros = largest.leading_zeros();
        let mask = u64::MAX.checked_shr(zeros).unwrap_or(0);
        let (step, end) = self.shifts(u64::BITS - zeros);
        (0..end).step_by(step).map(|shift| (hash >> shift) & mask).find(|index| *index <= largest)
    }

    /// How far each sample shifts, and the shift that is never reached, for indices of `d` bits.
    fn shifts(self, d: u32) -> (usize, u32) {
        let step = |bits: u32| bits.max(1) as usize;
        match self {
            Self::Spec => (step(d), u64::BITS + 1 - d),
            Self::Rust => (step(d), 1),
            Self::Go => (step(d.saturating_sub(1)), u64::BITS),
        }
    }
}

/// Byte and bit of an index: bits are counted from the least significant, as both peers do.
#[inline(always)]
pub(crate) const fn bucket(index: u64) -> (usize, u8) {
    ((index >> 3) as usize, 1 << (index & 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, m = 1000 and so d = 10: samples are the hash's base-1024 digits, lowest first.
    #[test]
    fn samples_by_hand() {
        const D: u64 = 10;
        let table = [
            // Lowest digit in range: no rule differs.
            (999, [Some(999), Some(999), Some(999)]),
            // 1000 is out. Spec: next digit, 5. Go: 9 bits on, (5 << 1 | 1).
            (5 << D | 1000, [Some(5), None, Some(11)]),
            // 1023 and 1000 are out. Spec: third digit, 7. Go: 9 bits on are 977.
            (7 << (2 * D) | 1000 << D | 1023, [Some(7), None, Some(977)]),
            // Six digits out, four bits left: too few for Spec. Go goes on to shift 63, one bit left.
            (u64::MAX, [None, None, Some(1)]),
            // Five digits out, the sixth 0 at shift 50. Go gets to shift 45, with five ones left.
            ((1 << 50) - 1, [Some(0), None, Some(31)]),
        ];
        for (hash, [spec, rust, go]) in table {
            assert_eq!(Rejection::Spec.sample(hash, 999), spec, "spec {hash:x}");
            assert_eq!(Rejection::Rust.sample(hash, 999), rust, "rust {hash:x}");
            assert_eq!(Rejection::Go.sample(hash, 999), go, "go {hash:x}");
        }
    }

    #[test]
    fn power_of_two_sizes_mask_under_every_rule() {
        for rule in [Rejection::Spec, Rejection::Rust, Rejection::Go] {
            for d in 0..=64 {
                let mask = u64::MAX.checked_shr(64 - d).unwrap_or(0);
                assert_eq!(
                    rule.sample(0x0123_4567_89ab_cdef, mask),
                    Some(0x0123_4567_89ab_cdef & mask)
                );
            }
        }
    }

    #[test]
    fn no_bits_have_no_indices() {
        assert_eq!(Indices::new(b"key", 0, Rejection::Spec).next(), None);
        assert_eq!(Indices::new(b"key", 1, Rejection::Spec).next(), Some(0));
    }

    #[test]
    fn buckets_count_from_the_least_significant_bit() {
        for (index, bucket_of) in [(0, (0, 0x01)), (7, (0, 0x80)), (8, (1, 0x01)), (95, (11, 0x80))]
        {
            assert_eq!(bucket(index), bucket_of);
        }
    }
}
