//! Which blocks were written already.

use carpool_core::varint;
use clap::ValueEnum;
use foldhash::fast::FixedState;
use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
};

use crate::remote::random_seed;

/// Blocks that are remembered at most, in 15 to 30 bytes each. What comes later is not recognised
/// when it comes again: it is written twice, which a CAR may hold.
const MAX_REMEMBERED: usize = 7 << 20;

/// Tables that grow one by one, so that only a small one is there twice while it grows.
const TABLES: usize = 64;

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

/// What a block is known by: 96 bits of a hash with seeds that strangers do not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key([u32; 3]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self([_, high, low]) = self;
        state.write_u64(u64::from(*high) << 32 | u64::from(*low));
    }
}

impl Key {
    /// By bits that the table itself does not go by.
    const fn table(self) -> usize {
        let Self([first, ..]) = self;
        first as usize % TABLES
    }
}

/// The blocks that were written.
#[derive(Debug)]
pub(crate) struct Seen {
    keyer: Keyer,
    tables: Vec<HashSet<Key, BuildHasherDefault<Hashed>>>,
    len: usize,
}

/// Makes keys of CIDs: the same for what is the same block.
#[derive(Clone, Debug)]
pub(crate) struct Keyer {
    by: Dedup,
    seeds: [FixedState; 2],
}

impl Seen {
    pub(crate) fn new(by: Dedup) -> Self {
        let seeds = [random_seed(), random_seed()].map(FixedState::with_seed);
        let keyer = Keyer { by, seeds };
        Self { keyer, tables: vec![HashSet::default(); TABLES], len: 0 }
    }

    pub(crate) fn keyer(&self) -> Keyer {
        self.keyer.clone()
    }

    /// Whether the block of this key was not there before; from now on it was.
    pub(crate) fn insert(&mut self, key: Key) -> bool {
        if self.keyer.by == Dedup::None {
            return true;
        }
        let table = &mut self.tables[key.table()];
        if self.len >= MAX_REMEMBERED {
            return !table.contains(&key);
        }
        let new = table.insert(key);
        self.len += usize::from(new);
        new
    }

    /// Makes room for so many blocks, as far as they can be remembered.
    pub(crate) fn expect(&mut self, blocks: u64) {
        let room = usize::try_from(blocks).unwrap_or(usize::MAX).min(MAX_REMEMBERED);
        if self.keyer.by != Dedup::None && self.len == 0 {
            self.tables.iter_mut().for_each(|table| table.reserve(room / TABLES));
        }
    }

    /// Whether the block of this key was there.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.tables[key.table()].contains(&key)
    }
}

impl Keyer {
    /// The key of a binary CID.
    pub(crate) fn key(&self, cid: &[u8]) -> Key {
        let bytes = match self.by {
            Dedup::None => return Key::default(),
            Dedup::Cid => cid,
            Dedup::Multihash => multihash(cid),
        };
        let [first, second] = &self.seeds;
        let ([_, first], [low, high]) = (halves(hash(first, bytes)), halves(hash(second, bytes)));
        Key([first, high, low])
    }
}

fn hash(seed: &FixedState, bytes: &[u8]) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

const fn halves(hash: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
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
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {}

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
