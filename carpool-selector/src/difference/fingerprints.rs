use hashbrown::HashTable;

/// A set of the hashes of CIDs: 16 bytes in place of a CID's 40. Two CIDs of one hash are taken for
/// one; with a secret seed nobody can look for them, and what they cost is a block that is asked
/// for by name later.
#[derive(Debug, Default)]
pub(super) struct Fingerprints(HashTable<u64>);

impl Fingerprints {
    /// Adds a hash; `false` when it was there already.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let absent = !self.contains(hash);
        if absent {
            self.0.insert_unique(hash, hash, |hash| *hash);
        }
        absent
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.0.find(hash, |held| *held == hash).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
