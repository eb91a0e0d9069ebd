//! All blocks, links and index entries of a CAR beside each other: which are missing, double or
//! in another place. Within a memory budget; beyond it in temporary files.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use super::{
    check::{IDENTITY_BIT, Key},
    present::Present,
};
use crate::remote::random_seed;

/// Parts that are compared one by one: what is equal has the same digest, so it is in one part.
const PARTS: usize = 64;

/// Examples of each kind that are kept; all are counted.
pub(crate) const EXAMPLES: usize = 1000;

const KEY_BYTES: usize = 24;

/// Keys of a chunk.
const CHUNK: usize = 512;

/// What was seen up to now.
#[derive(Debug)]
pub(crate) struct Ledger {
    parts: Vec<Part>,
    held: usize,
    budget: usize,
    sums: Sums,
}

/// Sums of places by which two piles are told to be the same, whatever their order. Strangers do
/// not know the seeds.
#[derive(Clone, Copy, Debug)]
struct Sums([u64; 4]);

#[derive(Debug, Default)]
struct Part {
    blocks: Pile,
    links: Pile,
    entries: Pile,
}

/// Keys of one kind: some in memory, the rest in a file.
#[derive(Debug, Default)]
struct Pile {
    /// In chunks, because an array that grows is copied again and again.
    chunks: Vec<Vec<Key>>,
    spilled: Option<File>,
}

/// What the comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    /// Blocks that were there before, at these places.
    pub(crate) duplicates: Examples<u64>,
    /// Links to blocks that are not there.
    pub(crate) absent: Examples<Key>,
    /// Entries of an index that name another place: the entry, and where the block is.
    pub(crate) misplaced: Examples<(Key, u64)>,
    /// Entries of an index for which there is no block.
    pub(crate) extra: Examples<Key>,
    /// Blocks that the index does not have.
    pub(crate) unindexed: Examples<Key>,
}

/// The first of something, and how many there are.
#[derive(Debug)]
pub(crate) struct Examples<T> {
    pub(crate) count: u64,
    pub(crate) first: Vec<T>,
}

impl<T> Default for Examples<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Examples<T> {
    fn add(&mut self, example: T) {
        self.count += 1;
        if self.first.len() < EXAMPLES {
            self.first.push(example);
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first.extend(other.first);
    }
}

impl Ledger {
    /// An empty one that keeps to `budget` bytes of memory.
    pub(crate) fn new(budget: usize) -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self { parts, held: 0, budget, sums: Sums::random() }
    }

    /// Notes blocks and the links that they have.
    pub(crate) fn note(&mut self, blocks: &[Key], links: &[Key]) -> io::Result<()> {
        for key in blocks {
            self.parts[part(key)].blocks.push(*key);
        }
        for key in links {
            self.parts[part(key)].links.push(*key);
        }
        self.grown(blocks.len() + links.len())
    }

    /// Notes an entry of an index.
    pub(crate) fn note_entry(&mut self, key: Key) -> io::Result<()> {
        self.parts[part(&key)].entries.push(key);
        self.grown(1)
    }

    fn grown(&mut self, keys: usize) -> io::Result<()> {
        self.held += keys * size_of::<Key>();
        // Half, because what is compared is brought together once more.
        if self.held > self.budget / 2 {
            for part in &mut self.parts {
                part.piles().into_iter().try_for_each(Pile::spill)?;
            }
            self.held = 0;
        }
        Ok(())
    }

    /// Compares, on so many threads. `indexed`: there is an index to be held against the blocks.
    pub(crate) fn balance(self, threads: usize, indexed: bool) -> io::Result<Balance> {
        let next = AtomicUsize::new(0);
        let parts: Vec<Mutex<Part>> = self.parts.into_iter().map(Mutex::new).collect();
        let take = || -> io::Result<Balance> {
            let mut all = Balance::default();
            while let Some(part) = parts.get(next.fetch_add(1, Relaxed)) {
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                all.join(std::mem::take(&mut *part).balance(indexed, self.sums)?);
            }
            Ok(all)
        };
        let mut all = Balance::default();
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
            all.join(take()?);
            for other in others {
                all.join(other.join().expect("comparing does not panic")?);
            }
            Ok(all)
        })
    }
}

const fn part(key: &Key) -> usize {
    (key.digest >> 58) as usize
}

impl Pile {
    fn push(&mut self, key: Key) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(key),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(key);
                self.chunks.push(chunk);
            }
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.chunks.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(self.chunks.len() * CHUNK * KEY_BYTES);
        for key in self.chunks.drain(..).flatten() {
            for number in [key.digest, key.cid, key.at] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        if self.spilled.is_none() {
            self.spilled = Some(tempfile::tempfile()?);
        }
        self.spilled.as_mut().map_or(Ok(()), |file| file.write_all(&bytes))
    }

    /// All keys, in the order in which they came.
    fn gathered(self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::with_capacity(self.chunks.len() * CHUNK);
        if let Some(mut file) = self.spilled {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut bytes)?;
            let (chunks, _) = bytes.as_chunks::<KEY_BYTES>();
            keys.extend(chunks.iter().map(|chunk| {
                let (numbers, _) = chunk.as_chunks::<8>();
                let number = |n: usize| u64::from_le_bytes(numbers[n]);
                Key { digest: number(0), cid: number(1), at: number(2) }
            }));
        }
        self.chunks.into_iter().for_each(|chunk| keys.extend(chunk));
        Ok(keys)
    }
}

impl Sums {
    fn random() -> Self {
        Self(std::array::from_fn(|_| random_seed()))
    }

    fn of<'a>(self, keys: impl Iterator<Item = &'a Key>) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        keys.fold([0, 0], |[first, second], key| {
            let (digest, at) = (key.digest, key.at);
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

impl Part {
    fn piles(&mut self) -> [&mut Pile; 3] {
        [&mut self.blocks, &mut self.links, &mut self.entries]
    }

    fn balance(self, indexed: bool, sums: Sums) -> io::Result<Balance> {
        let mut balance = Balance::default();
        let mut blocks = self.blocks.gathered()?;
        let duplicate = |key: &Key| balance.duplicates.add(key.at & !IDENTITY_BIT);
        let present = Present::new(&blocks, duplicate);
        absent(&present, self.links.gathered()?, &mut balance);
        if indexed {
            let mut entries = self.entries.gathered()?;
            let needed = blocks.iter().filter(|block| block.at & IDENTITY_BIT == 0);
            // Most often they are the same. Where they are not, it is seen where once both are sorted.
            if sums.of(needed) != sums.of(entries.iter()) {
                blocks.sort_unstable();
                entries.sort_unstable();
                compare_index(&blocks, &entries, &mut balance);
            }
        }
        Ok(balance)
    }
}

/// Notes what is linked to and not present, the first link of each.
fn absent(present: &Present<'_>, links: Vec<Key>, balance: &mut Balance) {
    let mut absent = links;
    absent.retain(|link| !present.has(link));
    absent.sort_unstable();
    absent.dedup_by_key(|link| (link.digest, link.cid));
    absent.into_iter().for_each(|link| balance.absent.add(link));
}

/// Both are sorted by digest first.
fn compare_index(blocks: &[Key], entries: &[Key], balance: &mut Balance) {
    let mut blocks = blocks.chunk_by(|a, b| a.digest == b.digest).peekable();
    for same in entries.chunk_by(|a, b| a.digest == b.digest) {
        let digest = same[0].digest;
        while let Some(passed) = blocks.next_if(|block| block[0].digest < digest) {
            unindexed(passed, balance);
        }
        match blocks.next_if(|block| block[0].digest == digest) {
            Some([block]) if same.len() == 1 && block.at & !IDENTITY_BIT == same[0].at => {}
            Some(there) => places(there, same, balance),
            None => same.iter().for_each(|entry| balance.extra.add(*entry)),
        }
    }
    blocks.for_each(|passed| unindexed(passed, balance));
}

fn places(blocks: &[Key], entries: &[Key], balance: &mut Balance) {
    // Sorted, for a hostile file may have one digest a million times.
    let mut there: Vec<u64> = blocks.iter().map(|block| block.at & !IDENTITY_BIT).collect();
    there.sort_unstable();
    for entry in entries.iter().filter(|entry| there.binary_search(&entry.at).is_err()) {
        balance.misplaced.add((*entry, there[0]));
    }
}

fn unindexed(blocks: &[Key], balance: &mut Balance) {
    if let Some(block) = blocks.iter().find(|block| block.at & IDENTITY_BIT == 0) {
        balance.unindexed.add(*block);
    }
}

impl Balance {
    fn join(&mut self, other: Self) {
        self.duplicates.join(other.duplicates);
        self.absent.join(other.absent);
        self.misplaced.join(other.misplaced);
        self.extra.join(other.extra);
        self.unindexed.join(other.unindexed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64, at: u64) -> Key {
        Key { digest: n.wrapping_mul(0x9e37_79b9_7f4a_7c15), cid: n, at }
    }

    fn balance(budget: usize) -> Balance {
        let mut ledger = Ledger::new(budget);
        for n in 0..1000 {
            ledger.note(&[key(n, n)], &[key(n + 1, n)]).unwrap();
            let at = if n == 7 { 8 } else { n };
            if n != 5 {
                ledger.note_entry(key(n, at)).unwrap();
            }
        }
        ledger.note(&[key(3, 2000), key(4, 2001 | IDENTITY_BIT)], &[]).unwrap();
        ledger.note_entry(key(5000, 1)).unwrap();
        ledger.balance(2, true).unwrap()
    }

    #[test]
    fn every_difference_is_found_whatever_the_budget() {
        for budget in [0, 4096, usize::MAX] {
            let found = balance(budget);
            let mut duplicates = found.duplicates.first;
            duplicates.sort_unstable();
            assert_eq!(duplicates, [2000, 2001]);
            assert_eq!(found.absent.first, [key(1000, 999)]);
            assert_eq!(found.misplaced.first, [(key(7, 8), 7)]);
            assert_eq!(found.extra.first, [key(5000, 1)]);
            assert_eq!(found.unindexed.first, [key(5, 5)]);
        }
    }

    #[test]
    fn entries_in_another_order_are_the_same_and_with_places_changed_are_not() {
        let balance = |entries: &[Key]| {
            let mut ledger = Ledger::new(usize::MAX);
            ledger.note(&[key(0, 10), key(0, 20), key(0, 30)], &[]).unwrap();
            ledger.note(&[Key { digest: 1, cid: 1, at: 40 }], &[]).unwrap();
            entries.iter().for_each(|entry| ledger.note_entry(*entry).unwrap());
            let found = ledger.balance(1, true).unwrap();
            (found.misplaced.count, found.extra.count, found.unindexed.count)
        };
        let other = |at| Key { digest: 1, cid: 0, at };
        assert_eq!(balance(&[other(40), key(0, 30), key(0, 10), key(0, 20)]), (0, 0, 0));
        assert_eq!(balance(&[other(40), key(0, 30)]), (0, 0, 0));
        assert_eq!(balance(&[other(10), key(0, 30), key(0, 40), key(0, 20)]), (2, 0, 0));
        assert_eq!(balance(&[other(40)]), (0, 0, 1));
        assert_eq!(balance(&[other(40), key(0, 10), key(9, 20)]), (0, 1, 0));
    }
}
