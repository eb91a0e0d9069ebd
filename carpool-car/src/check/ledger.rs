use alloc::vec::Vec;

use super::{Key, Part};

/// Parts that are compared one by one: what is equal has the same digest, so it is in one part.
const PARTS: usize = 64;

/// Keys of a chunk.
const CHUNK: usize = 512;

/// Bytes for the driver to keep where it has room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillWrite {
    /// Where they begin, in bytes from the start of the scratch space: where the last ones ended.
    pub offset: u64,
    /// What to keep.
    pub bytes: Vec<u8>,
}

/// All blocks, links, roots and entries of an index of a CAR, to be held against each other.
///
/// Keys go in, those of blocks in the order of the file. [`poll_spill`](Self::poll_spill) says what
/// is to be kept elsewhere, beyond a budget of memory; a [`Closing`](super::Closing) compares them.
#[derive(Debug)]
pub struct Ledger {
    parts: Vec<Part>,
    held: usize,
    budget: usize,
    spilled: u64,
    /// The pile that is spilled next, while they are.
    spilling: Option<usize>,
}

/// Keys of one kind: some in memory, the rest in scratch space.
#[derive(Debug, Default)]
pub(super) struct Pile {
    /// In chunks, because an array that grows is copied again and again.
    chunks: Vec<Vec<Key>>,
    /// Where the rest is, and how many bytes.
    pub(super) spilled: Vec<(u64, usize)>,
    /// What was read back.
    pub(super) back: Vec<Key>,
}

impl Ledger {
    /// An empty one that asks for scratch space beyond `budget` bytes of memory. `seed` is for
    /// sums by which an index is told to be right: whoever wrote the file does not know it.
    #[must_use]
    pub fn new(seed: u64, budget: usize) -> Self {
        let parts = (0..PARTS).map(|_| Part::new(seed)).collect();
        Self { parts, held: 0, budget, spilled: 0, spilling: None }
    }

    /// Takes blocks ([`Keys::block`](super::Keys::block)) in the order of the file.
    pub fn handle_blocks(&mut self, blocks: &[Key]) {
        for key in blocks {
            self.parts[part(key)].blocks.push(*key);
        }
        self.grown(blocks.len());
    }

    /// Takes links and roots ([`Keys::link`](super::Keys::link), [`Keys::root`](super::Keys::root)).
    pub fn handle_links(&mut self, links: &[Key]) {
        for key in links {
            self.parts[part(key)].links.push(*key);
        }
        self.grown(links.len());
    }

    /// Takes an entry of an index ([`Keys::entry`](super::Keys::entry)).
    #[inline]
    pub fn handle_entry(&mut self, entry: Key) {
        self.parts[part(&entry)].entries.push(entry);
        self.grown(1);
    }

    #[inline]
    fn grown(&mut self, keys: usize) {
        self.held = self.held.saturating_add(keys * size_of::<Key>());
        // Half, because what is compared is brought together once more.
        if self.held > self.budget / 2 {
            self.spilling.get_or_insert(0);
        }
    }

    /// What to keep elsewhere. Poll after each time that keys were handed in, until `None`: what
    /// is not polled stays in memory.
    #[must_use]
    pub fn poll_spill(&mut self) -> Option<SpillWrite> {
        while let Some(next) = self.spilling {
            let Some(part) = self.parts.get_mut(next / 3) else {
                (self.spilling, self.held) = (None, 0);
                break;
            };
            self.spilling = Some(next + 1);
            let [blocks, links, entries] = part.piles();
            let bytes = [blocks, links, entries][next % 3].spill(self.spilled);
            if !bytes.is_empty() {
                let offset = self.spilled;
                self.spilled += bytes.len() as u64;
                return Some(SpillWrite { offset, bytes });
            }
        }
        None
    }

    /// Ends it: what is left is to compare the parts.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
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

    fn spill(&mut self, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.chunks.len() * CHUNK * Key::BYTES);
        self.chunks.drain(..).flatten().for_each(|key| key.write(&mut bytes));
        if !bytes.is_empty() {
            self.spilled.push((offset, bytes.len()));
        }
        bytes
    }

    /// All keys, in the order in which they came.
    pub(super) fn gathered(self) -> Vec<Key> {
        let mut keys = self.back;
        keys.reserve(self.chunks.len() * CHUNK);
        self.chunks.into_iter().for_each(|chunk| keys.extend(chunk));
        keys
    }
}
