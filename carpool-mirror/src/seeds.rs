use alloc::vec::Vec;
use carpool_core::{Bytes, Cid, CidSet, Limits};
use carpool_selector::{Order, Step, Walk};

/// The DAGs of old roots that the sink holds: they narrow the first request (CAR Mirror §3.5.3).
#[derive(Debug)]
pub(crate) struct Seeds {
    roots: Vec<Cid>,
    walk: Walk,
    held: CidSet,
    /// More than a filter of the largest size is worth is not collected.
    capacity: usize,
    complete: bool,
}

/// Bytes of filter that one CID is worth.
const BYTES_PER_CID: usize = 1;

impl Seeds {
    pub(crate) fn new(roots: impl IntoIterator<Item = Cid>, limits: &Limits, seed: u64) -> Self {
        let roots: Vec<Cid> = roots.into_iter().collect();
        Self {
            walk: Walk::new(roots.iter().copied(), Order::BreadthFirst, limits, seed)
                .with_window(super::sink::WINDOW),
            roots,
            held: CidSet::with_seed(seed),
            capacity: limits.max_bloom_bytes / BYTES_PER_CID,
            complete: true,
        }
    }

    pub(crate) fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        self.walk.handle_load(cid, data);
    }

    /// The next CID to look up; `None` while look-ups are awaited and when all is known.
    pub(crate) fn poll(&mut self) -> Option<Cid> {
        loop {
            let full = self.held.len() >= self.capacity;
            self.complete &= !full;
            match self.walk.poll(|_| !full) {
                Ok(Some(Step::Load(cid))) => return Some(cid),
                Ok(Some(Step::Visit(block))) => {
                    self.held.insert(block.cid());
                }
                Ok(Some(Step::Missing { .. })) | Err(_) => self.complete = false,
                Ok(None) => return None,
            }
        }
    }

    /// The roots, once it is known that all that lies below them is held.
    pub(crate) fn complete_roots(&self) -> &[Cid] {
        if self.complete && self.is_done() { &self.roots } else { &[] }
    }

    /// Links between a root and the deepest block that was found.
    pub(crate) const fn deepest(&self) -> u32 {
        self.walk.deepest()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.walk.is_done()
    }

    /// Whether `cid` is known to be held with all that lies below it.
    pub(crate) fn cover(&self, cid: &Cid) -> bool {
        self.complete && self.held.contains(cid)
    }

    pub(crate) const fn held(&self) -> &CidSet {
        &self.held
    }
}
