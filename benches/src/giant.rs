//! Gigabytes that are never in memory: a store that makes its leaves when they are asked for, and
//! one that forgets them when they come. What a transfer through them uses is its own.

use carpool_core::{Block, Bytes, Cid, CidMap, CidSet, codec, may_link};
use carpool_store::{BlockStore, Expect, MemoryStore, NameEntry, Names, Result, SetName};
use sim::dag::{mix, node};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of one leaf.
pub const LEAF_BYTES: usize = 256 << 10;
/// Links in one node.
const FANOUT: usize = 64;

/// A DAG of leaves that differ in their first eight bytes, which are made when they are read.
#[derive(Debug)]
pub struct Maker {
    /// The root.
    pub root: Cid,
    nodes: MemoryStore,
    leaves: CidMap<u64>,
    pattern: Vec<u8>,
}

impl Maker {
    /// A DAG of `leaves` leaves. Each is hashed once, to know its CID.
    ///
    /// # Panics
    /// Never: memory takes blocks.
    #[must_use]
    pub fn new(leaves: u64) -> Self {
        let pattern: Vec<u8> =
            (0..LEAF_BYTES as u64 / 8).flat_map(|i| mix(i).to_le_bytes()).collect();
        let mut known = CidMap::with_seed(0);
        let mut level: Vec<Cid> = (0..leaves)
            .map(|i| {
                let cid = *Block::new(codec::RAW, leaf(&pattern, i)).cid();
                known.insert(&cid, i);
                cid
            })
            .collect();
        let nodes = MemoryStore::new();
        while level.len() > 1 {
            let above: Vec<Block> = level.chunks(FANOUT).map(node).collect();
            level = above.iter().map(|block| *block.cid()).collect();
            nodes.put_many(&above).expect("memory takes blocks");
        }
        Self { root: level[0], nodes, leaves: known, pattern }
    }
}

fn leaf(pattern: &[u8], i: u64) -> Bytes {
    let mut data = pattern.to_vec();
    data[..8].copy_from_slice(&i.to_le_bytes());
    data.into()
}

impl BlockStore for Maker {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        let get = |cid: &Cid| match self.leaves.get(cid) {
            Some(&i) => Ok(Some(leaf(&self.pattern, i))),
            None => self.nodes.get(cid),
        };
        cids.iter().map(get).collect()
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let has = |cid: &Cid| Ok(self.leaves.contains(cid) || self.nodes.has(cid)?);
        cids.iter().map(has).collect()
    }

    fn put_many(&self, _: &[Block]) -> Result<()> {
        unreachable!("nobody sends blocks to a source")
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// A store that keeps nodes, counts leaves and forgets their bytes.
#[derive(Debug)]
pub struct Forgetter {
    nodes: MemoryStore,
    leaves: Mutex<CidSet>,
}

impl Default for Forgetter {
    fn default() -> Self {
        Self { nodes: MemoryStore::new(), leaves: Mutex::new(CidSet::with_seed(0)) }
    }
}

impl Forgetter {
    /// How many leaves came.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.seen().len()
    }

    fn seen(&self) -> MutexGuard<'_, CidSet> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockStore for Forgetter {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        self.nodes.get_many(cids)
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let seen = self.seen();
        cids.iter().map(|cid| Ok(seen.contains(cid) || self.nodes.has(cid)?)).collect()
    }

    fn put_many(&self, blocks: &[Block]) -> Result<()> {
        let mut seen = self.seen();
        for block in blocks {
            if may_link(block.cid()) {
                // A copy: a slice would keep the leaves beside it alive.
                let data = Bytes::copy_from_slice(block.data());
                self.nodes.put(&Block::new_unchecked(*block.cid(), data))?;
            } else {
                seen.insert(block.cid());
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

macro_rules! names_beside_nodes {
    ($($store:ty),*) => {$(
        impl Names for $store {
            fn name(&self, name: &str) -> Result<Option<NameEntry>> {
                self.nodes.name(name)
            }
            fn names(&self) -> Result<Vec<(String, NameEntry)>> {
                self.nodes.names()
            }
            fn history(&self, name: &str) -> Result<Vec<NameEntry>> {
                self.nodes.history(name)
            }
            fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> Result<SetName> {
                self.nodes.set_name(name, expect, new)
            }
            fn note_root(&self, root: &Cid) -> Result<()> {
                self.nodes.note_root(root)
            }
            fn recent_roots(&self, n: usize) -> Result<Vec<Cid>> {
                self.nodes.recent_roots(n)
            }
        }
    )*};
}
names_beside_nodes!(Maker, Forgetter);
