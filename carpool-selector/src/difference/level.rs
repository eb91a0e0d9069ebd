use alloc::vec::Vec;
use carpool_core::Cid;

use super::nodes::{Link, Nodes, Place, Seen};

/// The nodes below the new nodes that were opened last, in their order.
#[derive(Debug, Default)]
pub(super) struct Level {
    items: Vec<Item>,
    groups: Vec<Group>,
    /// Those without an equal on the old side, as of when `is_stale` was last unset.
    unmatched: Vec<Unmatched>,
    is_stale: bool,
}

/// What one new node links to.
#[derive(Debug)]
struct Group {
    /// The first item behind it.
    end: usize,
    /// The number of the node's counterpart.
    counterpart: Option<u32>,
    /// Which root this is, where it is one.
    root: Option<u32>,
}

#[derive(Debug)]
struct Item {
    cid: Cid,
    hash: u64,
    seen: Seen,
}

/// A new node that the old side is not known to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unmatched {
    pub(super) cid: Cid,
    pub(super) hash: u64,
    /// The old node to hold it against.
    pub(super) pair: Option<Link>,
}

impl Level {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number that the next link has.
    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn push(&mut self, cid: Cid, hash: u64, seen: Seen) {
        self.items.push(Item { cid, hash, seen });
        self.is_stale = true;
    }

    /// What was pushed since the last group is below one node.
    pub(super) fn end_group(&mut self, counterpart: Option<u32>, root: Option<u32>) {
        let end = self.items.len();
        self.groups.push(Group { end, counterpart, root });
    }

    /// The old side has the link that had this number, which may have been of another level.
    pub(super) fn found(&mut self, number: u32, hash: u64, place: Place) {
        let item = self.items.get_mut(number as usize).filter(|item| item.hash == hash);
        if let Some(item) = item {
            item.seen = Seen::Old(Some(place));
            self.is_stale = true;
        }
    }

    /// The nodes that the old side is not known to hold, each with its counterpart. Made anew only
    /// when some have been found since.
    pub(super) fn unmatched(&mut self, old: &Nodes) -> &[Unmatched] {
        if core::mem::take(&mut self.is_stale) {
            self.unmatched.clear();
            let mut start = 0;
            for group in &self.groups {
                group.unmatched(&self.items[start..group.end], old, &mut self.unmatched);
                start = group.end;
            }
        }
        &self.unmatched
    }

    /// The first that is unmatched is entered, so that what is below it comes as one more group.
    pub(super) fn enter_first(&mut self) {
        let first = self.items.iter_mut().find(|item| item.seen == Seen::Never);
        if let Some(item) = first {
            item.seen = Seen::Before;
        }
        self.is_stale = true;
    }

    /// No node has a counterpart, but by its neighbours.
    pub(super) fn forget_counterparts(&mut self) {
        self.groups.iter_mut().for_each(|group| group.counterpart = None);
        self.is_stale = true;
    }

    /// Takes the last group out, which is below the node that was entered first: the nodes that are
    /// to be looked for.
    pub(super) fn take_last(&mut self) -> Vec<Link> {
        self.groups.pop();
        let before = self.groups.last().map_or(0, |group| group.end);
        self.is_stale = true;
        let below = self.items.drain(before..);
        below.filter(|item| item.seen != Seen::Before).map(|item| (item.cid, item.hash)).collect()
    }

    /// Empties it.
    pub(super) fn take(&mut self) -> Vec<Unmatched> {
        self.items.clear();
        self.groups.clear();
        core::mem::take(&mut self.unmatched)
    }
}

/// For each place the nearest known one before it and the nearest behind it.
type Neighbours = (Option<usize>, Option<usize>);

fn neighbours(items: &[Item]) -> Vec<Neighbours> {
    let known = |item: &Item| matches!(item.seen, Seen::Old(Some(_)));
    let mut last = None;
    let mut all: Vec<Neighbours> = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        all.push((last, None));
        last = if known(item) { Some(place) } else { last };
    }
    let mut next = None;
    for (place, item) in items.iter().enumerate().rev() {
        all[place].1 = next;
        next = if known(item) { Some(place) } else { next };
    }
    all
}

impl Group {
    fn unmatched(&self, items: &[Item], old: &Nodes, found: &mut Vec<Unmatched>) {
        if items.iter().all(|item| item.seen != Seen::Never) {
            return;
        }
        let neighbours = neighbours(items);
        for (place, Item { cid, hash, seen }) in items.iter().enumerate() {
            if *seen == Seen::Never {
                let pair = self.counterpart_of(place, neighbours[place], items, old);
                found.push(Unmatched { cid: *cid, hash: *hash, pair });
            }
        }
    }

    /// The old node between the same neighbours; with no neighbour, the one at the same place.
    fn counterpart_of(
        &self,
        place: usize,
        near: Neighbours,
        items: &[Item],
        old: &Nodes,
    ) -> Option<Link> {
        if let Some(root) = self.root {
            return old.root(root as usize).copied();
        }
        let beside = |i: usize, to: &dyn Fn(usize) -> Option<usize>| match items[i].seen {
            Seen::Old(Some((parent, at))) => old.at(parent, to(at as usize)?),
            Seen::Never | Seen::Before | Seen::Old(None) => None,
        };
        let behind = near.0.and_then(|i| beside(i, &|at| at.checked_add(place - i)));
        let ahead = || near.1.and_then(|i| beside(i, &|at| at.checked_sub(i - place)));
        let same = || self.counterpart.and_then(|parent| old.at(parent, place));
        behind.or_else(ahead).or_else(same).copied()
    }
}
