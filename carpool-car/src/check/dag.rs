use alloc::vec::Vec;
use carpool_core::{Cid, CidMap, CidSet};
use hashbrown::HashTable;

use super::{
    batch::{Link, Outcome, Verdict},
    carries_itself,
    finding::{Finding, NotChecked},
};

/// Sixteen bytes in the place of a CID: a hash of it whose seed whoever wrote the file does not
/// know, and eight bytes of its digest.
#[derive(Debug)]
pub(super) struct Fingerprints {
    hashing: CidSet,
}

impl Fingerprints {
    pub(super) fn new(seed: u64) -> Self {
        Self { hashing: CidSet::with_seed(seed) }
    }

    #[inline]
    pub(super) fn of(&self, cid: &Cid) -> u128 {
        let digest = cid.hash().digest().first_chunk().copied().map_or(0, u64::from_le_bytes);
        u128::from(self.hashing.hash(cid)) | u128::from(digest) << 64
    }
}

/// Which blocks came and which are linked to.
#[derive(Debug)]
pub(super) struct Dag {
    seen: HashTable<u128>,
    /// Linked to and not seen; from where first.
    wanted: CidMap<u64>,
    roots: CidSet,
    max_entries: usize,
    /// Whether there were more than `max_entries`: nothing is kept then.
    over: bool,
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
const fn low(fingerprint: &u128) -> u64 {
    *fingerprint as u64
}

impl Dag {
    pub(super) fn new(seed: u64, max_entries: usize) -> Self {
        Self {
            seen: HashTable::new(),
            wanted: CidMap::with_seed(seed),
            roots: CidSet::with_seed(seed),
            max_entries,
            over: false,
        }
    }

    pub(super) fn expect_roots(&mut self, roots: &[Cid]) {
        for root in roots.iter().filter(|root| !carries_itself(root)) {
            self.roots.insert(root);
        }
    }

    pub(super) fn lacks_root(&self, root: &Cid) -> bool {
        self.roots.contains(root)
    }

    /// Takes a block; `Some(false)` where it was there already. One whose bytes are wrong is none.
    pub(super) fn handle_block(&mut self, outcome: &Outcome) -> Option<bool> {
        let Outcome { cid, fingerprint, .. } = outcome;
        if outcome.verdict == Verdict::No {
            return None;
        }
        if !self.roots.is_empty() {
            self.roots.remove(cid);
        }
        if self.over {
            return None;
        }
        if !self.wanted.is_empty() {
            self.wanted.remove(cid);
        }
        let key = *fingerprint;
        let entry = self.seen.entry(low(&key), |seen| *seen == key, low);
        let fresh = matches!(entry, hashbrown::hash_table::Entry::Vacant(_));
        entry.or_insert(key);
        self.hold_to_limit();
        Some(fresh)
    }

    pub(super) fn handle_link(&mut self, link: &Link, from: u64) {
        let key = link.fingerprint;
        if self.over || self.seen.find(low(&key), |seen| *seen == key).is_some() {
            return;
        }
        self.wanted.insert_absent(&link.cid, || from);
        self.hold_to_limit();
    }

    fn hold_to_limit(&mut self) {
        if self.seen.len() + self.wanted.len() > self.max_entries {
            self.over = true;
            (self.seen, self.wanted) = (HashTable::new(), CidMap::with_seed(0));
        }
    }

    /// The links that lead nowhere, in the order of the blocks that have them.
    pub(super) fn missing(&mut self) -> Result<Vec<Finding>, Finding> {
        if self.over {
            let (what, max) = (NotChecked::Completeness, self.max_entries as u64);
            return Err(Finding::NotChecked { what, max });
        }
        let mut missing = Vec::with_capacity(self.wanted.len());
        self.wanted.for_each(|cid, from| missing.push((*from, Vec::from(cid))));
        missing.sort_unstable();
        let finding = |(from, cid): (u64, Vec<u8>)| {
            let cid = carpool_core::cid_exact(&cid).expect("keys are CIDs");
            Finding::MissingLink { cid, from }
        };
        Ok(missing.into_iter().map(finding).collect())
    }
}
