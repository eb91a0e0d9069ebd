//! Bits that say which of the links of blocks that came are wanted, close to their entropy.
//!
//! An adaptive arithmetic coder with two contexts, the bit before: scattered ones cost their
//! entropy, runs cost little more than their ends, and neither side has to be told which it is. The
//! number of bits does not travel: both sides know what was sent.
//!
//! # The code
//!
//! Each context keeps how many zeros (`z`) and ones (`o`) were seen in it, both 0 at first. The
//! chance of a one is `p = ⌊(2o + 1) · 2^22 / (2(z + o) + 2)⌋`, held to `1..2^22`. The coder has a
//! `low` of 0 and a `range` of 2^56 − 1. A one takes the lower `⌊range / 2^22⌋ · p` of the range, a
//! zero the rest. While `range` is below 2^48, the byte from bit 48 of `low` is written and both
//! are shifted left by a byte; a carry out of bit 55 goes into the bytes before. At the end those
//! bytes are written that are the value within the range with the most zeros behind it, big-endian,
//! and zeros at the end are left out. So there is one encoding for each sequence; that of ones alone
//! is empty.

use alloc::vec::Vec;

use crate::Error;

/// The most bits of one bitmap: links of the blocks of one answer.
pub const MAX_BITS: usize = 1 << 24;

const PRECISION: u32 = 22;
const TOP: u32 = 56;
const LEAST: u64 = 1 << 48;

/// Encodes bits.
///
/// # Errors
/// [`Error::TooManyBits`].
pub fn encode(bits: impl IntoIterator<Item = bool>) -> Result<Vec<u8>, Error> {
    let (mut encoder, mut model, mut n) = (Encoder::new(), Model::default(), 0_usize);
    for bit in bits {
        n += 1;
        if n > MAX_BITS {
            return Err(Error::TooManyBits { bits: n, max: MAX_BITS });
        }
        encoder.push(bit, model.chance());
        model.learn(bit);
    }
    Ok(encoder.finish())
}

/// Decodes `len` bits. Work and memory follow `len`, which is the reader's own number, and not what
/// the bytes say.
///
/// # Errors
/// [`Error::TooManyBits`]; [`Error::NoBitmap`] when these bits are not encoded so.
pub fn decode(bytes: &[u8], len: usize) -> Result<Vec<bool>, Error> {
    if len > MAX_BITS {
        return Err(Error::TooManyBits { bits: len, max: MAX_BITS });
    }
    let (mut decoder, mut model) = (Decoder::new(bytes), Model::default());
    let mut bits = Vec::with_capacity(len);
    for _ in 0..len {
        let bit = decoder.pull(model.chance());
        model.learn(bit);
        bits.push(bit);
    }
    let again = encode(bits.iter().copied())?;
    if again == bytes { Ok(bits) } else { Err(Error::NoBitmap { bits: len }) }
}

/// Chances by the bit before.
#[derive(Debug, Default)]
struct Model {
    seen: [[u64; 2]; 2],
    before: bool,
}

impl Model {
    /// Of a one, of 2^22.
    #[inline]
    fn chance(&self) -> u64 {
        let [zeros, ones] = self.seen[usize::from(self.before)];
        let chance = ((2 * ones + 1) << PRECISION) / (2 * (zeros + ones) + 2);
        chance.clamp(1, (1 << PRECISION) - 1)
    }

    #[inline]
    fn learn(&mut self, bit: bool) {
        self.seen[usize::from(self.before)][usize::from(bit)] += 1;
        self.before = bit;
    }
}

struct Encoder {
    low: u64,
    range: u64,
    out: Vec<u8>,
}

impl Encoder {
    const fn new() -> Self {
        Self { low: 0, range: (1 << TOP) - 1, out: Vec::new() }
    }

    #[inline]
    fn push(&mut self, bit: bool, chance: u64) {
        let part = (self.range >> PRECISION) * chance;
        if bit {
            self.range = part;
        } else {
            self.add(part);
            self.range -= part;
        }
        while self.range < LEAST {
            self.shift();
            self.range <<= 8;
        }
    }

    fn add(&mut self, value: u64) {
        self.low += value;
        if self.low >> TOP != 0 {
            self.low &= (1 << TOP) - 1;
            self.carry();
        }
    }

    /// Adds one to the bytes that were written: the code is below one, so it ends among them.
    fn carry(&mut self) {
        for byte in self.out.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return;
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "eight bits")]
    fn shift(&mut self) {
        self.out.push((self.low >> (TOP - 8)) as u8);
        self.low = self.low << 8 & ((1 << TOP) - 1);
    }

    fn finish(mut self) -> Vec<u8> {
        let zeros = (0..=TOP / 8).rev().find_map(|bytes| self.rounded(8 * bytes));
        let value = zeros.expect("the low end itself is within the range");
        self.add(value - self.low);
        for _ in 0..TOP / 8 {
            self.shift();
        }
        let end = self.out.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.out.truncate(end);
        self.out
    }

    /// The least value within the range with this many zero bits behind it.
    fn rounded(&self, bits: u32) -> Option<u64> {
        let value = self.low.next_multiple_of(1 << bits);
        (value < self.low + self.range).then_some(value)
    }
}

struct Decoder<'a> {
    rest: core::slice::Iter<'a, u8>,
    /// The code's bits from the low end of the range on.
    code: u64,
    range: u64,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { rest: bytes.iter(), code: 0, range: (1 << TOP) - 1 };
        (0..TOP / 8).for_each(|_| decoder.shift());
        decoder
    }

    fn shift(&mut self) {
        let next = self.rest.next().copied().unwrap_or(0);
        self.code = self.code << 8 | u64::from(next);
    }

    #[inline]
    fn pull(&mut self, chance: u64) -> bool {
        let part = (self.range >> PRECISION) * chance;
        let bit = self.code < part;
        if bit {
            self.range = part;
        } else {
            self.code -= part;
            self.range -= part;
        }
        // A code beyond its range is one of no bits; it stays there, and is found at the end.
        self.code = self.code.min(self.range);
        while self.range < LEAST {
            self.shift();
            self.range <<= 8;
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn round_trip(bits: &[bool]) -> Vec<u8> {
        let bytes = encode(bits.iter().copied()).expect("few bits");
        assert_eq!(decode(&bytes, bits.len()), Ok(bits.to_vec()));
        bytes
    }

    /// The code by its definition, as one number of any length: the interval of a sequence is
    /// narrowed bit by bit, without bytes that leave it early and without carries.
    fn reference(bits: &[bool]) -> Vec<u8> {
        // `low` in base 256, most significant first; `digits` are where the range begins.
        let (mut low, mut range) = (vec![0_u8; 7], (1_u64 << 56) - 1);
        let mut seen = [(0_u64, 0_u64); 2];
        let mut before = 0;
        for bit in bits {
            let (zeros, ones) = seen[before];
            let chance =
                (((2 * ones + 1) << 22) / (2 * (zeros + ones) + 2)).clamp(1, (1 << 22) - 1);
            let part = (range >> 22) * chance;
            if *bit {
                range = part;
                seen[before].1 += 1;
            } else {
                plus(&mut low, part);
                range -= part;
                seen[before].0 += 1;
            }
            before = usize::from(*bit);
            while range < 1 << 48 {
                low.push(0);
                range <<= 8;
            }
        }
        shortest(&low, range)
    }

    fn plus(number: &mut [u8], value: u64) {
        let mut carry = u128::from(value);
        for digit in number.iter_mut().rev() {
            carry += u128::from(*digit);
            *digit = (carry & 0xff) as u8;
            carry >>= 8;
        }
        assert_eq!(carry, 0);
    }

    /// Of the numbers in `low..low + range` the one that ends with the most zero digits.
    fn shortest(low: &[u8], range: u64) -> Vec<u8> {
        let n = low.len();
        let mut end = [&[0], low].concat();
        plus(&mut end, range);
        for kept in n.saturating_sub(7)..=n {
            let mut value = [&[0], low].concat();
            if value[kept + 1..].iter().any(|digit| *digit != 0) {
                value[kept + 1..].fill(0);
                plus(&mut value[..=kept], 1);
            }
            if value < end {
                value.remove(0);
                let len = value.iter().rposition(|digit| *digit != 0).map_or(0, |at| at + 1);
                value.truncate(len);
                return value;
            }
        }
        unreachable!("the low end itself is one")
    }

    #[test]
    fn few_bits_are_few_bytes() {
        let one_in = |n: usize, places: &[usize]| {
            let mut bits = vec![false; n];
            places.iter().for_each(|place| bits[*place] = true);
            round_trip(&bits).len()
        };
        assert_eq!(round_trip(&[]), []);
        let table = [
            (one_in(1, &[]), 0..=1),
            (one_in(174, &[]), 0..=2),
            (one_in(1_000_000, &[500_000]), 3..=8),
            (one_in(1_000_000, &(500_000..501_000).collect::<Vec<_>>()), 4..=14),
            (one_in(100, &(0..100).collect::<Vec<_>>()), 0..=3),
        ];
        for (n, (bytes, expected)) in table.into_iter().enumerate() {
            assert!(expected.contains(&bytes), "case {n}: {bytes}");
        }
    }

    #[test]
    fn scattered_bits_cost_their_entropy() {
        // log2 C(10^6, d) / 8, as in the literature's bound for d of 10^6 changed leaves.
        for (d, bound) in [(10, 22.2), (1_000, 1_425.0), (10_000, 10_098.0), (100_000, 58_623.0)] {
            let mut bits = vec![false; 1_000_000];
            let mut state = 1_u64;
            for _ in 0..d {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                bits[(state >> 33) as usize % 1_000_000] = true;
            }
            let bytes = round_trip(&bits).len() as f64;
            assert!(bytes <= bound * 1.01 + 6.0, "{d}: {bytes} of {bound}");
        }
    }

    #[test]
    fn the_limit_holds_at_the_limit_and_not_past_it() {
        let bytes = encode(core::iter::repeat_n(false, MAX_BITS)).expect("at the limit");
        assert_eq!(decode(&bytes, MAX_BITS).map(|bits| bits.len()), Ok(MAX_BITS));
        let bits = MAX_BITS + 1;
        let past = Error::TooManyBits { bits, max: MAX_BITS };
        assert_eq!(encode(core::iter::repeat_n(false, bits)), Err(past.clone()));
        assert_eq!(decode(&bytes, bits), Err(past));
    }

    #[test]
    fn another_length_and_other_bytes_are_refused() {
        let bits: Vec<bool> = (0..500).map(|i| i % 7 == 0).collect();
        let bytes = round_trip(&bits);
        assert_eq!(decode(&[&bytes[..], &[0]].concat(), 500), Err(Error::NoBitmap { bits: 500 }));
        assert_eq!(decode(&[&bytes[..], &[1]].concat(), 500), Err(Error::NoBitmap { bits: 500 }));
        assert_eq!(decode(&bytes, 20), Err(Error::NoBitmap { bits: 20 }));
        assert_eq!(decode(&[0xff; 40], 500), Err(Error::NoBitmap { bits: 500 }));
    }

    proptest! {
        #[test]
        fn any_bits_come_back_and_are_those_of_the_reference(
            bits in prop::collection::vec(any::<bool>(), 0..300),
        ) {
            prop_assert_eq!(round_trip(&bits), reference(&bits));
        }

        #[test]
        fn so_do_runs(runs in prop::collection::vec((any::<bool>(), 1..2000_usize), 0..12)) {
            let run = |(bit, n): &(bool, usize)| core::iter::repeat_n(*bit, *n);
            let bits: Vec<bool> = runs.iter().flat_map(run).collect();
            prop_assert_eq!(round_trip(&bits), reference(&bits));
        }

        #[test]
        fn any_bytes_are_refused_or_are_the_encoding(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            len in 0..600_usize,
        ) {
            if let Ok(bits) = decode(&bytes, len) {
                prop_assert_eq!(bits.len(), len);
                prop_assert_eq!(encode(bits), Ok(bytes));
            }
        }
    }
}
