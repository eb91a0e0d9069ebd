use carpool_bloom::Filter;
use carpool_core::Cid;

use super::{Asked, Sink};
use crate::{
    Known,
    narrowing::{interior_params, may_link_bytes},
    planner::DEEPEST_TREE,
    sizing::{Sizing, filled},
};

/// Blocks that are taken to be missing for each one that a filter hid.
const BELOW_A_HIDDEN: usize = 32;

impl Sink {
    /// All that is known to be held, but for what the source has just sent.
    pub(super) fn filter(&mut self) -> Option<Filter> {
        let known = self.take_known();
        let both = known.and_then(|known| known.with(|insert| self.for_each_told(insert)));
        if both.is_some() {
            return both;
        }
        let mut held = 0;
        self.for_each_told(&mut |_| held += 1);
        let params = (held > 0).then(|| self.sizing(held).params());
        params.map(|params| filled(params, |insert| self.for_each_told(insert)))
    }

    pub(super) fn take_known(&mut self) -> Option<Known> {
        let Asked::Answered(known) = &mut self.summary else { return None };
        let known = known.take().filter(|known| known.bytes() <= self.limits.max_bloom_bytes);
        self.summary = Asked::NotYet;
        known
    }

    /// As [`filter`](Self::filter), of blocks that can have links.
    pub(super) fn interior_filter(&mut self) -> Option<Filter> {
        let known = self.take_known();
        let own = |each: &mut dyn FnMut(&[u8])| {
            self.for_each_told(&mut |cid| {
                if may_link_bytes(cid) {
                    each(cid);
                }
            });
        };
        let both = known.and_then(|known| known.with_interior(own));
        if both.is_some() {
            return both;
        }
        let mut n = 0;
        own(&mut |_| n += 1);
        let params = (n > 0).then(|| interior_params(n, self.limits.max_bloom_bytes));
        params.map(|params| filled(params, own))
    }

    /// In a tree what two filters hid lies side by side, in a history one behind the other.
    pub(super) fn sizing(&self, held: usize) -> Sizing {
        let deep = u64::from(self.walk.deepest().max(self.seeds.depth())) > DEEPEST_TREE;
        let known = self.wants.len();
        let missing = match self.hidings {
            0 => Sizing::expected_missing(held, known),
            _ => (known * BELOW_A_HIDDEN) as f64,
        };
        let doublings = self.hidings.saturating_sub(u32::from(!deep));
        let max_bytes = self.limits.max_bloom_bytes;
        Sizing { held, missing, deep, path: self.path, max_bytes, doublings }
    }

    /// Whether this block is known to be held: it lies below an old root that is whole, or below the root
    /// that is wanted, and is not missing.
    #[must_use]
    pub fn holds(&self, cid: &Cid) -> bool {
        let below_root = self.walk.seen().contains(cid) && !self.wants.contains(cid);
        below_root || self.seeds.held().contains(cid)
    }

    /// What is held below the root and below the old roots. Of the latter, only what is held with all
    /// that lies below it; what is missing below a block under the root is wanted by name.
    pub(super) fn for_each_held(&self, each: &mut dyn FnMut(&[u8])) {
        let (done, seeds) = (self.walk.seen(), self.seeds.held());
        done.for_each(|cid| {
            if !self.wants.contains_bytes(cid) {
                each(cid);
            }
        });
        seeds.for_each(|cid| {
            if !done.contains_bytes(cid) {
                each(cid);
            }
        });
    }

    /// The same, but for what the source has just sent.
    pub(super) fn for_each_told(&self, each: &mut dyn FnMut(&[u8])) {
        self.for_each_held(&mut |cid| {
            if self.pushed.as_ref().is_none_or(|pushed| !pushed.contains_bytes(cid)) {
                each(cid);
            }
        });
    }
}
