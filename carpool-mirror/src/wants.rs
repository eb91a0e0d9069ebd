use alloc::{collections::BTreeMap, vec::Vec};
use carpool_core::{Cid, CidMap, CidSet, cid_exact, may_link};

use crate::Trail;

/// How often a CID is asked for by name before the source counts as not having it.
const ATTEMPTS: u8 = 2;

#[derive(Clone, Copy, Debug)]
struct Want {
    /// Order of discovery, which is the order of asking.
    seq: u64,
    depth: u32,
    misses: u8,
    /// The last round in whose bitmap it is; 0 for none.
    told: u32,
    /// Which of the parents links to it, from 1; 0 where that is not known.
    parent: u32,
}

/// What the sink lacks: CIDs that a held block links to, or the root itself.
#[derive(Debug)]
pub(crate) struct Wants {
    map: CidMap<Want>,
    next_seq: u64,
    /// Held blocks that link to what is wanted, or once did: binary CIDs of 36 bytes.
    parents: Vec<[u8; CID_BYTES]>,
}

/// Bytes of a CID of SHA2-256 and a codec below 128. Of another parent nothing is known.
const CID_BYTES: usize = 36;

/// Links that are wanted of one block, from which on it is shorter to name that and one bit each.
const FAMILY: u32 = 2;
/// Bytes that naming their parents has to save.
const WORTH: i64 = 64;

impl Wants {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self { map: CidMap::with_seed(seed), next_seq: 0, parents: Vec::new() }
    }

    /// `parent` links to it, and is held. What one links to comes one after the other.
    pub(crate) fn insert(&mut self, cid: &Cid, depth: u32, parent: Option<&Cid>) {
        if self.map.is_empty() {
            self.parents.clear();
        }
        let parent = parent.map_or(0, |parent| self.note_parent(parent));
        self.map.insert(cid, Want { seq: self.next_seq, depth, misses: 0, told: 0, parent });
        self.next_seq += 1;
    }

    fn note_parent(&mut self, parent: &Cid) -> u32 {
        let Ok(bytes) = <[u8; CID_BYTES]>::try_from(&parent.to_bytes()[..]) else { return 0 };
        if self.parents.last() != Some(&bytes) {
            self.parents.push(bytes);
        }
        u32::try_from(self.parents.len()).unwrap_or(0)
    }

    /// The blocks that are to be named in place of what they link to, up to `most` and in the order in
    /// which they were met; none where that would save little beside a bitmap over `trail`.
    pub(crate) fn families(&self, trail: Option<&Trail>, most: usize) -> Vec<Cid> {
        let mut children: BTreeMap<u32, u32> = BTreeMap::new();
        self.map.for_each(|_, want| {
            if want.parent > 0 && want.misses < ATTEMPTS {
                *children.entry(want.parent).or_default() += 1;
            }
        });
        children.retain(|_, children| *children >= FAMILY);
        let cid = |number: u32| cid_exact(&self.parents[number as usize - 1]).expect("a CID");
        let mut came = CidSet::with_seed(0);
        trail.into_iter().flat_map(Trail::iter).for_each(|(cid, _)| {
            came.insert(&cid);
        });
        let saved = children.iter().map(|(number, children)| {
            let others = if came.contains(&cid(*number)) { 0 } else { i64::from(*children) };
            (others - 1) * CID_BYTES as i64
        });
        let worth = saved.sum::<i64>() >= WORTH;
        children.into_keys().take(if worth { most } else { 0 }).map(cid).collect()
    }

    /// Strikes out a CID whose block has come; returns its depth, or `None` if nobody wanted it.
    pub(crate) fn take(&mut self, cid: &Cid) -> Option<u32> {
        self.map.remove(cid).map(|want| want.depth)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn contains(&self, cid: &Cid) -> bool {
        self.map.contains(cid)
    }

    pub(crate) fn contains_bytes(&self, cid: &[u8]) -> bool {
        self.map.contains_bytes(cid)
    }

    /// Counts a miss for each of `asked` that is still wanted after its round, and says how many.
    pub(crate) fn count_misses(&mut self, asked: &[Cid]) -> usize {
        let mut missed = 0;
        for cid in asked {
            if let Some(want) = self.map.get_mut(cid) {
                want.misses += 1;
                missed += 1;
            }
        }
        missed
    }

    /// Whether a bitmap is to ask for `cid`: it is worth it, and the round's does not yet. Rounds
    /// count from 1.
    pub(crate) fn tell(&mut self, cid: &Cid, round: u32) -> bool {
        let worth = |want: &&mut Want| want.misses < ATTEMPTS && want.told != round;
        let want = self.map.get_mut(cid).filter(worth);
        want.map(|want| want.told = round).is_some()
    }

    /// Takes back what a bitmap of this round would ask for.
    pub(crate) fn untell(&mut self, round: u32) {
        self.map.for_each_mut(|want| {
            if want.told == round {
                want.told = 0;
            }
        });
    }

    /// As [`count_misses`](Self::count_misses), of those that the round's bitmap asked for.
    pub(crate) fn count_told(&mut self, round: u32) -> usize {
        let mut missed = 0;
        self.map.for_each_mut(|want| {
            let asked = want.told == round;
            want.misses += u8::from(asked);
            missed += usize::from(asked);
        });
        missed
    }

    /// Whether any of them can have links.
    pub(crate) fn any_interior(&self) -> bool {
        let mut any = false;
        self.map.for_each(|cid, _| any |= cid_exact(cid).is_ok_and(|cid| may_link(&cid)));
        any
    }

    /// As [`available`](Self::available), without those that the round's bitmap asks for.
    pub(crate) fn untold(&self, n: usize, round: u32) -> Vec<Cid> {
        self.oldest(n, |want| want.misses < ATTEMPTS && want.told != round)
    }

    /// Up to `n` CIDs that are worth asking for, oldest first.
    pub(crate) fn available(&self, n: usize) -> Vec<Cid> {
        self.oldest(n, |want| want.misses < ATTEMPTS)
    }

    /// Up to `n` CIDs that the source does not have, oldest first.
    pub(crate) fn unavailable(&self, n: usize) -> Vec<Cid> {
        self.oldest(n, |want| want.misses >= ATTEMPTS)
    }

    fn oldest(&self, n: usize, pick: impl Fn(&Want) -> bool) -> Vec<Cid> {
        let mut found = Vec::new();
        self.map.for_each(|cid, want| {
            if pick(want) {
                found.push((want.seq, cid_exact(cid).expect("a key is a CID")));
            }
        });
        found.sort_unstable_by_key(|&(seq, _)| seq);
        found.truncate(n);
        found.into_iter().map(|(_, cid)| cid).collect()
    }
}
