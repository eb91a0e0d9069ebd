use hashbrown::HashTable;

/// A set of the hashes of CIDs: 16 bytes in place of a CID's 40. Two CIDs of one hash are taken for
/// one; with a secret seed nobody can look for them, and what they cost is a block that is asked
/// for by name later. Hashes come from [`CidSet::hash`](crate::CidSet::hash).
#[derive(Clone, Debug, Default)]
pub struct Fingerprints(HashTable<u64>);

impl Fingerprints {
    /// Adds a hash; `false` when it was there already.
    pub fn insert(&mut self, hash: u64) -> bool {
        let absent = !self.contains(hash);
        if absent {
            self.0.insert_unique(hash, hash, |hash| *hash);
        }
        absent
    }

    /// Whether a hash was added.
    #[must_use]
    pub fn contains(&self, hash: u64) -> bool {
        self.0.find(hash, |held| *held == hash).is_some()
    }

    /// How many hashes were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no hash was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_once() {
        let mut set = Fingerprints::default();
        assert!(set.is_empty() && set.bytes() == 0);
        assert!(set.insert(1) && set.insert(2) && !set.insert(1));
        assert!(set.contains(1) && set.contains(2) && !set.contains(3));
        assert_eq!(set.len(), 2);
    }

    /// Just behind a doubling it takes the most.
    #[test]
    fn a_hash_takes_at_most_twenty_one_bytes() {
        let mut set = Fingerprints::default();
        for n in 1..=100_000_u64 {
            set.insert(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let most = 21 * set.len() + 100;
            assert!((9 * set.len()..=most).contains(&set.bytes()), "{n}: {}", set.bytes());
        }
    }
}
