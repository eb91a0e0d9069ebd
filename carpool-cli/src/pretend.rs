//! A store that remembers what would be put into it, beside one that stays as it is.

use carpool_core::{Block, Bytes, Cid, CidMap, codec};
use carpool_store::{BlockStore, Error, Result};
use std::{
    io,
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use crate::remote::random_seed;

/// Bytes of nodes that are kept, at most; leaves are not.
const MAX_BYTES: usize = 1 << 30;
/// A node with more bytes and no links is a leaf.
const MAX_LEAF_BYTES: usize = 16 << 10;

/// A store beside which nothing is written. Of blocks that are put, nodes are kept in memory, and of
/// leaves the length.
#[derive(Debug)]
pub(crate) struct Pretend<S> {
    beside: S,
    made: Mutex<Made>,
    /// Whether leaves that nobody holds are said to be held, so that nobody sends them.
    claims: AtomicBool,
    max_bytes: usize,
}

#[derive(Debug)]
struct Made {
    blocks: CidMap<(u64, Option<Bytes>)>,
    bytes: usize,
}

impl<S: BlockStore> Pretend<S> {
    pub(crate) fn beside(store: S) -> Self {
        let made = Made { blocks: CidMap::with_seed(random_seed()), bytes: 0 };
        let (made, claims) = (Mutex::new(made), AtomicBool::new(false));
        Self { beside: store, made, claims, max_bytes: MAX_BYTES }
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says from now on that all leaves are held, or that they are not.
    pub(crate) fn claim_leaves(&self, claim: bool) {
        self.claims.store(claim, Relaxed);
    }

    /// Whether the store beside has a block.
    pub(crate) fn is_beside(&self, cid: &Cid) -> Result<bool> {
        self.beside.has(cid)
    }

    /// Notes how long a block is that nobody holds here.
    pub(crate) fn note_length(&self, cid: &Cid, bytes: u64) {
        self.made().blocks.insert_absent(cid, || (bytes, None));
    }

    fn length(&self, cid: &Cid) -> Option<u64> {
        self.made().blocks.get(cid).map(|(bytes, _)| *bytes)
    }

    fn node(&self, cid: &Cid) -> Option<Bytes> {
        self.made().blocks.get(cid).and_then(|(_, data)| data.clone())
    }
}

/// What has no links, and more bytes than a node without any.
fn is_leaf(block: &Block) -> bool {
    if block.cid().codec() == codec::RAW {
        return true;
    }
    let mut links = false;
    let limits = carpool_core::Limits::default();
    let read = carpool_core::for_each_link(block.cid(), block.data(), &limits, |_| links = true);
    read.is_ok() && !links && block.data().len() > MAX_LEAF_BYTES
}

impl<S: BlockStore> BlockStore for Pretend<S> {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        let mut all = self.beside.get_many(cids)?;
        for (cid, data) in cids.iter().zip(&mut all) {
            *data = data.take().or_else(|| self.node(cid));
        }
        Ok(all)
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let mut all = self.beside.has_many(cids)?;
        let claims = self.claims.load(Relaxed);
        for (cid, held) in cids.iter().zip(&mut all) {
            *held |= self.length(cid).is_some() || (claims && cid.codec() == codec::RAW);
        }
        Ok(all)
    }

    fn size_many(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>> {
        let mut all = self.beside.size_many(cids)?;
        for (cid, size) in cids.iter().zip(&mut all) {
            *size = size.or_else(|| self.length(cid));
        }
        Ok(all)
    }

    fn put_many(&self, blocks: &[Block]) -> Result<()> {
        let mut made = self.made();
        for block in blocks {
            let kept = (!is_leaf(block)).then(|| block.data().clone());
            let (bytes, len) = (kept.as_ref().map_or(0, Bytes::len), block.data().len() as u64);
            if made.blocks.insert_absent(block.cid(), || (len, kept)) {
                made.bytes += bytes;
            }
        }
        if made.bytes > self.max_bytes {
            let what = format!("more than {} bytes of folders to look at", self.max_bytes);
            let source = io::Error::new(io::ErrorKind::OutOfMemory, what);
            return Err(Error::Io { path: PathBuf::from("memory"), source });
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_store::MemoryStore;

    fn node(bytes: usize) -> Block {
        // A field of bytes, whose length takes two bytes.
        let len = bytes - 3;
        let mut data =
            vec![0x0a, u8::try_from(len & 0x7f).unwrap() | 0x80, u8::try_from(len >> 7).unwrap()];
        data.resize(bytes, 7);
        Block::new(codec::DAG_PB, data.into())
    }

    #[test]
    fn nothing_reaches_the_store_beside() {
        let beside = MemoryStore::default();
        let held = Block::new(codec::RAW, "held".into());
        beside.put(&held).unwrap();
        let pretend = Pretend::beside(&beside);
        let leaf = Block::new(codec::RAW, "leaf".into());
        let node = node(500);
        pretend.put_many(&[leaf.clone(), node.clone()]).unwrap();
        let cids = [*held.cid(), *leaf.cid(), *node.cid()];
        assert_eq!(pretend.has_many(&cids).unwrap(), [true; 3]);
        assert_eq!(pretend.size_many(&cids).unwrap(), [Some(4), Some(4), Some(500)]);
        let data = pretend.get_many(&cids).unwrap();
        assert_eq!(data, [Some("held".into()), None, Some(node.data().clone())]);
        assert_eq!(beside.has_many(&cids).unwrap(), [true, false, false]);
    }

    #[test]
    fn leaves_that_nobody_holds_are_claimed_where_asked() {
        let pretend = Pretend::beside(MemoryStore::default());
        let cids = [*Block::new(codec::RAW, "leaf".into()).cid(), *node(500).cid()];
        assert_eq!(pretend.has_many(&cids).unwrap(), [false, false]);
        pretend.claim_leaves(true);
        assert_eq!(pretend.has_many(&cids).unwrap(), [true, false]);
    }

    #[test]
    fn bytes_of_nodes_at_the_limit_and_past_it() {
        for (max_bytes, fits) in [(1000, true), (999, false)] {
            let pretend = Pretend { max_bytes, ..Pretend::beside(MemoryStore::default()) };
            let leaf = Block::new(codec::RAW, vec![1; 5000].into());
            let put = pretend.put_many(&[node(400), leaf, node(600), node(600)]);
            assert_eq!(put.is_ok(), fits);
        }
    }
}
