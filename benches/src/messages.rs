//! Messages to hash: equal ones, and sizes as real CARs mix them.

use carpool_core::{Bytes, sha2_256_each};
use sha2::{Digest, Sha256};
use sim::dag::mix;

/// Bytes of all messages of a set together.
const TOTAL: usize = 16 << 20;

/// Messages, and how many are at hand at once.
#[derive(Clone, Debug)]
pub struct Messages {
    /// What they are like.
    pub name: &'static str,
    /// All of them, slices of one buffer.
    pub all: Vec<Bytes>,
    /// So many are hashed together.
    pub batch: usize,
}

impl Messages {
    /// Messages of `size` bytes each, a megabyte of them at once but no fewer than 8.
    #[must_use]
    pub fn equal(name: &'static str, size: usize) -> Self {
        let all = cut(|_| size);
        Self { name, all, batch: ((1 << 20) / size).max(8) }
    }

    /// Messages of 100 B to `most` bytes, any size as likely as another.
    #[must_use]
    pub fn mixed(name: &'static str, most: usize, batch: usize) -> Self {
        let span = most as u64 - 99;
        let any = |n| 100 + usize::try_from(mix(n) % span).expect("below `most`");
        Self { name, all: cut(any), batch }
    }

    /// Bytes of all messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.all.iter().map(|message| message.len() as u64).sum()
    }

    /// Hashes one after another; a byte that depends on all.
    #[must_use]
    pub fn hash_one_by_one(&self) -> u8 {
        self.all.iter().map(Sha256::digest).fold(0, |all, digest| all ^ digest[0])
    }

    /// Hashes batch by batch; the same byte.
    #[must_use]
    pub fn hash_in_batches(&self) -> u8 {
        let batch = |messages: &[Bytes]| {
            sha2_256_each(messages).iter().fold(0, |all, digest| all ^ digest[0])
        };
        self.all.chunks(self.batch).map(batch).fold(0, |all, byte| all ^ byte)
    }
}

fn cut(size: impl Fn(u64) -> usize) -> Vec<Bytes> {
    let words = (0..TOTAL as u64 / 8).flat_map(|n| mix(n).to_le_bytes());
    let mut left = Bytes::from_iter(words);
    let mut next = move |n| {
        let size = size(n);
        (size <= left.len()).then(|| left.split_to(size))
    };
    (0..).map_while(&mut next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_make_the_same_digests() {
        let mixed = Messages::mixed("mixed", 256 << 10, 32);
        assert_eq!(mixed.hash_one_by_one(), mixed.hash_in_batches());
        assert!(mixed.all.iter().all(|message| (100..=256 << 10).contains(&message.len())));
        assert_eq!(Messages::equal("1 KiB", 1 << 10).bytes(), TOTAL as u64);
    }
}
