use alloc::boxed::Box;
use carpool_core::{Block, Bytes, Cid, CidList, CidSet, Limits, may_link};
use carpool_selector::{DEFAULT_WINDOW, Difference, Order, Step, Walk};

use super::SourceOutput;
use crate::{
    Error, Narrowing, Session, Share,
    cold::{self, ColdCall},
    extension::Scope,
    naming::Naming,
    pruning::{Doubts, Pruning},
};

#[derive(Debug)]
pub(super) struct Round {
    limits: Limits,
    walk: Walk,
    pub(super) wanted: CidList,
    /// Where in `wanted` lies what the walk does not know of yet.
    next: usize,
    pub(super) narrowing: Narrowing,
    pub(super) scope: Scope,
    /// What is wanted by a bitmap.
    pub(super) naming: Option<Naming>,
    doubts: Doubts,
    /// The comparison with what the sink holds, until it is done.
    pub(super) difference: Option<Box<Difference>>,
    /// What the walk left out because the sink seems to hold it or is to name it, and what is not
    /// held here; for a source that remembers, and where it may be named later.
    pub(super) unsent: Option<CidSet>,
    cold: Option<ColdCall>,
    /// Blocks that were sent, whether any had links, and those that were named.
    pub(super) sent: u64,
    pub(super) sent_interior: bool,
    pub(super) named: u64,
    pub(super) over: bool,
}

/// How many wanted CIDs the walk knows of: a list of them is smaller than a frontier.
const ROOTS_AHEAD: usize = 256;

impl Round {
    pub(super) fn new(
        wanted: CidList,
        narrowing: Narrowing,
        cold: Option<ColdCall>,
        order: Order,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let window = if cold.is_some() { cold::WINDOW } else { DEFAULT_WINDOW };
        let mut walk = Walk::new([], order, limits, seed).with_window(window);
        walk.reserve(wanted.len());
        Self {
            limits: limits.clone(),
            walk,
            wanted,
            next: 0,
            narrowing,
            scope: Scope::All,
            naming: None,
            doubts: Doubts::new(limits),
            difference: None,
            unsent: None,
            cold,
            sent: 0,
            sent_interior: false,
            named: 0,
            over: false,
        }
    }

    pub(super) fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if let Some(difference) = &mut self.difference {
            return difference.handle_load(cid, data);
        }
        let data = match &mut self.naming {
            Some(naming) => match naming.answer(cid, data) {
                Ok(()) => return,
                Err(data) => data,
            },
            None => data,
        };
        self.walk.handle_load(cid, data);
    }

    pub(super) fn poll(
        &mut self,
        session: &Session,
        mut share: Option<&mut Share>,
    ) -> Result<Option<SourceOutput>, Error> {
        if let Some(waits) = self.compare() {
            return Ok(waits.map(SourceOutput::Load));
        }
        loop {
            if let Some(block) = self.release() {
                return Ok(Some(SourceOutput::Transmit(block)));
            }
            match self.step(session, share.as_deref_mut()).inspect_err(|_| self.over = true)? {
                Some(Step::Load(cid)) => return Ok(Some(SourceOutput::Load(cid))),
                Some(Step::Missing { cid, .. }) => {
                    if let Some(output) = self.lack(cid) {
                        return Ok(Some(output));
                    }
                }
                Some(Step::Visit(block)) if self.skips(block.cid(), session, &mut share) => {}
                Some(Step::Visit(block)) => {
                    self.note_sent(block.cid());
                    if let Some(block) = self.admit(block) {
                        return Ok(Some(SourceOutput::Transmit(block)));
                    }
                }
                None => return Ok(self.read_named().or_else(|| self.end())),
            }
        }
    }

    /// The next look-up of what a bitmap names.
    fn read_named(&mut self) -> Option<SourceOutput> {
        self.naming.as_mut()?.poll().map(SourceOutput::Load)
    }

    /// The next look-up of the comparison, if there is one to be awaited; `None` once it is done.
    fn compare(&mut self) -> Option<Option<Cid>> {
        let next = self.difference.as_mut()?.poll();
        let done = self.difference.take_if(|difference| difference.is_done());
        match done {
            Some(known) if known.knows_old() => self.narrowing = Narrowing::Compared(known),
            Some(_) => {}
            None => return Some(next),
        }
        None
    }

    /// Whether a block was looked up for its links alone; of a leaf the walk was told before.
    fn skips(&mut self, cid: &Cid, session: &Session, share: &mut Option<&mut Share>) -> bool {
        let Some(share) = share.as_mut().filter(|_| may_link(cid)) else { return false };
        let skips = !share.sends(cid, &self.narrowing, session);
        if let Some(unsent) = self.unsent.as_mut().filter(|_| skips) {
            unsent.insert(cid);
        }
        skips
    }

    fn note_sent(&mut self, cid: &Cid) {
        self.doubts.note_sent(cid);
        self.sent += 1;
        self.sent_interior |= may_link(cid);
    }

    /// What was looked up for a second look alone is lacking to nobody.
    fn lack(&mut self, cid: Cid) -> Option<SourceOutput> {
        if let Some(unsent) = &mut self.unsent {
            unsent.insert(&cid);
        }
        (!self.doubts.close(&cid)).then_some(SourceOutput::Missing(cid))
    }

    /// The block that goes out when the walk comes to `block`.
    fn admit(&mut self, block: Block) -> Option<Block> {
        match &mut self.cold {
            Some(cold) => cold.take(block, self.unsent.as_mut()),
            None => Some(block),
        }
    }

    /// What a cold call kept, once it is known that all fits.
    fn release(&mut self) -> Option<Block> {
        let ready = !self.over && self.walk.is_done();
        self.cold.as_mut().filter(|_| ready)?.release()
    }

    fn step(
        &mut self,
        session: &Session,
        mut share: Option<&mut Share>,
    ) -> Result<Option<Step>, carpool_core::Error> {
        if self.over || self.is_exceeded() {
            return Ok(None);
        }
        loop {
            let more = self.add_roots();
            let step = self.walk_on(session, share.as_deref_mut())?;
            if step.is_some() || !more || !self.walk.is_done() {
                return Ok(step);
            }
        }
    }

    /// Tells the walk of wanted CIDs; whether there are more that could be told now.
    fn add_roots(&mut self) -> bool {
        while let Some((cid, next)) = self.wanted.at(self.next) {
            if self.walk.pending() >= ROOTS_AHEAD {
                return true;
            }
            self.walk.handle_root(cid);
            self.next = next;
        }
        self.add_named()
    }

    /// As [`add_roots`](Self::add_roots), of what a bitmap names, by the block.
    fn add_named(&mut self) -> bool {
        let Self { walk, naming: Some(naming), unsent, limits, .. } = self else { return false };
        while walk.pending() < ROOTS_AHEAD {
            let told = naming.next(limits, |cid| {
                // Met before it was known to be named.
                if unsent.as_mut().is_some_and(|unsent| unsent.remove(&cid)) {
                    walk.forget(&cid);
                }
                walk.handle_root(cid);
            });
            if !told {
                return false;
            }
        }
        true
    }

    fn walk_on(
        &mut self,
        session: &Session,
        share: Option<&mut Share>,
    ) -> Result<Option<Step>, carpool_core::Error> {
        let Self { walk, wanted, narrowing, scope, naming, unsent, doubts, named, .. } = self;
        let (naming, unsent, scope) = (naming.as_mut(), unsent.as_mut(), *scope);
        let mut pruning =
            Pruning { narrowing, session, wanted, naming, scope, unsent, doubts, named, share };
        walk.poll_through(&mut pruning)
    }

    fn end(&mut self) -> Option<SourceOutput> {
        let named = self.naming.as_ref().is_none_or(Naming::is_done);
        let ends = !self.over && (self.is_exceeded() || self.walk.is_done() && named);
        self.over |= ends;
        ends.then_some(SourceOutput::EndRound)
    }

    fn is_exceeded(&self) -> bool {
        self.cold.as_ref().is_some_and(ColdCall::is_exceeded)
    }

    /// What the round sent.
    pub(super) fn into_sent(self) -> CidSet {
        let mut sent = self.walk.into_done();
        let kept = self.cold.iter().flat_map(ColdCall::kept);
        kept.for_each(|cid| {
            sent.remove(cid);
        });
        if let Some(unsent) = self.unsent {
            unsent.for_each(|cid| {
                sent.remove_bytes(cid);
            });
        }
        sent
    }
}
