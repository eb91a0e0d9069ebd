use carpool_core::{Block, Bytes, Cid};
use std::sync::Arc;

use crate::{Names, Result};

/// Where blocks live.
///
/// Calls block and take batches: a driver hands over all that it has at once. A store finds a
/// block by its multihash, so a block that was put under one codec or CID version is found under
/// every other, as in Kubo. Identity CIDs carry their data: they are always held, and never stored.
pub trait BlockStore: Send + Sync {
    /// The bytes of each block, in the order of `cids`; `None` for a block that is not held.
    ///
    /// # Errors
    /// When the store cannot be read. See [`Error`](crate::Error).
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>>;

    /// Whether each block is held, in the order of `cids`.
    ///
    /// # Errors
    /// When the store cannot be read. See [`Error`](crate::Error).
    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>>;

    /// Stores blocks. When it returns they survive the end of the process, however it ends; to
    /// have them survive a power loss, [`flush`](Self::flush). Blocks that are held already cost
    /// no room.
    ///
    /// # Errors
    /// [`BlockTooLarge`](crate::Error::BlockTooLarge), before anything is stored;
    /// [`DiskFull`](crate::Error::DiskFull) and other failures to write, after which some blocks
    /// of the batch may be held, each of them whole.
    fn put_many(&self, blocks: &[Block]) -> Result<()>;

    /// Makes all that was put, and all that [`has_many`](Self::has_many) has reported, survive a
    /// power loss.
    ///
    /// # Errors
    /// When the store cannot be written. See [`Error`](crate::Error).
    fn flush(&self) -> Result<()>;

    /// The size of each block in bytes, in the order of `cids`; `None` for a block that is not held.
    ///
    /// # Errors
    /// As [`get_many`](Self::get_many).
    fn size_many(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>> {
        let size = |cid| Ok(self.get(cid)?.map(|data| data.len() as u64));
        cids.iter().map(size).collect()
    }

    /// The CID of every block that is held, as it was put first, where those are at most `most`. `None`
    /// where there are more, and of a store that does not know.
    ///
    /// # Errors
    /// As [`get_many`](Self::get_many).
    fn few_cids(&self, most: usize) -> Result<Option<Vec<Cid>>> {
        let _ = most;
        Ok(None)
    }

    /// The bytes of one block; `None` when it is not held.
    ///
    /// # Errors
    /// As [`get_many`](Self::get_many).
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>> {
        Ok(self.get_many(std::slice::from_ref(cid))?.pop().flatten())
    }

    /// Whether one block is held.
    ///
    /// # Errors
    /// As [`has_many`](Self::has_many).
    fn has(&self, cid: &Cid) -> Result<bool> {
        Ok(self.has_many(std::slice::from_ref(cid))?.pop().unwrap_or(false))
    }

    /// Stores one block.
    ///
    /// # Errors
    /// As [`put_many`](Self::put_many).
    fn put(&self, block: &Block) -> Result<()> {
        self.put_many(std::slice::from_ref(block))
    }
}

/// Blocks and names together, for `Arc<dyn Store>`.
pub trait Store: BlockStore + Names {}

impl<S: BlockStore + Names + ?Sized> Store for S {}

macro_rules! through {
    ($($pointer:ty),*) => {$(
        impl<S: BlockStore + ?Sized> BlockStore for $pointer {
            fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
                (**self).get_many(cids)
            }
            fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
                (**self).has_many(cids)
            }
            fn size_many(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>> {
                (**self).size_many(cids)
            }
            fn few_cids(&self, most: usize) -> Result<Option<Vec<Cid>>> {
                (**self).few_cids(most)
            }
            fn put_many(&self, blocks: &[Block]) -> Result<()> {
                (**self).put_many(blocks)
            }
            fn flush(&self) -> Result<()> {
                (**self).flush()
            }
        }
    )*};
}
through!(&S, Arc<S>, Box<S>);
