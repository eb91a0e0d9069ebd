//! Section 3.4.1 read aloud: slow, obvious, and sharing no code with the crate.

use carpool_bloom::Rejection;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) struct Reference {
    bits: Vec<bool>,
    k: u32,
    rule: Rejection,
}

impl Reference {
    pub(crate) fn new(bytes: usize, k: u32, rule: Rejection) -> Self {
        Self { bits: vec![false; bytes * 8], k, rule }
    }

    pub(crate) fn insert(&mut self, key: &[u8]) {
        for index in self.indices(key) {
            self.bits[index] = true;
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.indices(key).into_iter().all(|index| self.bits[index])
    }

    pub(crate) fn ones(&self) -> u64 {
        self.bits.iter().filter(|bit| **bit).count() as u64
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bits.chunks(8).map(|byte| (0..8).map(|i| u8::from(byte[i]) << i).sum()).collect()
    }

    fn indices(&self, key: &[u8]) -> Vec<usize> {
        let mut indices = Vec::new();
        let mut seed = 0;
        while indices.len() < self.k as usize {
            let samples = self.samples(xxh3_64_with_seed(key, seed));
            indices.extend(samples.into_iter().find(|sample| *sample < self.bits.len()));
            seed += 1;
        }
        indices
    }

    /// All that one hash offers, as digits of a binary number written lowest first.
    fn samples(&self, hash: u64) -> Vec<usize> {
        let digits: Vec<usize> = (0..64).map(|i| (hash >> i & 1) as usize).collect();
        let d = self.bits.len().next_power_of_two().ilog2() as usize;
        let number = |digits: &[usize]| digits.iter().rev().fold(0, |n, digit| n * 2 + digit);
        match self.rule {
            Rejection::Spec => digits.chunks_exact(d).map(number).collect(),
            Rejection::Rust => vec![number(&digits[..d])],
            Rejection::Go => {
                let starts = (0..64).step_by(d - 1);
                starts.map(|start| number(&digits[start..(start + d).min(64)])).collect()
            }
        }
    }
}
