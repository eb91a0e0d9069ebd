use alloc::vec::Vec;
use carpool_core::{Cid, CidList, CidSet, Limits, for_each_link, identity_data, may_link};
use carpool_selector::Gate;

use crate::{Narrowing, Session, Share, extension::Scope, naming::Naming};

/// Second looks that a round may take before it has sent anything.
const SPARE: u64 = 64;

/// Second looks at blocks that a filter hits: one with links counts as held only where the filter hits
/// all those of its links that may have links themselves. By chance that happens at the square of the
/// filter's rate, and a history of new nodes is not left out from the first one on that is hit.
///
/// Of leaves nothing can be said, and a hit leaf costs no more than itself. A look costs a look-up,
/// so there is one for each block with links that is sent, and [`SPARE`]: what a filter says buys no
/// work.
#[derive(Debug)]
pub(crate) struct Doubts {
    limits: Limits,
    left: u64,
    /// What is looked at: no more than the walk looks ahead.
    open: Vec<Cid>,
}

impl Doubts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), left: SPARE, open: Vec::new() }
    }

    /// A block goes out.
    pub(crate) fn note_sent(&mut self, cid: &Cid) {
        self.left += u64::from(may_link(cid));
    }

    fn open(&mut self, cid: &Cid) -> bool {
        let opens = may_link(cid) && self.left > 0;
        if opens {
            self.left -= 1;
            self.open.push(*cid);
        }
        opens
    }

    /// Whether `cid` was to be looked at; it is no more.
    pub(crate) fn close(&mut self, cid: &Cid) -> bool {
        let place = self.open.iter().position(|open| open == cid);
        place.map(|place| self.open.swap_remove(place)).is_some()
    }
}

/// What a round leaves out of its walk.
pub(crate) struct Pruning<'a> {
    pub(crate) narrowing: &'a Narrowing,
    pub(crate) session: &'a Session,
    pub(crate) wanted: &'a CidList,
    /// What a bitmap names.
    pub(crate) naming: Option<&'a mut Naming>,
    pub(crate) scope: Scope,
    /// How many blocks were named that the walk met.
    pub(crate) named: &'a mut u64,
    pub(crate) unsent: Option<&'a mut CidSet>,
    pub(crate) doubts: &'a mut Doubts,
    pub(crate) share: Option<&'a mut Share>,
}

impl Pruning<'_> {
    fn is_named(&mut self, cid: &Cid) -> bool {
        let by_bitmap = self.naming.as_mut().is_some_and(|naming| naming.meet(cid));
        let named = by_bitmap || self.wanted.contains(cid);
        *self.named += u64::from(named);
        named
    }

    fn leave_out(&mut self, cid: &Cid) -> bool {
        if let Some(unsent) = &mut self.unsent {
            unsent.insert(cid);
        }
        false
    }

    /// Of a share's walk. What is named is where it begins, and is sent by its owner like any other block.
    fn enter_shared(&mut self, cid: &Cid) -> bool {
        let below = self.is_named(cid) || self.scope.takes(cid);
        let held = self.narrowing.is_of_whole_dags() && self.narrowing.hides(cid);
        if !below || held {
            return self.leave_out(cid);
        }
        may_link(cid) || self.is_mine(cid) || self.leave_out(cid)
    }

    fn is_mine(&mut self, cid: &Cid) -> bool {
        let Self { share, narrowing, session, .. } = self;
        share.as_mut().is_none_or(|share| share.sends(cid, narrowing, session))
    }

    fn seems_held(&self, link: &Cid) -> bool {
        let asks = may_link(link) && identity_data(link).is_none();
        !asks
            || self.narrowing.hides(link)
            || self.session.contains(link)
            || self.wanted.contains(link)
    }

    /// Of a block that does not parse nothing would go out anyway.
    fn is_held(&self, cid: &Cid, data: &[u8]) -> bool {
        let mut held = true;
        let read = for_each_link(cid, data, &self.doubts.limits, |link| {
            held = held && self.seems_held(&link);
        });
        held || read.is_err()
    }
}

impl Gate for Pruning<'_> {
    fn enter(&mut self, cid: &Cid) -> bool {
        if self.share.is_some() {
            return self.enter_shared(cid);
        }
        // Blocks wanted by name go out whatever a filter says (CAR Mirror §3.2.2).
        if self.is_named(cid) {
            return true;
        }
        if !self.scope.takes(cid) {
            return self.leave_out(cid);
        }
        let hidden = self.narrowing.hides(cid);
        let was_sent = self.session.contains(cid);
        if !(hidden || was_sent) {
            return true;
        }
        let doubted = self.narrowing.may_err() && !was_sent && self.doubts.open(cid);
        doubted || (hidden && self.leave_out(cid))
    }

    fn keep(&mut self, cid: &Cid, data: &[u8]) -> bool {
        let held = self.doubts.close(cid) && self.is_held(cid, data);
        !held || self.leave_out(cid)
    }
}
