use alloc::collections::VecDeque;
use carpool_core::Cid;

use crate::Order;

/// The number of a link that no block is known for.
pub(crate) const NONE: u32 = 0;

/// The blocks that pending links were found in, by number, from 1. Breadth first, links are visited in
/// the order of their blocks, so those before the last visit's are done with.
#[derive(Debug, Default)]
pub(crate) struct Parents {
    blocks: VecDeque<(u32, Cid)>,
    last: u32,
}

impl Parents {
    /// What the links of the next block are numbered by; [`NONE`] in an order in which it would not
    /// be found again.
    pub(crate) fn next(&self, order: Order) -> u32 {
        match order {
            Order::BreadthFirst => self.last.checked_add(1).unwrap_or(NONE),
            Order::DepthFirst => NONE,
        }
    }

    /// Links of the block are pending under the number that was [`next`](Self::next).
    pub(crate) fn push(&mut self, number: u32, cid: &Cid) {
        if number != NONE {
            self.blocks.push_back((number, *cid));
            self.last = number;
        }
    }

    /// A link under this number is visited.
    pub(crate) fn reach(&mut self, number: u32) {
        while number != NONE && self.blocks.front().is_some_and(|(first, _)| *first < number) {
            self.blocks.pop_front();
        }
    }

    /// The block of the link that is visited.
    pub(crate) fn find(&self, number: u32) -> Option<&Cid> {
        let (first, cid) = self.blocks.front()?;
        (*first == number).then_some(cid)
    }
}
