//! Which CIDs are among many, by their keys.

use alloc::{vec, vec::Vec};

use super::Key;

/// No key.
const FREE: usize = usize::MAX;

/// A table of keys: of each CID the first.
#[derive(Debug)]
pub(super) struct Present<'a> {
    keys: &'a [Key],
    /// Positions in `keys`; half of them are free at least.
    slots: Vec<usize>,
}

impl<'a> Present<'a> {
    /// A table of `keys`, without those of wrong blocks; of one that was there before `double` is
    /// told.
    pub(super) fn new(keys: &'a [Key], mut double: impl FnMut(&Key)) -> Self {
        let slots = vec![FREE; (2 * keys.len()).next_power_of_two()];
        let mut table = Self { keys, slots };
        for (at, key) in keys.iter().enumerate().filter(|(_, key)| !key.is_wrong()) {
            let slot = table.slot(key);
            if table.slots[slot] == FREE {
                table.slots[slot] = at;
            } else {
                double(key);
            }
        }
        table
    }

    /// Whether there is a key of the same CID.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.slots[self.slot(key)] != FREE
    }

    /// Where the key of the same CID is, or would be.
    #[expect(clippy::cast_possible_truncation, reason = "as many bits as the table has")]
    fn slot(&self, key: &Key) -> usize {
        let last = self.slots.len() - 1;
        // Not of the digest alone: a hostile file may have one with a million codecs. Nor of the
        // last bits, which are those of the hash function.
        let mut slot = key.digest.wrapping_add(key.cid.rotate_left(32)) as usize & last;
        while let Some(held) = self.keys.get(self.slots[slot]) {
            if held.is_cid_of(key) {
                break;
            }
            slot = (slot + 1) & last;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(digest: u64, cid: u64, at: u64) -> Key {
        Key { digest, cid, at }
    }

    #[test]
    fn finds_what_is_there_and_tells_of_what_comes_again() {
        let mut keys: Vec<Key> = (0..100).map(|n| key(n / 2, n % 2, n)).collect();
        keys.extend([key(7, 1, 100), key(7, 1, 101), key(50, 1, 102)]);
        let mut double = Vec::new();
        let present = Present::new(&keys, |key| double.push(key.at));
        for n in 0..100 {
            assert!(present.has(&key(n / 2, n % 2, 1000)), "{n}");
        }
        assert!(present.has(&key(50, 1, 0)));
        for absent in [key(50, 0, 0), key(51, 0, 0), key(7, 2, 0)] {
            assert!(!present.has(&absent), "{absent:?}");
        }
        assert_eq!(double, [100, 101]);
    }

    #[test]
    fn of_nothing_has_nothing() {
        assert!(!Present::new(&[], |_| panic!("nothing is double")).has(&key(0, 0, 0)));
    }
}
