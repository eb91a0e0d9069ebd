use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::Cid;

use crate::Order;

/// A CID that is to be visited.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) cid: Cid,
    /// Links between a root and this CID, on the way it was first found.
    pub(crate) depth: u32,
    /// Whether it was asked for.
    pub(crate) requested: bool,
}

impl Pending {
    pub(crate) const fn new(cid: Cid, depth: u32) -> Self {
        Self { cid, depth, requested: false }
    }
}

/// What is to be visited, next first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    queue: VecDeque<Pending>,
    /// Everything before this index was asked for.
    asked: usize,
}

impl Frontier {
    /// Adds the links of the block that was just visited.
    pub(crate) fn extend(&mut self, links: Vec<Pending>, order: Order) {
        match order {
            Order::BreadthFirst => self.queue.extend(links),
            Order::DepthFirst => {
                self.asked = 0;
                links.into_iter().rev().for_each(|link| self.queue.push_front(link));
            }
        }
    }

    pub(crate) fn front(&self) -> Option<&Pending> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        self.asked = self.asked.saturating_sub(1);
        self.queue.pop_front()
    }

    /// The first CID among the next `window` that was not asked for.
    pub(crate) fn next_unasked(&mut self, window: usize) -> Option<&mut Pending> {
        let end = window.min(self.queue.len());
        while self.asked < end && self.queue[self.asked].requested {
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
