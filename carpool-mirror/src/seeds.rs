use alloc::{boxed::Box, vec::Vec};
use carpool_core::{Bytes, Cid, CidSet, Limits, may_link};
use carpool_selector::{Order, Step, Walk};

use crate::completeness::Completeness;

/// The DAGs of old roots that the sink holds: they narrow the first request (CAR Mirror §3.5.3).
#[derive(Debug)]
pub(crate) struct Seeds {
    roots: Vec<Cid>,
    /// Others that are held, of whatever DAGs.
    others: Vec<Cid>,
    limits: Limits,
    seed: u64,
    walk: Walk,
    held: CidSet,
    /// More than a filter of the largest size is worth is not collected.
    capacity: usize,
    gaps: Gaps,
}

/// What is known of blocks that are missing below the old roots.
#[derive(Debug)]
enum Gaps {
    None,
    /// There are some: the blocks with links are read once more, to leave those out below which they
    /// are.
    Found,
    Looking(Box<Completeness>),
    /// What was collected is held with all that lies below it.
    LeftOut,
    /// Not all was looked at.
    Unknown,
}

/// Bytes of filter that one CID is worth.
const BYTES_PER_CID: usize = 1;

impl Seeds {
    pub(crate) fn new(roots: impl IntoIterator<Item = Cid>, limits: &Limits, seed: u64) -> Self {
        let roots: Vec<Cid> = roots.into_iter().collect();
        Self {
            walk: walk(&roots, limits, seed),
            roots,
            others: Vec::new(),
            limits: limits.clone(),
            seed,
            held: CidSet::with_seed(seed),
            capacity: limits.max_bloom_bytes / BYTES_PER_CID,
            gaps: Gaps::None,
        }
    }

    pub(crate) fn add(&mut self, others: impl IntoIterator<Item = Cid>) {
        let before = self.others.len();
        self.others.extend(others);
        self.others[before..].iter().for_each(|cid| self.walk.handle_root(*cid));
    }

    pub(crate) fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        self.walk.handle_load(cid, data);
    }

    /// The next CID to look up; `None` while look-ups are awaited and when all is known.
    pub(crate) fn poll(&mut self) -> Option<Cid> {
        loop {
            let next = match &mut self.gaps {
                Gaps::Looking(_) => self.look_again(),
                Gaps::None | Gaps::Found | Gaps::LeftOut | Gaps::Unknown => self.collect(),
            };
            if next.is_some() || !self.walk.is_done() {
                return next;
            }
            match core::mem::replace(&mut self.gaps, Gaps::LeftOut) {
                Gaps::Found => {
                    self.walk = walk(&self.roots, &self.limits, self.seed);
                    self.others.iter().for_each(|cid| self.walk.handle_root(*cid));
                    let completeness = Completeness::new(&self.limits, self.seed);
                    self.gaps = Gaps::Looking(Box::new(completeness));
                }
                Gaps::Looking(completeness) => completeness.leave(&mut self.held),
                known @ (Gaps::None | Gaps::LeftOut | Gaps::Unknown) => {
                    self.gaps = known;
                    return None;
                }
            }
        }
    }

    fn collect(&mut self) -> Option<Cid> {
        loop {
            let full = self.held.len() >= self.capacity;
            if full {
                self.gaps = Gaps::Unknown;
            }
            match self.walk.poll(|_| !full) {
                Ok(Some(Step::Load(cid))) => return Some(cid),
                Ok(Some(Step::Visit(block))) => {
                    self.held.insert(block.cid());
                }
                Ok(Some(Step::Missing { .. })) | Err(_) => self.note_gap(),
                Ok(None) => return None,
            }
        }
    }

    fn note_gap(&mut self) {
        if matches!(self.gaps, Gaps::None) {
            self.gaps = Gaps::Found;
        }
    }

    fn look_again(&mut self) -> Option<Cid> {
        let Self { walk, held, gaps: Gaps::Looking(completeness), .. } = self else { return None };
        loop {
            match walk.poll(|cid| may_link(cid) && held.contains(cid)) {
                Ok(Some(Step::Load(cid))) => return Some(cid),
                Ok(Some(Step::Visit(block))) => completeness.add(&block, held),
                Ok(Some(Step::Missing { cid, .. })) => {
                    held.remove(&cid);
                }
                Err(_) => {}
                Ok(None) => return None,
            }
        }
    }

    /// The roots, once it is known that all that lies below them is held.
    pub(crate) fn complete_roots(&self) -> &[Cid] {
        if matches!(self.gaps, Gaps::None) && self.is_done() { &self.roots } else { &[] }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.walk.is_done() && !matches!(self.gaps, Gaps::Found | Gaps::Looking(_))
    }

    /// Whether `cid` is known to be held with all that lies below it.
    pub(crate) fn cover(&self, cid: &Cid) -> bool {
        matches!(self.gaps, Gaps::None | Gaps::LeftOut) && self.held.contains(cid)
    }

    pub(crate) const fn held(&self) -> &CidSet {
        &self.held
    }

    /// Links between an old root and the deepest block below it.
    pub(crate) const fn depth(&self) -> u32 {
        self.walk.deepest()
    }
}

fn walk(roots: &[Cid], limits: &Limits, seed: u64) -> Walk {
    Walk::new(roots.iter().copied(), Order::BreadthFirst, limits, seed)
        .with_window(super::sink::WINDOW)
}
