use alloc::collections::VecDeque;
use carpool_core::Cid;

use crate::Order;

/// A CID that is to be visited.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) cid: Cid,
    /// The CID's hash in the set of what the walk has seen.
    pub(crate) hash: u64,
    /// Links between a root and this CID, on the way it was first found.
    pub(crate) depth: u32,
    /// The number of the block that links to it, see [`Parents`](crate::parents::Parents).
    pub(crate) parent: u32,
    pub(crate) asked: Asked,
}

/// How far the look-up of a [`Pending`] CID has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    NotYet,
    /// It carries its data and needs no look-up.
    Needless,
    /// Under this slot of the look-ups.
    Slot(usize),
}

/// What is to be visited, next first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    queue: VecDeque<Pending>,
    /// Everything before this index was asked for.
    asked: usize,
}

impl Frontier {
    /// Adds one link at the end; [`settle`](Self::settle) follows when the block's last was added.
    pub(crate) fn push(&mut self, cid: Cid, hash: u64, depth: u32, parent: u32) {
        self.queue.push_back(Pending { cid, hash, depth, parent, asked: Asked::NotYet });
    }

    /// Puts all but the first `before` where `order` wants the links of the block that was just
    /// visited.
    pub(crate) fn settle(&mut self, before: usize, order: Order) {
        if order == Order::DepthFirst {
            self.asked = 0;
            self.queue.rotate_right(self.queue.len() - before);
        }
    }

    /// Keeps of all but the first `before` those that are to be `kept`, in their order.
    pub(crate) fn retain(&mut self, before: usize, kept: impl Fn(&Pending) -> bool) {
        let mut end = before;
        for at in before..self.queue.len() {
            if kept(&self.queue[at]) {
                if at != end {
                    self.queue.swap(end, at);
                }
                end += 1;
            }
        }
        self.queue.truncate(end);
    }

    /// Takes all but the first `len` out again.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.queue.truncate(len);
    }

    pub(crate) fn front(&self) -> Option<&Pending> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) {
        self.asked = self.asked.saturating_sub(1);
        self.queue.pop_front();
    }

    /// The first CID among the next `window` that was not asked for.
    pub(crate) fn next_unasked(&mut self, window: usize) -> Option<&mut Pending> {
        let end = window.min(self.queue.len());
        while self.asked < end && self.queue[self.asked].asked != Asked::NotYet {
            self.asked += 1;
        }
        if self.asked < end { self.queue.get_mut(self.asked) } else { None }
    }

    /// Takes the CID that [`next_unasked`](Self::next_unasked) found out of the frontier.
    pub(crate) fn remove_unasked(&mut self) {
        self.queue.remove(self.asked);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
