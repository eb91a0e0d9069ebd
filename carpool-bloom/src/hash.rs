//! XXH3-64 of one key under many seeds.
//!
//! A filter hashes each key k times and a key is nearly always a CID of 33 to 64 bytes. For those
//! lengths XXH3 is four multiplications of (input xor secret), and only the secret depends on the
//! seed: read the input once, keep the seeded secrets in a table, and a hash costs a fifth to a
//! third less than starting over. Bit-identical to `xxhash-rust`, to which every other length goes.

use core::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::MAX_K;

const PRIME64_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_MX1: u64 = 0x1656_6791_9E37_79F9;

/// The first 64 bytes of XXH3's default secret, as little-endian words.
const SECRET: [u64; 8] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb,
    0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8,
    0x4c26_3a81_e690_35e0,
];

static SEEDED: [[u64; 8]; MAX_K as usize] = seeded();

/// XXH3 adds the seed to the even words of the secret and takes it from the odd ones.
const fn seeded() -> [[u64; 8]; MAX_K as usize] {
    let mut table = [SECRET; MAX_K as usize];
    let mut seed = 0;
    while seed < table.len() {
        let mut word = 0;
        while word < SECRET.len() {
            table[seed][word] = SECRET[word].wrapping_add(seed as u64);
            table[seed][word + 1] = SECRET[word + 1].wrapping_sub(seed as u64);
            word += 2;
        }
        seed += 1;
    }
    table
}

/// A key, ready to be hashed under any seed below [`MAX_K`].
pub(crate) enum Key<'a> {
    Lanes(Lanes),
    Plain(&'a [u8]),
}

impl<'a> Key<'a> {
    #[inline(always)]
    pub(crate) fn new(key: &'a [u8]) -> Self {
        Lanes::load(key).map_or(Self::Plain(key), Self::Lanes)
    }

    /// Writes the hashes under the seeds `first`, `first + 1`, … over all of `hashes`.
    #[inline(always)]
    pub(crate) fn hash(&self, first: usize, hashes: &mut [u64]) {
        match self {
            Self::Lanes(lanes) => {
                for (hash, secret) in hashes.iter_mut().zip(&SEEDED[first..]) {
                    *hash = lanes.hash(secret);
                }
            }
            Self::Plain(key) => {
                for (hash, seed) in hashes.iter_mut().zip(first as u64..) {
                    *hash = xxh3_64_with_seed(key, seed);
                }
            }
        }
    }

    /// Whether all hashes under these seeds are held. Asks for every one, branching once.
    #[inline(always)]
    pub(crate) fn all(&self, seeds: Range<usize>, held: impl Fn(u64) -> bool) -> bool {
        match self {
            Self::Lanes(lanes) => {
                SEEDED[seeds].iter().fold(true, |all, secret| all & held(lanes.hash(secret)))
            }
            Self::Plain(key) => {
                seeds.fold(true, |all, seed| all & held(xxh3_64_with_seed(key, seed as u64)))
            }
        }
    }
}

/// The words of a key of 33 to 64 bytes, in the order in which they meet the secret.
pub(crate) struct Lanes {
    words: [u64; 8],
    start: u64,
}

impl Lanes {
    #[inline(always)]
    fn load(key: &[u8]) -> Option<Self> {
        if !(33..=64).contains(&key.len()) {
            return None;
        }
        let [a, b, c, d] = words(key.first_chunk()?);
        let [e, f, g, h] = words(key.last_chunk()?);
        let start = (key.len() as u64).wrapping_mul(PRIME64_1);
        Some(Self { words: [a, b, g, h, c, d, e, f], start })
    }

    #[inline(always)]
    fn hash(&self, secret: &[u64; 8]) -> u64 {
        let mix = |i| fold(self.words[i] ^ secret[i], self.words[i + 1] ^ secret[i + 1]);
        let sum = [0, 2, 4, 6].into_iter().fold(self.start, |sum, i| sum.wrapping_add(mix(i)));
        let hash = (sum ^ (sum >> 37)).wrapping_mul(PRIME_MX1);
        hash ^ (hash >> 32)
    }
}

#[inline(always)]
fn words(half: &[u8; 32]) -> [u64; 4] {
    let (words, _) = half.as_chunks();
    core::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};
    use proptest::prelude::*;

    fn agrees(key: &[u8]) {
        let mut hashes = [0; MAX_K as usize];
        Key::new(key).hash(0, &mut hashes);
        for (hash, seed) in hashes.into_iter().zip(0..) {
            assert_eq!(hash, xxh3_64_with_seed(key, seed), "length {}, seed {seed}", key.len());
        }
    }

    #[test]
    fn every_length_up_to_256_under_every_seed() {
        let bytes: Vec<u8> = (0..=255).map(|i: u8| i.wrapping_mul(151) ^ 0x5a).collect();
        for length in 0..=bytes.len() {
            agrees(&bytes[..length]);
        }
    }

    #[test]
    fn only_the_lengths_it_is_written_for_are_read_as_lanes() {
        for (length, lanes) in [(32, false), (33, true), (64, true), (65, false)] {
            assert_eq!(Lanes::load(&[7; 65][..length]).is_some(), lanes, "{length}");
        }
    }

    #[test]
    fn official_xxhash_over_cids() {
        let cids = include_str!("../tests/vectors/xxh3.json");
        let cids: Vec<serde_json::Value> = serde_json::from_str(cids).unwrap();
        for cid in &cids {
            let digits = cid["bytes"].as_str().unwrap();
            let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
            let key: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
            let mut hashes = [0; 32];
            Key::new(&key).hash(0, &mut hashes);
            for (hash, expected) in
                hashes.iter().zip(cid["xxh3_64_seed_0_to_31"].as_array().unwrap())
            {
                assert_eq!(format!("{hash:016x}"), expected.as_str().unwrap());
            }
        }
        assert_eq!(cids.len(), 24);
    }

    proptest! {
        #[test]
        fn any_key(key in prop::collection::vec(any::<u8>(), 0..=256)) {
            agrees(&key);
        }

        #[test]
        fn any_later_seed(key in any::<[u8; 36]>(), first in 0..MAX_K as usize) {
            let mut hash = [0];
            Key::new(&key).hash(first, &mut hash);
            prop_assert_eq!(hash[0], xxh3_64_with_seed(&key, first as u64));
        }
    }
}
