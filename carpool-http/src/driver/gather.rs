use carpool_core::{Bytes, Cid, CidSet, Limits, may_link};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;
use std::collections::VecDeque;

use super::READ_BLOCKS;
use crate::Result;

/// What [`gather`] found below some roots.
#[derive(Debug)]
pub struct Gathered {
    /// Every CID that is held.
    pub held: CidSet,
    /// Whether nothing was missing.
    pub complete: bool,
}

/// Walks the DAGs below `roots` in `store` and lists what is held; leaves are looked up and not
/// read.
///
/// # Errors
/// When the store fails or a held block does not parse.
pub fn gather<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
) -> Result<Gathered> {
    gather_within(store, roots, limits, seed, |_, _| true)
}

/// As [`gather`], leaving out what `enter` does not want, which is told how many were found, and
/// what lies below it.
pub(crate) fn gather_within<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
    enter: impl Fn(&Cid, usize) -> bool,
) -> Result<Gathered> {
    gather_telling(store, roots, limits, seed, enter, |_| {})
}

/// At most so many CIDs that are missing below `roots`, or are such roots.
///
/// # Errors
/// As [`gather`].
pub(crate) fn missing_below<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
    most: usize,
) -> Result<Vec<Cid>> {
    let mut missing = Vec::new();
    let tell = |cid| {
        if missing.len() < most {
            missing.push(cid);
        }
    };
    gather_telling(store, roots, limits, seed, |_, _| true, tell)?;
    Ok(missing)
}

/// As [`gather_within`], telling of each CID that is missing.
fn gather_telling<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
    enter: impl Fn(&Cid, usize) -> bool,
    mut tell: impl FnMut(Cid),
) -> Result<Gathered> {
    let mut walk =
        Walk::new(roots.iter().copied(), Order::BreadthFirst, limits, seed).with_window(256);
    let mut found = Gathered { held: CidSet::with_seed(seed), complete: true };
    let (mut loads, mut leaves) = (VecDeque::new(), Vec::new());
    loop {
        while let Some(step) = walk.poll(|cid| enter(cid, found.held.len()))? {
            match step {
                Step::Load(cid) if may_link(&cid) => loads.push_back(cid),
                Step::Load(cid) => leaves.push(cid),
                Step::Visit(block) => {
                    found.held.insert(block.cid());
                }
                Step::Missing { cid, .. } => {
                    found.complete = false;
                    tell(cid);
                }
            }
        }
        if loads.is_empty() && leaves.is_empty() {
            return Ok(found);
        }
        let few: Vec<Cid> = loads.drain(..loads.len().min(READ_BLOCKS)).collect();
        for (cid, data) in few.iter().zip(store.get_many(&few)?) {
            walk.handle_load(cid, data);
        }
        for (cid, held) in leaves.iter().zip(store.has_many(&leaves)?) {
            walk.handle_load(cid, held.then(Bytes::new));
        }
        leaves.clear();
    }
}

/// A block below `root` of more than `max` bytes, and its size; what is not held is left out.
///
/// # Errors
/// As [`gather`].
pub(crate) fn larger_than<S: BlockStore + ?Sized>(
    store: &S,
    root: Cid,
    max: u64,
    limits: &Limits,
    seed: u64,
) -> Result<Option<(Cid, u64)>> {
    let found = gather(store, &[root], limits, seed)?;
    let mut cids = Vec::new();
    found.held.for_each(|cid| cids.extend(carpool_core::cid_exact(cid)));
    for some in cids.chunks(1024) {
        let sizes = some.iter().zip(store.size_many(some)?);
        let mut known = sizes.filter_map(|(cid, size)| Some((*cid, size?)));
        if let Some(large) = known.find(|(_, size)| *size > max) {
            return Ok(Some(large));
        }
    }
    Ok(None)
}

/// Whether `store` holds all of the DAG below `root`.
///
/// # Errors
/// As [`gather`].
pub fn complete<S: BlockStore + ?Sized>(store: &S, root: Cid, limits: &Limits) -> Result<bool> {
    Ok(gather(store, &[root], limits, 0)?.complete)
}
