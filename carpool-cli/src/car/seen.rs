//! Which blocks were written already.

use carpool_core::Cid;
use clap::ValueEnum;
use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// CIDs that are remembered at most, in about 20 bytes each and, while the table grows, half as
/// much again. What comes later is not recognised when it comes again: it is written twice, which
/// a CAR may hold.
const MAX_REMEMBERED: usize = 7 << 21;

/// What counts as the same block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dedup {
    /// The same CID
    #[default]
    Cid,
    /// The same multihash, whatever codec and version, as in go-car
    Multihash,
    /// Nothing: every section is kept
    None,
}

/// CIDs by 128 bits of a hash that strangers cannot foresee.
#[derive(Debug)]
pub(crate) struct Seen {
    by: Dedup,
    keys: [RandomState; 2],
    seen: HashSet<u128, BuildHasherDefault<Hashed>>,
}

impl Seen {
    pub(crate) fn new(by: Dedup) -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        Self { by, keys, seen: HashSet::default() }
    }

    /// Whether the block was not there before; from now on it was.
    pub(crate) fn insert(&mut self, cid: &Cid) -> bool {
        if self.by == Dedup::None {
            return true;
        }
        let key = self.key(cid);
        if self.seen.len() < MAX_REMEMBERED {
            self.seen.insert(key)
        } else {
            !self.seen.contains(&key)
        }
    }

    /// Whether the block was there.
    pub(crate) fn contains(&self, cid: &Cid) -> bool {
        self.by != Dedup::None && self.seen.contains(&self.key(cid))
    }

    fn key(&self, cid: &Cid) -> u128 {
        let mut bytes = [0; 128];
        let mut rest = &mut bytes[..];
        let wrote = match self.by {
            Dedup::Cid | Dedup::None => cid.write_bytes(&mut rest).ok(),
            Dedup::Multihash => cid.hash().write(&mut rest).ok(),
        };
        let bytes = &bytes[..wrote.expect("no CID is longer than 104 bytes")];
        let [high, low] = [0, 1].map(|n: usize| u128::from(self.keys[n].hash_one(bytes)));
        high << 64 | low
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        let word = bytes.first_chunk().copied().unwrap_or_default();
        self.0 = u64::from_le_bytes(word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, Multihash, codec};

    #[test]
    fn the_same_cid_or_the_same_multihash() {
        let block = Block::new(codec::RAW, "a".into());
        let hash: Multihash<64> = *block.cid().hash();
        let other = Cid::new_v1(codec::DAG_PB, hash);
        let inserted = |by| {
            let mut seen = Seen::new(by);
            [block.cid(), &other, block.cid()].map(|cid| seen.insert(cid))
        };
        assert_eq!(inserted(Dedup::Cid), [true, true, false]);
        assert_eq!(inserted(Dedup::Multihash), [true, false, false]);
        assert_eq!(inserted(Dedup::None), [true, true, true]);
    }

    #[test]
    fn the_longest_cid_fits() {
        let hash = Multihash::wrap(u64::MAX, &[7; 64]).unwrap();
        let cid = Cid::new_v1(u64::MAX, hash);
        let mut seen = Seen::new(Dedup::Cid);
        assert!(seen.insert(&cid) && seen.contains(&cid));
    }
}
