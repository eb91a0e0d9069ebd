//! The blocks that two DAGs have in common.

use carpool_core::{Bytes, Cid, CidSet, Limits, may_link};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;

use crate::{failure::Outcome, remote::random_seed};

/// Sizes are looked up for so many blocks at once.
const BATCH: usize = 1024;

/// Blocks, and the bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

impl Count {
    /// With one block more.
    pub(crate) const fn plus(self, bytes: u64) -> Self {
        Self { blocks: self.blocks + 1, bytes: self.bytes + bytes }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self { blocks: self.blocks - other.blocks, bytes: self.bytes - other.bytes }
    }
}

/// What two DAGs have, each block counted once.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) of_a: Count,
    pub(crate) of_b: Count,
    pub(crate) both: Count,
    /// Blocks of either that are not held.
    pub(crate) missing: u64,
    /// The blocks of the first.
    pub(crate) in_a: CidSet,
}

/// Counts the blocks below two roots. Leaves are looked up and not read.
pub(crate) fn share(store: &dyn BlockStore, a: Cid, b: Cid) -> Outcome<Share> {
    let mut share = Share {
        of_a: Count::default(),
        of_b: Count::default(),
        both: Count::default(),
        missing: 0,
        in_a: CidSet::with_seed(random_seed()),
    };
    share.missing += each(store, a, |cid, bytes| {
        share.in_a.insert(cid);
        share.of_a = share.of_a.plus(bytes);
    })?;
    share.missing += each(store, b, |cid, bytes| {
        share.of_b = share.of_b.plus(bytes);
        if share.in_a.contains(cid) {
            share.both = share.both.plus(bytes);
        }
    })?;
    Ok(share)
}

/// Gives each block below a root with its size; returns how many are missing.
fn each(store: &dyn BlockStore, root: Cid, mut each: impl FnMut(&Cid, u64)) -> Outcome<u64> {
    let mut walk = Walk::new([root], Order::BreadthFirst, &Limits::default(), random_seed());
    let (mut missing, mut loads, mut leaves, mut batch) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut tell = |batch: &mut Vec<Cid>| -> Outcome {
        for (cid, size) in batch.iter().zip(store.size_many(batch)?) {
            each(cid, size.unwrap_or_default());
        }
        batch.clear();
        Ok(())
    };
    loop {
        match walk.poll(|_| true)? {
            Some(Step::Load(cid)) if may_link(&cid) => loads.push(cid),
            Some(Step::Load(cid)) => leaves.push(cid),
            Some(Step::Missing { .. }) => missing += 1,
            Some(Step::Visit(block)) => {
                batch.push(*block.cid());
                if batch.len() >= BATCH {
                    tell(&mut batch)?;
                }
            }
            None if loads.is_empty() && leaves.is_empty() => {
                tell(&mut batch)?;
                return Ok(missing);
            }
            None => {
                for (cid, data) in loads.iter().zip(store.get_many(&loads)?) {
                    // A store that keeps the lengths of leaves alone has those.
                    let has = |cid| Ok(store.has(cid)?.then(Bytes::new));
                    let data = data.map_or_else(|| has(cid), |data| Outcome::Ok(Some(data)))?;
                    walk.handle_load(cid, data);
                }
                for (cid, held) in leaves.iter().zip(store.has_many(&leaves)?) {
                    walk.handle_load(cid, held.then(Bytes::new));
                }
                loads.clear();
                leaves.clear();
            }
        }
    }
}
