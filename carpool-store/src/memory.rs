use carpool_core::{Block, Bytes, Cid, CidMap, Limits, identity_data, is_identity};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use crate::{
    BlockStore, Error, Expect, NameEntry, Names, Result, SetName, check_name, key,
    names::{RECENT_ROOTS, now},
};

/// Blocks and names in memory, for tests, caches and short-lived programs. Nothing outlives it.
///
/// It keeps the [`Bytes`] that it is given, without copying: a block that is a slice of something
/// larger keeps the larger thing alive.
#[derive(Debug)]
pub struct MemoryStore {
    max_block_bytes: usize,
    blocks: RwLock<CidMap<Held>>,
    names: Mutex<NameTable>,
}

#[derive(Debug)]
struct Held {
    data: Bytes,
    codec: Option<u64>,
}

impl Held {
    fn of(block: &Block) -> Self {
        Self { data: block.data().clone(), codec: key::codec_of(block.cid()) }
    }
}

/// Blocks whose places are looked up together before they are put.
const PUT_BLOCKS: usize = 64;

#[derive(Debug, Default)]
struct NameTable {
    entries: BTreeMap<String, Vec<NameEntry>>,
    roots: Vec<Cid>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that takes blocks up to the default
    /// [`max_block_bytes`](Limits::max_block_bytes).
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_block_bytes(Limits::default().max_block_bytes)
    }

    /// An empty store that takes blocks of up to `max_block_bytes` bytes.
    #[must_use]
    pub fn with_max_block_bytes(max_block_bytes: usize) -> Self {
        Self { max_block_bytes, blocks: RwLock::new(key::map()), names: Mutex::default() }
    }

    /// How many blocks are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether no block is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The CID of every block that is held, as it was put first, sorted by multihash.
    #[must_use]
    pub fn cids(&self) -> Vec<Cid> {
        let mut all = Vec::new();
        self.read().for_each(|key, held| {
            all.push((key[key::CANONICAL_PREFIX..].to_vec(), held.codec));
        });
        all.sort_unstable();
        all.iter().filter_map(|(multihash, codec)| key::restore(multihash, *codec)).collect()
    }

    // No code of ours panics while it holds a lock, so what a poisoned lock guards is whole.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, CidMap<Held>> {
        self.blocks.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, NameTable> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a batch with a block of more than `max` bytes.
pub(crate) fn check_sizes(blocks: &[Block], max: usize) -> Result<()> {
    match blocks.iter().find(|block| block.data().len() > max) {
        None => Ok(()),
        Some(block) => Err(Error::BlockTooLarge {
            cid: *block.cid(),
            bytes: block.data().len() as u64,
            max: max as u64,
        }),
    }
}

impl BlockStore for MemoryStore {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        let blocks = self.read();
        let found = blocks.get_many(cids.iter().map(key::canonical));
        let get = |(cid, held): (&Cid, Option<&Held>)| match identity_data(cid) {
            Some(data) => Some(Bytes::copy_from_slice(data)),
            None => held.map(|held| held.data.clone()),
        };
        Ok(cids.iter().zip(found).map(get).collect())
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let blocks = self.read();
        let found = blocks.get_many(cids.iter().map(key::canonical));
        Ok(cids.iter().zip(found).map(|(cid, held)| held.is_some() || is_identity(cid)).collect())
    }

    fn few_cids(&self, most: usize) -> Result<Option<Vec<Cid>>> {
        Ok((self.len() <= most).then(|| self.cids()))
    }

    fn put_many(&self, blocks: &[Block]) -> Result<()> {
        check_sizes(blocks, self.max_block_bytes)?;
        let mut held = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        for some in blocks.chunks(PUT_BLOCKS) {
            let known: Vec<bool> = held
                .get_many(some.iter().map(|block| key::canonical(block.cid())))
                .into_iter()
                .map(|held| held.is_some())
                .collect();
            for (block, known) in some.iter().zip(known) {
                if !known && !is_identity(block.cid()) {
                    held.insert_absent(&key::canonical(block.cid()), || Held::of(block));
                }
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl Names for MemoryStore {
    fn name(&self, name: &str) -> Result<Option<NameEntry>> {
        check_name(name)?;
        Ok(self.table().entries.get(name).and_then(|entries| entries.last().cloned()))
    }

    fn names(&self) -> Result<Vec<(String, NameEntry)>> {
        let table = self.table();
        let last = |(name, entries): (&String, &Vec<NameEntry>)| {
            entries.last().map(|entry| (name.clone(), entry.clone()))
        };
        Ok(table.entries.iter().filter_map(last).collect())
    }

    fn history(&self, name: &str) -> Result<Vec<NameEntry>> {
        check_name(name)?;
        let table = self.table();
        Ok(table.entries.get(name).into_iter().flatten().rev().cloned().collect())
    }

    fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> Result<SetName> {
        check_name(name)?;
        let mut table = self.table();
        let current = table.entries.get(name).and_then(|entries| entries.last().cloned());
        if !expect.allows(current.as_ref().map(|entry| &entry.root)) {
            return Ok(SetName::Conflict { current });
        }
        let seq = current.map_or(1, |entry| entry.seq + 1);
        let entry = NameEntry { root: *new, seq, time: now() };
        table.entries.entry(name.to_owned()).or_default().push(entry.clone());
        Ok(SetName::Set(entry))
    }

    fn note_root(&self, root: &Cid) -> Result<()> {
        let roots = &mut self.table().roots;
        roots.retain(|known| known != root);
        roots.push(*root);
        let surplus = roots.len().saturating_sub(RECENT_ROOTS);
        roots.drain(..surplus);
        Ok(())
    }

    fn recent_roots(&self, n: usize) -> Result<Vec<Cid>> {
        Ok(self.table().roots.iter().rev().take(n).copied().collect())
    }
}
