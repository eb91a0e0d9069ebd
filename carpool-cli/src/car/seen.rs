//! Which blocks were written already.

use carpool_core::varint;
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

/// Blocks by 128 bits of a hash that strangers cannot foresee.
#[derive(Debug)]
pub(crate) struct Seen {
    keyer: Keyer,
    seen: HashSet<u128, BuildHasherDefault<Hashed>>,
}

/// Makes keys of CIDs: the same for what is the same block.
#[derive(Clone, Debug)]
pub(crate) struct Keyer {
    by: Dedup,
    keys: [RandomState; 2],
}

impl Seen {
    pub(crate) fn new(by: Dedup) -> Self {
        let keyer = Keyer { by, keys: [RandomState::new(), RandomState::new()] };
        Self { keyer, seen: HashSet::default() }
    }

    pub(crate) fn keyer(&self) -> Keyer {
        self.keyer.clone()
    }

    /// Whether the block of this key was not there before; from now on it was.
    pub(crate) fn insert(&mut self, key: u128) -> bool {
        if self.keyer.by == Dedup::None {
            true
        } else if self.seen.len() < MAX_REMEMBERED {
            self.seen.insert(key)
        } else {
            !self.seen.contains(&key)
        }
    }

    /// Whether the block of this key was there.
    pub(crate) fn contains(&self, key: u128) -> bool {
        self.seen.contains(&key)
    }
}

impl Keyer {
    /// The key of a binary CID.
    pub(crate) fn key(&self, cid: &[u8]) -> u128 {
        let bytes = match self.by {
            Dedup::None => return 0,
            Dedup::Cid => cid,
            Dedup::Multihash => multihash(cid),
        };
        let [high, low] = [0, 1].map(|n: usize| u128::from(self.keys[n].hash_one(bytes)));
        high << 64 | low
    }
}

/// The multihash of a binary CID: what follows version and codec. A CID of version 0 has neither.
pub(crate) fn multihash(cid: &[u8]) -> &[u8] {
    let skip = |bytes: &[u8]| varint::decode(bytes).ok().flatten().map_or(0, |(_, len)| len);
    match cid {
        [1, rest @ ..] => &rest[skip(rest)..],
        _ => cid,
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
    use carpool_core::{Block, Cid, codec};

    #[test]
    fn the_same_cid_or_the_same_multihash() {
        let v0 = Block::new_v0("a".into());
        let hash = *v0.cid().hash();
        let cids = [*v0.cid(), Cid::new_v1(codec::RAW, hash), Cid::new_v1(0x0129, hash)];
        let inserted = |by| {
            let mut seen = Seen::new(by);
            let keyer = seen.keyer();
            [0, 1, 2, 1].map(|n: usize| seen.insert(keyer.key(&cids[n].to_bytes())))
        };
        assert_eq!(inserted(Dedup::Cid), [true, true, true, false]);
        assert_eq!(inserted(Dedup::Multihash), [true, false, false, false]);
        assert_eq!(inserted(Dedup::None), [true; 4]);
    }
}
