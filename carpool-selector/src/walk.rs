use alloc::vec::Vec;
use carpool_core::{
    Block, Bytes, Cid, CidMap, CidSet, Error, Limits, for_each_link, identity_data,
};

use crate::frontier::{Frontier, Pending};

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
    /// Visited, found missing or left out.
    done: CidSet,
    /// Identity CIDs that were entered.
    entered: CidSet,
    /// Asked for, until visited.
    asked: CidMap<Lookup>,
    /// Whether the front is known to await an answer: then nothing moves until one comes.
    blocked: bool,
}

#[derive(Debug)]
enum Lookup {
    Waiting,
    Answered(Option<Bytes>),
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
        let roots = roots.into_iter().map(|cid| Pending::new(cid, 0)).collect();
        frontier.extend(roots, Order::BreadthFirst);
        Self {
            order,
            limits: limits.clone(),
            window: DEFAULT_WINDOW,
            frontier,
            done: CidSet::with_seed(seed),
            entered: CidSet::with_seed(seed),
            asked: CidMap::with_seed(seed),
            blocked: false,
        }
    }

    /// Asks for up to `window` CIDs ahead (at least one): memory is at most so many blocks, and in
    /// depth-first order one more a level.
    #[must_use]
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Adds a root that is walked after what is known now.
    pub fn handle_root(&mut self, cid: Cid) {
        self.frontier.extend(alloc::vec![Pending::new(cid, 0)], Order::BreadthFirst);
    }

    /// Goes on below a block that was missing and has come, `depth` links below a root.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn handle_block(&mut self, block: &Block, depth: u32) -> Result<(), Error> {
        let links = self.links(block.cid(), block.data(), depth)?;
        self.frontier.extend(links, self.order);
        self.blocked = false;
        Ok(())
    }

    /// Answers a [`Step::Load`]: the block's bytes, verified before, or `None` where it is not
    /// held. Answers may come in any order; one that nobody asked for is dropped.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if let Some(lookup) = self.asked.get_mut(cid) {
            *lookup = Lookup::Answered(data);
            self.blocked = false;
        }
    }

    /// The CIDs that were visited, found missing or left out; identity CIDs are never among them.
    #[must_use]
    pub const fn done(&self) -> &CidSet {
        &self.done
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
    pub fn poll(&mut self, mut enter: impl FnMut(&Cid) -> bool) -> Result<Option<Step>, Error> {
        if self.blocked {
            return Ok(self.next_load(&mut enter).map(Step::Load));
        }
        while let Some(front) = self.frontier.front() {
            let Pending { cid, depth, requested } = *front;
            if identity_data(&cid).is_some() {
                self.enter_identity(&cid, depth)?;
                continue;
            }
            match self.asked.get(&cid) {
                Some(Lookup::Answered(_)) => return self.visit(&cid, depth).map(Some),
                None if requested => drop(self.frontier.pop()),
                _ => {
                    let load = self.next_load(&mut enter);
                    if requested || load.is_some() {
                        self.blocked = requested;
                        return Ok(load.map(Step::Load));
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
    fn next_load(&mut self, enter: &mut impl FnMut(&Cid) -> bool) -> Option<Cid> {
        loop {
            let window = if self.asked.len() < self.window { self.window } else { 1 };
            let pending = self.frontier.next_unasked(window)?;
            let cid = pending.cid;
            if self.done.contains(&cid) {
                self.frontier.remove_unasked();
            } else if self.asked.contains(&cid) || identity_data(&cid).is_some() {
                pending.requested = true;
            } else if enter(&cid) {
                pending.requested = true;
                self.asked.insert(&cid, Lookup::Waiting);
                return Some(cid);
            } else {
                self.done.insert(&cid);
                self.frontier.remove_unasked();
            }
        }
    }

    /// Puts the links of an identity CID in its place: it shrinks with every level, so this ends.
    fn enter_identity(&mut self, cid: &Cid, depth: u32) -> Result<(), Error> {
        self.frontier.pop();
        if self.entered.insert(cid) {
            let links = self.links(cid, identity_data(cid).unwrap_or(&[]), depth)?;
            self.frontier.extend(links, self.order);
        }
        Ok(())
    }

    fn visit(&mut self, cid: &Cid, depth: u32) -> Result<Step, Error> {
        self.frontier.pop();
        self.done.insert(cid);
        let Some(Lookup::Answered(Some(data))) = self.asked.remove(cid) else {
            return Ok(Step::Missing { cid: *cid, depth });
        };
        let links = self.links(cid, &data, depth)?;
        self.frontier.extend(links, self.order);
        Ok(Step::Visit(Block::new_unchecked(*cid, data)))
    }

    fn links(&self, cid: &Cid, data: &[u8], depth: u32) -> Result<Vec<Pending>, Error> {
        let mut links = Vec::new();
        for_each_link(cid, data, &self.limits, |link| {
            if !self.done.contains(&link) {
                links.push(Pending::new(link, depth + 1));
            }
        })?;
        if depth >= self.limits.max_depth && !links.is_empty() {
            return Err(Error::TooDeep { cid: *cid, max: self.limits.max_depth });
        }
        Ok(links)
    }
}
