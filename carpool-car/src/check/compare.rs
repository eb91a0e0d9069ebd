use alloc::vec::Vec;
use core::hash::BuildHasher;
use foldhash::fast::FixedState;

use super::{Examples, Key, ledger::Pile, present::Present};
use crate::{Error, ReadAt, index::IndexFault};

/// What an index says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexSays {
    /// That it has every section: the first bit of the characteristics of a CARv2. Otherwise
    /// identity CIDs need no entry, and one entry is enough for a block that is there twice.
    pub fully: bool,
    /// Which hash function each entry is of.
    pub codes: bool,
}

/// What a CAR's blocks, links, roots and index came to beside each other. Places are offsets of
/// sections, in bytes from the start of the CARv1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differences {
    /// Blocks that were there before: where they are.
    pub duplicates: Examples<u64>,
    /// Links to blocks that are not there, by the first block that has each.
    pub links: Examples<LinkKey>,
    /// Roots that are not there.
    pub roots: Vec<Key>,
    /// Entries of an index that name another place than the block's: number, the place it names,
    /// the block's.
    pub misplaced: Examples<(u64, u64, u64)>,
    /// Entries of an index that have no block: number, and the place it names.
    pub extra: Examples<(u64, u64)>,
    /// Blocks that the index does not have: where they are.
    pub unindexed: Examples<u64>,
}

/// A link that leads nowhere, in the order of the places of the blocks that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkKey {
    /// Where the section of the block that has it begins.
    pub from: u64,
    /// What it names.
    pub key: Key,
}

impl Differences {
    /// None yet, of which at most `max` examples of each are kept.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            duplicates: Examples::new(max),
            links: Examples::new(max),
            roots: Vec::new(),
            misplaced: Examples::new(max),
            extra: Examples::new(max),
            unindexed: Examples::new(max),
        }
    }

    /// Takes those of another part in.
    pub fn join(&mut self, other: Self) {
        self.duplicates.join(other.duplicates);
        self.links.join(other.links);
        self.roots.extend(other.roots);
        self.misplaced.join(other.misplaced);
        self.extra.join(other.extra);
        self.unindexed.join(other.unindexed);
    }
}

/// Keys that are compared with each other, and with no others.
#[derive(Debug)]
pub struct Part {
    pub(super) blocks: Pile,
    pub(super) links: Pile,
    pub(super) entries: Pile,
    seed: u64,
    index: Option<IndexSays>,
    max: usize,
}

impl Part {
    pub(super) fn new(seed: u64) -> Self {
        let [blocks, links, entries] = core::array::from_fn(|_| Pile::default());
        Self { blocks, links, entries, seed, index: None, max: usize::MAX }
    }

    /// Says that there is an index, and how many examples of each difference are kept.
    pub(super) const fn compare_with(&mut self, index: Option<IndexSays>, max: usize) {
        (self.index, self.max) = (index, max);
    }

    pub(super) const fn piles(&mut self) -> [&mut Pile; 3] {
        [&mut self.blocks, &mut self.links, &mut self.entries]
    }

    /// What is to be read back of the scratch space before it is compared; `None` where nothing
    /// is. Answer with [`handle_spilled`](Self::handle_spilled), and ask again.
    #[must_use]
    pub fn poll_read(&mut self) -> Option<ReadAt> {
        let pile = self.piles().into_iter().find(|pile| !pile.spilled.is_empty())?;
        let (offset, len) = pile.spilled[0];
        Some(ReadAt { offset, len })
    }

    /// Takes what was asked for.
    ///
    /// # Errors
    /// [`IndexFault::Spill`] where that has another length, or nothing was asked for.
    pub fn handle_spilled(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let actual = bytes.len() as u64;
        let fault = |offset, expected| Error::Index {
            offset,
            fault: IndexFault::Spill { expected, actual },
        };
        let asked = self.piles().into_iter().find(|pile| !pile.spilled.is_empty());
        let pile = asked.ok_or_else(|| fault(0, 0))?;
        let (offset, len) = pile.spilled[0];
        if bytes.len() != len {
            return Err(fault(offset, len as u64));
        }
        pile.spilled.remove(0);
        let (keys, _) = bytes.as_chunks::<{ Key::BYTES }>();
        pile.back.extend(keys.iter().map(Key::read));
        Ok(())
    }

    /// Compares, with the index where there is one. What was not read back is taken for not there.
    #[must_use]
    pub fn compare(self) -> Differences {
        let mut found = Differences::new(self.max);
        let blocks = self.blocks.gathered();
        let present = Present::new(&blocks, |key| found.duplicates.add(key.offset()));
        absent(&present, self.links.gathered(), &mut found);
        if let Some(says) = self.index {
            let index = Index { says, sums: Sums::new(self.seed) };
            index.compare(blocks, self.entries.gathered(), &mut found);
        }
        found
    }
}

/// Notes what is linked to and not present, the first link of each, and the roots.
fn absent(present: &Present<'_>, mut absent: Vec<Key>, found: &mut Differences) {
    absent.retain(|link| !present.has(link));
    absent.sort_unstable();
    absent.dedup_by(|next, key| next.is_cid_of(key) && next.is_root() == key.is_root());
    for key in absent {
        if key.is_root() {
            found.roots.push(key);
        } else {
            found.links.add(LinkKey { from: key.offset(), key });
        }
    }
}

/// An index, to be held against the blocks.
#[derive(Clone, Copy, Debug)]
struct Index {
    says: IndexSays,
    sums: Sums,
}

impl Index {
    fn compare(self, mut blocks: Vec<Key>, mut entries: Vec<Key>, found: &mut Differences) {
        let needed = blocks.iter().filter(|block| !self.is_needless(block));
        let needed = needed.map(|block| (self.multihash(block), block.offset()));
        let named = entries.iter().map(|entry| (self.multihash(entry), entry.at));
        // Most often they are the same. Where they are not, it is seen where once both are sorted.
        if self.sums.of(needed) == self.sums.of(named) {
            return;
        }
        let order = |key: &Key| (key.digest, self.tag(key), key.offset());
        blocks.sort_unstable_by_key(order);
        entries.sort_unstable_by_key(|key| (key.digest, self.tag(key), key.at));
        let (mut blocks, mut entries) = (&blocks[..], &entries[..]);
        let group = |key: &Key| (key.digest, self.tag(key));
        while let Some(next) = blocks.first().into_iter().chain(entries.first()).map(group).min() {
            let same = |keys: &[Key]| keys.iter().take_while(|key| group(key) == next).count();
            let (here, after) = blocks.split_at(same(blocks));
            let (named, rest) = entries.split_at(same(entries));
            self.places(here, named, found);
            (blocks, entries) = (after, rest);
        }
    }

    const fn is_needless(&self, block: &Key) -> bool {
        block.is_needless() && !self.says.fully
    }

    const fn tag(&self, key: &Key) -> u64 {
        if self.says.codes { key.tag() } else { 0 }
    }

    const fn multihash(&self, key: &Key) -> u64 {
        key.digest.wrapping_add(self.tag(key) << 8)
    }

    /// The blocks of one multihash against the entries of it, both in the order of their places.
    fn places(&self, blocks: &[Key], entries: &[Key], found: &mut Differences) {
        let there = |entry: &Key| blocks.binary_search_by_key(&entry.at, Key::offset).is_ok();
        let named =
            |block: &Key| entries.binary_search_by_key(&block.offset(), |entry| entry.at).is_ok();
        let right = entries.iter().any(there);
        let mut unnamed = blocks.iter().filter(|block| !named(block));
        for entry in entries.iter().filter(|entry| !there(entry)) {
            match unnamed.next() {
                Some(block) => {
                    found.misplaced.add((entry.number(), entry.at, block.offset()));
                }
                None => found.extra.add((entry.number(), entry.at)),
            }
        }
        // One entry is enough to find a block that is there more than once.
        let missing = unnamed.filter(|block| !self.is_needless(block));
        let missing = missing.filter(|_| !right || self.says.fully);
        missing.for_each(|block| found.unindexed.add(block.offset()));
    }
}

/// Sums of places by which two piles are told to be the same, whatever their order. Strangers do
/// not know the seeds.
#[derive(Clone, Copy, Debug)]
struct Sums([u64; 4]);

impl Sums {
    fn new(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self(core::array::from_fn(|n| state.hash_one(n)))
    }

    fn of(self, keys: impl Iterator<Item = (u64, u64)>) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        keys.fold([0, 0], |[first, second], (digest, at)| {
            let more = [fold(digest ^ a, at ^ b), fold(digest ^ c, at ^ d)];
            [first.wrapping_add(more[0]), second.wrapping_add(more[1])]
        })
    }
}

/// Both halves of a product: each bit of it depends on all of both numbers.
#[expect(clippy::cast_possible_truncation, reason = "the halves")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, Ledger};
    use super::*;
    use alloc::vec;
    use carpool_core::{Cid, Multihash, codec};

    /// A CID of number `n`, of a hash function.
    fn cid(code: u64, n: u64) -> Cid {
        let digest = carpool_core::sha2_256(&n.to_le_bytes());
        Cid::new_v1(codec::RAW, Multihash::wrap(code, &digest).expect("short"))
    }

    fn entry(keys: &Keys, number: u64, n: u64, at: u64) -> Key {
        keys.entry(Some(0x12), cid(0x12, n).hash().digest(), number, at)
    }

    /// Compares with a driver that has scratch space; whether anything was spilled.
    fn compare(mut ledger: Ledger, scratch: &[u8], says: IndexSays, max: usize) -> Differences {
        let mut scratch = scratch.to_vec();
        spill(&mut ledger, &mut scratch);
        let mut all = Differences::new(max);
        for mut part in ledger.into_parts() {
            while let Some(ReadAt { offset, len }) = part.poll_read() {
                let at = usize::try_from(offset).expect("small");
                part.handle_spilled(&scratch[at..at + len]).expect("as asked");
            }
            part.compare_with(Some(says), max);
            all.join(part.compare());
        }
        all
    }

    fn spill(ledger: &mut Ledger, scratch: &mut Vec<u8>) {
        while let Some(spill) = ledger.poll_spill() {
            assert_eq!(spill.offset, scratch.len() as u64);
            scratch.extend(spill.bytes);
        }
    }

    #[test]
    fn every_difference_is_found_whatever_the_budget() {
        let keys = Keys::new(1);
        for budget in [0, 4096, usize::MAX] {
            let (mut ledger, mut scratch) = (Ledger::new(2, budget), Vec::new());
            for n in 0..1000 {
                ledger.handle_blocks(&[keys.block(&cid(0x12, n), n)]);
                ledger.handle_links(&[keys.link(&cid(0x12, n + 1), n)]);
                let at = if n == 7 { 1 << 62 | 7 } else { n };
                if n != 5 {
                    ledger.handle_entry(entry(&keys, n, n, at));
                }
                spill(&mut ledger, &mut scratch);
            }
            assert_eq!(scratch.is_empty(), budget == usize::MAX);
            ledger.handle_blocks(&[keys.block(&cid(0x12, 3), 2000)]);
            ledger.handle_links(&[keys.root(&cid(0x12, 1000)), keys.root(&cid(0x12, 3))]);
            ledger.handle_entry(entry(&keys, 1000, 5000, 1));
            let says = IndexSays { fully: false, codes: true };
            let found = compare(ledger, &scratch, says, 1000);
            assert_eq!(found.duplicates.into_first(), [2000]);
            let link = LinkKey { from: 999, key: keys.link(&cid(0x12, 1000), 999) };
            assert_eq!(found.links.into_first(), [link]);
            assert_eq!(found.roots, [keys.root(&cid(0x12, 1000))]);
            assert_eq!(found.misplaced.into_first(), [(7, 1 << 62 | 7, 7)]);
            assert_eq!(found.extra.into_first(), [(1000, 1)]);
            assert_eq!(found.unindexed.into_first(), [5]);
        }
    }

    #[test]
    fn wrong_blocks_are_not_present_and_have_their_place_in_the_index() {
        let (keys, mut ledger) = (Keys::new(1), Ledger::new(2, usize::MAX));
        ledger.handle_blocks(&[keys.block(&cid(0x12, 0), 10).wrong()]);
        ledger.handle_links(&[keys.link(&cid(0x12, 0), 0)]);
        ledger.handle_blocks(&[keys.block(&cid(0x12, 0), 20)]);
        ledger.handle_blocks(&[keys.block(&cid(0x12, 1), 30).wrong()]);
        ledger.handle_links(&[keys.link(&cid(0x12, 1), 20)]);
        for (number, n, at) in [(0, 0, 10), (1, 0, 20), (2, 1, 30)] {
            ledger.handle_entry(entry(&keys, number, n, at));
        }
        let found = compare(ledger, &[], IndexSays::default(), 9);
        let (duplicates, links) = (found.duplicates.count, found.links.count);
        assert_eq!((duplicates, links, found.misplaced.count, found.unindexed.count), (0, 1, 0, 0));
    }

    /// Misplaced, extra and not indexed: three sections of one digest and one of another, and an
    /// index of some of it.
    fn index(says: IndexSays, entries: &[(u64, u64)]) -> (u64, u64, u64) {
        let (keys, mut ledger) = (Keys::new(1), Ledger::new(2, usize::MAX));
        let blocks = [(0, 10), (0, 20), (0, 30), (1, 40)];
        ledger.handle_blocks(&blocks.map(|(n, at)| keys.block(&cid(0x12, n), at)));
        let identity = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"x").expect("short"));
        ledger.handle_blocks(&[keys.block(&identity, 50)]);
        for (number, (n, at)) in (0..).zip(entries) {
            ledger.handle_entry(entry(&keys, number, *n, *at));
        }
        let found = compare(ledger, &[], says, 9);
        (found.misplaced.count, found.extra.count, found.unindexed.count)
    }

    #[test]
    fn which_entries_an_index_needs() {
        let all = vec![(1, 40), (0, 30), (0, 10), (0, 20)];
        let with = |n: usize, entry| {
            let mut other = all.clone();
            other[n] = entry;
            other
        };
        let (some, fully) = (IndexSays::default(), IndexSays { fully: true, codes: false });
        for (says, entries, expected) in [
            (some, all.clone(), (0, 0, 0)),
            (some, all[..2].to_vec(), (0, 0, 0)),
            (some, all[..1].to_vec(), (0, 0, 3)),
            (some, all[1..].to_vec(), (0, 0, 1)),
            (some, with(0, (1, 10)), (1, 0, 0)),
            (some, with(2, (0, 1 << 63 | 10)), (1, 0, 0)),
            (some, with(3, (9, 20)), (0, 1, 0)),
            // The identity CID as well.
            (fully, all.clone(), (0, 0, 1)),
            (fully, all[..2].to_vec(), (0, 0, 3)),
        ] {
            assert_eq!(index(says, &entries), expected, "{says:?} {entries:?}");
        }
    }

    #[test]
    fn an_entry_under_another_hash_function_is_of_another_block() {
        let keys = Keys::new(1);
        for (codes, expected) in [(true, (1, 1)), (false, (0, 0))] {
            let mut ledger = Ledger::new(2, usize::MAX);
            ledger.handle_blocks(&[keys.block(&cid(0x12, 1), 10)]);
            ledger.handle_entry(keys.entry(Some(0x1e), cid(0x12, 1).hash().digest(), 0, 10));
            let found = compare(ledger, &[], IndexSays { fully: false, codes }, 9);
            assert_eq!((found.extra.count, found.unindexed.count), expected);
        }
    }

    #[test]
    fn scratch_space_that_answers_wrongly_is_refused() {
        let (keys, mut ledger) = (Keys::new(1), Ledger::new(2, 0));
        ledger.handle_blocks(&[keys.block(&cid(0x12, 1), 10)]);
        assert!(ledger.poll_spill().is_some());
        assert!(ledger.poll_spill().is_none());
        let mut parts = ledger.into_parts();
        let part = parts.iter_mut().find(|part| !part.blocks.spilled.is_empty()).expect("one");
        let asked = ReadAt { offset: 0, len: Key::BYTES };
        assert_eq!(part.poll_read(), Some(asked));
        let fault = |expected, actual| {
            let fault = IndexFault::Spill { expected, actual };
            Err(Error::Index { offset: 0, fault })
        };
        assert_eq!(part.handle_spilled(&[0; 23]), fault(24, 23));
        assert_eq!(part.handle_spilled(&[0; 24]), Ok(()));
        assert_eq!(part.handle_spilled(&[0; 24]), fault(0, 24));
    }
}
