use alloc::vec::Vec;
use cid::Cid;
use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table::Entry};

use crate::{
    cid_bytes::{self, MAX_CID, cid_prefix},
    set::Probe,
};

/// CIDs in the order in which they came, each once: 36 bytes each in place of `Cid`'s 96, and a
/// table to find them by.
#[derive(Clone)]
pub struct CidList {
    /// Binary CIDs, one behind another.
    bytes: Vec<u8>,
    /// Where each of them begins.
    places: HashTable<usize>,
    state: FixedState,
}

impl CidList {
    /// An empty list; see [`CidMap`](crate::CidMap) for what `seed` is.
    #[must_use]
    pub const fn with_seed(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self { bytes: Vec::new(), places: HashTable::new(), state }
    }

    /// Makes room for `cids` CIDs of SHA2-256.
    pub fn reserve(&mut self, cids: usize) {
        let Self { bytes, places, state } = self;
        bytes.reserve_exact(cids.saturating_mul(36));
        places.reserve(cids, |place| hash_at(bytes, *place, state));
    }

    /// Adds `cid` at the end; `false` when it was there already.
    pub fn push(&mut self, cid: &Cid) -> bool {
        let Self { bytes, places, state } = self;
        let (probe, end) = (Probe::of(cid), bytes.len());
        let same = |place: &usize| probe.is_bytes(cid_at(bytes, *place));
        let again = |place: &usize| hash_at(bytes, *place, state);
        let Entry::Vacant(vacant) = places.entry(probe.hash(state), same, again) else {
            return false;
        };
        vacant.insert(end);
        let mut out = [0; MAX_CID];
        let n = cid_bytes::write(cid, &mut out);
        bytes.extend_from_slice(&out[..n]);
        true
    }

    /// Whether `cid` is in the list.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        let probe = Probe::of(cid);
        let same = |place: &usize| probe.is_bytes(cid_at(&self.bytes, *place));
        !self.is_empty() && self.places.find(probe.hash(&self.state), same).is_some()
    }

    /// The CID at `place` and the place of the next; `None` at the end. The first is at 0.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<(Cid, usize)> {
        let rest = self.bytes.get(place..).filter(|rest| !rest.is_empty())?;
        let (cid, n) = cid_prefix(rest).ok()?;
        Some((cid, place + n))
    }

    /// The CIDs in their order.
    pub fn iter(&self) -> impl Iterator<Item = Cid> {
        let mut place = 0;
        core::iter::from_fn(move || {
            let (cid, next) = self.at(place)?;
            place = next;
            Some(cid)
        })
    }

    /// How many CIDs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The bytes of the CID at `place`.
fn cid_at(bytes: &[u8], place: usize) -> &[u8] {
    let rest = &bytes[place..];
    let n = match rest {
        [1, 0..0x80, 0..0x80, 32, ..] => 36,
        _ => cid_prefix(rest).map_or(rest.len(), |(_, n)| n),
    };
    &rest[..n]
}

fn hash_at(bytes: &[u8], place: usize, state: &FixedState) -> u64 {
    Probe::of_bytes(cid_at(bytes, place)).hash(state)
}

impl core::fmt::Debug for CidList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CidList").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Multihash, codec};

    fn cids() -> Vec<Cid> {
        let raw = |n: u8| *Block::new(codec::RAW, alloc::vec![n].into()).cid();
        let long = Multihash::wrap(0x13, &[9; 64]).unwrap();
        let short = Multihash::wrap(0x80, &[9; 3]).unwrap();
        let odd = [
            *Block::new_v0("a".into()).cid(),
            Cid::new_v1(codec::RAW, long),
            Cid::new_v1(0x1_0000, short),
        ];
        (0..200).map(raw).chain(odd).collect()
    }

    #[test]
    fn gives_back_each_once_in_order() {
        let cids = cids();
        for reserved in [0, 10, 1000] {
            let mut list = CidList::with_seed(1);
            list.reserve(reserved);
            assert!(list.is_empty() && !list.contains(&cids[0]));
            assert!(cids.iter().all(|cid| list.push(cid)));
            assert!(cids.iter().all(|cid| !list.push(cid) && list.contains(cid)));
            assert_eq!(list.iter().collect::<Vec<Cid>>(), cids);
            assert_eq!(list.len(), cids.len());
            assert!(!list.contains(Block::new(codec::RAW, "no".into()).cid()));
        }
    }
}
