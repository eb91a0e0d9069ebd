use carpool_core::{Block, Bytes, Cid, CidSet, Error, Limits, for_each_link, identity_data};

use crate::{
    frontier::{Asked, Frontier, Pending},
    lookups::{Lookups, State},
    parents::{self, Parents},
};

/// In which order a [`Walk`] visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Level by level, each from left to right: shows the most of a DAG soonest.
    BreadthFirst,
    /// A block, then everything below its first link, then below its second: a file's bytes in
    /// their order, and the smaller frontier.
    DepthFirst,
}

/// What a [`Walk`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look this CID up and answer with [`Walk::handle_load`].
    Load(Cid),
    /// The next block of the walk.
    Visit(Block),
    /// The next CID of the walk, which was looked up and is not there.
    Missing {
        /// The CID.
        cid: Cid,
        /// Links between a root and this CID; [`Walk::handle_block`] takes it back.
        depth: u32,
    },
}

/// Who decides what a [`Walk`] leaves out.
pub trait Gate {
    /// Asked once about each CID before it is looked up: `false` leaves it, and what lies below it,
    /// out of the walk.
    fn enter(&mut self, cid: &Cid) -> bool;

    /// Asked about a block that was looked up, before it is visited: `false` leaves it out after
    /// all, with what lies below it.
    fn keep(&mut self, cid: &Cid, data: &[u8]) -> bool;
}

/// A gate that never thinks twice.
struct Enter<F>(F);

impl<F: FnMut(&Cid) -> bool> Gate for Enter<F> {
    fn enter(&mut self, cid: &Cid) -> bool {
        self.0(cid)
    }

    fn keep(&mut self, _: &Cid, _: &[u8]) -> bool {
        true
    }
}

/// How many CIDs are asked for ahead of the visit, unless told otherwise.
pub const DEFAULT_WINDOW: usize = 32;

/// Visits every block that is reachable from some roots, each once.
///
/// Identity CIDs are entered without being asked for and are not visited: their data came with the
/// block that names them.
#[derive(Debug)]
pub struct Walk {
    order: Order,
    limits: Limits,
    window: usize,
    frontier: Frontier,
    /// Asked for or left out.
    seen: CidSet,
    /// Identity CIDs that were entered.
    entered: CidSet,
    lookups: Lookups,
    parents: Parents,
    /// The number of the block that links to the CID of the last step.
    parent: u32,
    /// Whether the front is known to await an answer: then nothing moves until one comes.
    blocked: bool,
    /// Links between a root and the deepest CID that was found.
    deepest: u32,
}

impl Walk {
    /// A walk from `roots`, in their order. `seed` is for hash tables, see
    /// [`CidMap`](carpool_core::CidMap).
    pub fn new(
        roots: impl IntoIterator<Item = Cid>,
        order: Order,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let mut frontier = Frontier::default();
        let seen = CidSet::with_seed(seed);
        roots.into_iter().for_each(|cid| frontier.push(cid, seen.hash(&cid), 0, parents::NONE));
        Self {
            order,
            limits: limits.clone(),
            window: DEFAULT_WINDOW,
            frontier,
            seen,
            entered: CidSet::with_seed(seed),
            lookups: Lookups::default(),
            parents: Parents::default(),
            parent: parents::NONE,
            blocked: false,
            deepest: 0,
        }
    }

    /// Asks for up to `window` CIDs ahead (at least one): memory is at most so many blocks, and in
    /// depth-first order one more a level.
    #[must_use]
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Makes room for what `cids` roots that are still to come will take.
    pub fn reserve(&mut self, cids: usize) {
        self.seen.reserve(cids);
    }

    /// Adds a root that is walked after what is known now.
    pub fn handle_root(&mut self, cid: Cid) {
        self.frontier.push(cid, self.seen.hash(&cid), 0, parents::NONE);
    }

    /// Makes as if `cid` had not been met: it is visited where it is found next.
    pub fn forget(&mut self, cid: &Cid) {
        self.seen.remove(cid);
    }

    /// Goes on below a block that was missing and has come, `depth` links below a root.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn handle_block(&mut self, block: &Block, depth: u32) -> Result<(), Error> {
        self.blocked = false;
        self.descend(block.cid(), block.data(), depth, self.parents.next(self.order))
    }

    /// Answers a [`Step::Load`]: the block's bytes, verified before, or `None` where it is not
    /// held. Answers may come in any order; one that nobody asked for is dropped.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if self.lookups.answer(cid, data) {
            self.blocked = false;
        }
    }

    /// The CIDs that were visited, found missing or left out, and those that were asked for and
    /// are still to be visited; identity CIDs are never among them.
    #[must_use]
    pub const fn seen(&self) -> &CidSet {
        &self.seen
    }

    /// Ends the walk: the CIDs that were visited, found missing or left out.
    #[must_use]
    pub fn into_done(mut self) -> CidSet {
        for cid in self.lookups.cids() {
            self.seen.remove(cid);
        }
        self.seen
    }

    /// Links between a root and the deepest CID that was found.
    #[must_use]
    pub const fn deepest(&self) -> u32 {
        self.deepest
    }

    /// After a [`Step::Missing`] of a breadth-first walk: the block that links to that CID, the first
    /// that was met. `None` for a root, and for what an identity CID links to.
    #[must_use]
    pub fn parent(&self) -> Option<&Cid> {
        self.parents.find(self.parent)
    }

    /// How many CIDs are known and not yet visited, repeats included.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.frontier.len()
    }

    /// The next step. `enter` is asked once about each CID before it is looked up: `false` leaves
    /// it, and what lies below it, out of the walk.
    ///
    /// `None` while answers are awaited and at the end of the walk, which
    /// [`is_done`](Self::is_done) tells apart. Call again after [`handle_load`](Self::handle_load)
    /// and [`handle_root`](Self::handle_root), until `None`.
    ///
    /// # Errors
    /// What [`for_each_link`] says of a block that does not parse, and
    /// [`Error::TooDeep`] beyond [`Limits::max_depth`]. The walk goes on after
    /// that block when polled again.
    pub fn poll(&mut self, enter: impl FnMut(&Cid) -> bool) -> Result<Option<Step>, Error> {
        self.poll_through(&mut Enter(enter))
    }

    /// As [`poll`](Self::poll), with a gate that may leave out what it has looked at.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_through(&mut self, gate: &mut impl Gate) -> Result<Option<Step>, Error> {
        if self.blocked {
            return Ok(self.next_load(gate).map(Step::Load));
        }
        while let Some(front) = self.frontier.front() {
            let Pending { cid, depth, parent, asked, .. } = *front;
            if identity_data(&cid).is_some() {
                self.enter_identity(&cid, depth)?;
                continue;
            }
            match asked {
                Asked::Slot(slot) => match self.lookups.state(slot, &cid) {
                    State::Answered => {
                        self.parents.reach(parent);
                        self.parent = parent;
                        if let Some(step) = self.visit(slot, &cid, depth, gate)? {
                            return Ok(Some(step));
                        }
                    }
                    State::Gone => self.frontier.pop(),
                    State::Awaited => {
                        self.blocked = true;
                        return Ok(self.next_load(gate).map(Step::Load));
                    }
                },
                Asked::NotYet | Asked::Needless => {
                    if let Some(load) = self.next_load(gate) {
                        return Ok(Some(Step::Load(load)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether every reachable CID was visited, found missing or left out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.frontier.len() == 0
    }

    /// Finds what to ask for next, and drops from the frontier what needs no asking. The front is
    /// always asked for: without it nothing moves.
    fn next_load(&mut self, gate: &mut impl Gate) -> Option<Cid> {
        loop {
            let window = if self.lookups.len() < self.window { self.window } else { 1 };
            let pending = self.frontier.next_unasked(window)?;
            let (cid, hash) = (pending.cid, pending.hash);
            if identity_data(&cid).is_some() {
                pending.asked = Asked::Needless;
            } else if !self.seen.insert_hashed(hash, &cid) {
                match Self::earlier(&self.lookups, self.order, &cid) {
                    Some(slot) => pending.asked = Asked::Slot(slot),
                    None => self.frontier.remove_unasked(),
                }
            } else if gate.enter(&cid) {
                pending.asked = Asked::Slot(self.lookups.open(&cid));
                return Some(cid);
            } else {
                self.frontier.remove_unasked();
            }
        }
    }

    /// Depth first, a CID that is looked up already may have been found later in the walk than
    /// where it is found now: then it is visited here, and its later place is skipped.
    fn earlier(lookups: &Lookups, order: Order, cid: &Cid) -> Option<usize> {
        match order {
            Order::BreadthFirst => None,
            Order::DepthFirst => lookups.find(cid),
        }
    }

    /// Puts the links of an identity CID in its place: it shrinks with every level, so this ends.
    fn enter_identity(&mut self, cid: &Cid, depth: u32) -> Result<(), Error> {
        self.frontier.pop();
        if self.entered.insert(cid) {
            self.descend(cid, identity_data(cid).unwrap_or(&[]), depth, parents::NONE)?;
        }
        Ok(())
    }

    /// `None` where the gate left the block out.
    fn visit(
        &mut self,
        slot: usize,
        cid: &Cid,
        depth: u32,
        gate: &mut impl Gate,
    ) -> Result<Option<Step>, Error> {
        self.frontier.pop();
        let Some(data) = self.lookups.close(slot) else {
            return Ok(Some(Step::Missing { cid: *cid, depth }));
        };
        if !gate.keep(cid, &data) {
            return Ok(None);
        }
        self.descend(cid, &data, depth, self.parents.next(self.order))?;
        Ok(Some(Step::Visit(Block::new_unchecked(*cid, data))))
    }

    /// Takes links out again that lead to nothing new. Done for a block's links in one go, because
    /// the places in memory where their CIDs are looked for are far apart, and a processor that
    /// fetches them all at once, for later too, takes little longer than for one.
    fn drop_known(&mut self, before: usize) {
        let Self { frontier, seen, lookups, order, .. } = self;
        frontier.retain(before, |link| {
            let known = seen.contains_hashed(link.hash, &link.cid);
            !known || Self::earlier(lookups, *order, &link.cid).is_some()
        });
    }

    /// Adds what a block links to; nothing of a block that does not parse.
    fn descend(&mut self, cid: &Cid, data: &[u8], depth: u32, number: u32) -> Result<(), Error> {
        let (before, frontier, seen) = (self.frontier.len(), &mut self.frontier, &self.seen);
        let scanned = for_each_link(cid, data, &self.limits, |link| {
            frontier.push(link, seen.hash(&link), depth + 1, number);
        });
        let added = frontier.len() - before;
        let too_deep = depth >= self.limits.max_depth && added > 0;
        if scanned.is_err() || too_deep {
            frontier.truncate(before);
            scanned?;
            return Err(Error::TooDeep { cid: *cid, max: self.limits.max_depth });
        }
        if added > 0 {
            self.deepest = self.deepest.max(depth + 1);
        }
        self.drop_known(before);
        if self.frontier.len() > before {
            self.parents.push(number, cid);
        }
        self.frontier.settle(before, self.order);
        Ok(())
    }
}
