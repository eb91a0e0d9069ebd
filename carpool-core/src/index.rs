use alloc::{boxed::Box, vec::Vec};
use cid::Cid;
use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table::Entry};

use crate::{
    cid_bytes::cid_exact,
    set::{Key, Probe},
};

/// Keys lie in pieces of so many, so that none of them ever moves.
const PIECE: usize = 4096;

/// Numbers for CIDs, from 0 on in the order in which they came; some 52 bytes each, however the table grows.
#[derive(Clone)]
pub struct CidIndex {
    keys: Vec<Box<[Key]>>,
    last: Vec<Key>,
    numbers: HashTable<u32>,
    state: FixedState,
}

impl CidIndex {
    /// An empty index; see [`CidMap`](crate::CidMap) for what `seed` is.
    #[must_use]
    pub const fn with_seed(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self { keys: Vec::new(), last: Vec::new(), numbers: HashTable::new(), state }
    }

    /// The number of `cid`, and whether it was given now.
    ///
    /// # Panics
    /// Beyond 2³² CIDs.
    pub fn number(&mut self, cid: &Cid) -> (u32, bool) {
        let probe = Probe::of(cid);
        let next = u32::try_from(self.len()).expect("memory ends before numbers do");
        let Self { keys, last, numbers, state } = self;
        let same = |number: &u32| probe.is(key_at(keys, last, *number));
        let again =
            |number: &u32| Probe::of_bytes(key_at(keys, last, *number).as_bytes()).hash(state);
        match numbers.entry(probe.hash(state), same, again) {
            Entry::Occupied(there) => (*there.get(), false),
            Entry::Vacant(vacant) => {
                vacant.insert(next);
                self.add(probe.into_key());
                (next, true)
            }
        }
    }

    fn add(&mut self, key: Key) {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(if self.keys.is_empty() { 64 } else { PIECE });
        }
        self.last.push(key);
        if self.last.len() == PIECE {
            self.keys.push(core::mem::take(&mut self.last).into_boxed_slice());
        }
    }

    /// The number of `cid`, if it has one.
    #[must_use]
    pub fn get(&self, cid: &Cid) -> Option<u32> {
        let probe = Probe::of(cid);
        let same = |number: &u32| probe.is(key_at(&self.keys, &self.last, *number));
        self.numbers.find(probe.hash(&self.state), same).copied()
    }

    /// Whether `number` is that of `cid`; nothing is hashed.
    #[must_use]
    pub fn is(&self, number: u32, cid: &Cid) -> bool {
        (number as usize) < self.len() && Probe::of(cid).is(key_at(&self.keys, &self.last, number))
    }

    /// The CID of a number.
    ///
    /// # Panics
    /// Where the number was not given.
    #[must_use]
    pub fn cid(&self, number: u32) -> Cid {
        let key = key_at(&self.keys, &self.last, number);
        cid_exact(key.as_bytes()).expect("it was a CID")
    }

    /// How many CIDs have a number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len() * PIECE + self.last.len()
    }

    /// Whether no CID has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes on the heap, but for CIDs of more than 38 bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let keys = self.keys.len() * PIECE + self.last.capacity();
        keys * size_of::<Key>() + self.numbers.allocation_size()
    }
}

fn key_at<'a>(keys: &'a [Box<[Key]>], last: &'a [Key], number: u32) -> &'a Key {
    let (piece, place) = (number as usize / PIECE, number as usize % PIECE);
    keys.get(piece).map_or_else(|| &last[place], |piece| &piece[place])
}

impl core::fmt::Debug for CidIndex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CidIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Multihash, codec};

    fn raw(n: u32) -> Cid {
        *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid()
    }

    #[test]
    fn each_cid_has_one_number_and_each_number_its_cid() {
        let long = Multihash::wrap(0x13, &[9; 64]).unwrap();
        let odd = [*Block::new_v0("a".into()).cid(), Cid::new_v1(codec::RAW, long)];
        let cids: Vec<Cid> = (0..9_000).map(raw).chain(odd).collect();
        let mut index = CidIndex::with_seed(1);
        assert!(index.is_empty() && index.get(&cids[0]).is_none());
        for again in [true, false] {
            for (number, cid) in (0..).zip(&cids) {
                assert_eq!(index.number(cid), (number, again));
            }
        }
        for (number, cid) in (0..).zip(&cids) {
            assert_eq!((index.get(cid), index.cid(number)), (Some(number), *cid));
            assert!(index.is(number, cid) && !index.is(number + 1, cid));
        }
        assert_eq!((index.len(), index.get(&raw(9_000))), (cids.len(), None));
    }

    #[test]
    fn a_number_takes_at_most_52_bytes() {
        let mut index = CidIndex::with_seed(1);
        for n in 0..100_000 {
            index.number(&raw(n));
            let most = 52 * index.len() + 41 * PIECE;
            assert!(index.bytes() <= most, "{n}: {}", index.bytes());
        }
    }
}
