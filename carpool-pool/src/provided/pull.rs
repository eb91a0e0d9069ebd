use alloc::collections::VecDeque;
use carpool_core::{Cid, may_link};

use crate::Plan;

/// What a source does in a pull of a session, beside sending its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It leaves out what others promise, and says what it lacks and when it is done.
    Minds,
    /// The same, and when its share is sent it goes on with leaves that nobody promises.
    TakesOver,
}

/// The number of a pull among those of a [`Member`](super::Member).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullId(pub(super) u64);

/// One pull under way.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) plan: Plan,
    part: Part,
    /// Whether its share is sent.
    pub(super) sent: bool,
    /// Leaves of others that its walk met and that may be taken over: the far end of the walk behind, and once the share
    /// is sent in front.
    others: VecDeque<Cid>,
}

impl Pull {
    pub(super) const fn new(plan: Plan, part: Part) -> Self {
        Self { plan, part, sent: false, others: VecDeque::new() }
    }

    /// Whether a block that the walk met is one to take over later. Those of the reserve are the sink's, and blocks
    /// with links are left to their owners.
    pub(super) fn may_take(&self, cid: &Cid) -> bool {
        let takes = self.part == Part::TakesOver && !self.sent;
        takes && !may_link(cid) && self.plan.owner(cid).is_some()
    }

    pub(super) fn note(&mut self, cid: &Cid) {
        self.others.push_back(*cid);
    }

    pub(super) fn noted(&self) -> usize {
        self.others.len()
    }

    /// Forgets the leaf at the near end.
    pub(super) fn forget_one(&mut self) {
        if self.sent {
            self.others.pop_back();
        } else {
            self.others.pop_front();
        }
    }

    pub(super) fn finish(&mut self) {
        if !self.sent {
            self.others.make_contiguous().reverse();
        }
        self.sent = true;
    }

    pub(super) fn take_noted(&mut self) -> VecDeque<Cid> {
        core::mem::take(&mut self.others)
    }

    pub(super) fn put_back(&mut self, others: VecDeque<Cid>) {
        self.others = others;
    }

    #[cfg(test)]
    pub(super) const fn others(&self) -> &VecDeque<Cid> {
        &self.others
    }
}
