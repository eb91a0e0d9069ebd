use hashbrown::{HashTable, hash_table::Entry};

/// One of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Old = 1,
    New = 2,
}

/// Which sides are known to link to a CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sides(u64);

impl Sides {
    pub(super) const NEITHER: Self = Self(0);

    pub(super) const fn has(self, side: Side) -> bool {
        self.0 & side as u64 != 0
    }

    pub(super) const fn with(self, side: Side) -> Self {
        Self(self.0 | side as u64)
    }

    /// Whether it is to be sent, as far as is known.
    pub(super) const fn is_missing(self) -> bool {
        self.0 == Side::New as u64
    }
}

const SIDES: u64 = 3;

/// The hashes of leaves, each with its sides: 8 bytes in place of a CID's 40. Two CIDs of one hash
/// are taken for one; with a secret seed nobody can look for them, and what they cost is a block
/// that is asked for by name later.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// A hash without its lowest bits, which say its sides.
    table: HashTable<u64>,
    missing: usize,
    old: usize,
}

impl Leaves {
    /// Adds a link of a side; returns which sides had it before.
    pub(super) fn link(&mut self, hash: u64, side: Side) -> Sides {
        let hash = hash & !SIDES;
        let same = |held: &u64| held & !SIDES == hash;
        let before = match self.table.entry(hash, same, |held| held & !SIDES) {
            Entry::Occupied(mut entry) => {
                let before = Sides(entry.get() & SIDES);
                *entry.get_mut() = hash | before.with(side).0;
                before
            }
            Entry::Vacant(entry) => {
                entry.insert(hash | side as u64);
                Sides::NEITHER
            }
        };
        let after = before.with(side);
        self.missing -= usize::from(before.is_missing());
        self.missing += usize::from(after.is_missing());
        self.old += usize::from(after.has(Side::Old)) - usize::from(before.has(Side::Old));
        before
    }

    pub(super) fn sides(&self, hash: u64) -> Sides {
        let hash = hash & !SIDES;
        let held = self.table.find(hash, |held| held & !SIDES == hash);
        held.map_or(Sides::NEITHER, |held| Sides(held & SIDES))
    }

    /// Of the new side alone.
    pub(super) const fn missing(&self) -> usize {
        self.missing
    }

    /// Of the old side.
    pub(super) const fn old(&self) -> usize {
        self.old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_keeps_its_sides() {
        let mut set = Leaves::default();
        for (hash, side, before, missing, old) in [
            (8, Side::New, Sides::NEITHER, 1, 0),
            (8, Side::New, Sides::NEITHER.with(Side::New), 1, 0),
            (8, Side::Old, Sides::NEITHER.with(Side::New), 0, 1),
            (12, Side::Old, Sides::NEITHER, 0, 2),
            (12, Side::New, Sides::NEITHER.with(Side::Old), 0, 2),
        ] {
            assert_eq!(set.link(hash, side), before);
            assert_eq!((set.missing(), set.old()), (missing, old));
        }
        assert_eq!(set.sides(16), Sides::NEITHER);
        assert!(set.sides(8).has(Side::Old) && !set.sides(8).is_missing());
    }
}
