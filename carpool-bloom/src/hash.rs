//! XXH3-64 of one key under many seeds.
//!
//! A filter hashes each key k times and a key is nearly always a CID of 33 to 64 bytes. For those
//! lengths XXH3 is four multiplications of (input xor secret), and only the secret depends on the
//! seed: read the input once, keep the seeded secrets in a table, and a hash costs a fifth to a
//! third less than starting over. Bit-identical to `xxhash-rust`, to which keys of all other lengths go.

use core::ops::Range;

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

/// The words of a key of 33 to 64 bytes, in the order in which they meet the secret.
pub(crate) struct Lanes {
    words: [u64; 8],
    start: u64,
}

impl Lanes {
    /// `None` for a key of another length.
    #[inline(always)]
    pub(crate) fn load(key: &[u8]) -> Option<Self> {
        if !(33..=64).contains(&key.len()) {
            return None;
        }
        let (front, back): (&[u8; 32], &[u8; 32]) = (key.first_chunk()?, key.last_chunk()?);
        let words = [
            word(front, 0),
            word(front, 8),
            word(back, 16),
            word(back, 24),
            word(front, 16),
            word(front, 24),
            word(back, 0),
            word(back, 8),
        ];
        Some(Self { words, start: (key.len() as u64).wrapping_mul(PRIME64_1) })
    }

    /// Writes the hashes under the seeds `first`, `first + 1`, … over all of `hashes`; seeds are
    /// below [`MAX_K`].
    #[inline(always)]
    pub(crate) fn hash_all(&self, first: usize, hashes: &mut [u64]) {
        for (hash, secret) in hashes.iter_mut().zip(&SEEDED[first..]) {
            *hash = self.hash(secret);
        }
    }

    /// Whether all hashes under these seeds are held. Asks for every one, branching once.
    #[inline(always)]
    pub(crate) fn all(&self, seeds: Range<usize>, held: impl Fn(u64) -> bool) -> bool {
        let mut all = true;
        for secret in &SEEDED[seeds] {
            all &= held(self.hash(secret));
        }
        all
    }

    #[inline(always)]
    fn hash(&self, secret: &[u64; 8]) -> u64 {
        let [a, b, c, d, e, f, g, h] = self.words;
        let [s, t, u, v, w, x, y, z] = *secret;
        let sum = self.start.wrapping_add(fold(a ^ s, b ^ t)).wrapping_add(fold(c ^ u, d ^ v));
        let sum = sum.wrapping_add(fold(e ^ w, f ^ x)).wrapping_add(fold(g ^ y, h ^ z));
        let hash = (sum ^ (sum >> 37)).wrapping_mul(PRIME_MX1);
        hash ^ (hash >> 32)
    }
}

/// The eight bytes from `at` on.
#[inline(always)]
const fn word(half: &[u8; 32], at: usize) -> u64 {
    let (_, rest) = half.split_at(at);
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => 0,
    }
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
    use xxhash_rust::xxh3::xxh3_64_with_seed;

    fn agrees(key: &[u8]) {
        let mut hashes = [0; MAX_K as usize];
        Lanes::load(key).unwrap().hash_all(0, &mut hashes);
        for (hash, seed) in hashes.into_iter().zip(0..) {
            assert_eq!(hash, xxh3_64_with_seed(key, seed), "length {}, seed {seed}", key.len());
        }
    }

    #[test]
    fn every_length_under_every_seed() {
        let bytes: Vec<u8> = (0..64).map(|i: u8| i.wrapping_mul(151) ^ 0x5a).collect();
        for length in 33..=bytes.len() {
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
            let Some(lanes) = Lanes::load(&key) else { continue };
            lanes.hash_all(0, &mut hashes);
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
        fn any_key(key in prop::collection::vec(any::<u8>(), 33..=64)) {
            agrees(&key);
        }

        #[test]
        fn any_later_seed(key in any::<[u8; 36]>(), first in 0..MAX_K as usize) {
            let mut hash = [0];
            Lanes::load(&key).unwrap().hash_all(first, &mut hash);
            prop_assert_eq!(hash[0], xxh3_64_with_seed(&key, first as u64));
        }
    }
}
