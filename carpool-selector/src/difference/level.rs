use alloc::vec::Vec;
use carpool_core::Cid;

use super::old::{Link, Old};

/// The nodes below one new node, in their order.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) links: Vec<Link>,
    /// The number of their parent's counterpart.
    pub(super) counterpart: Option<u32>,
    /// Which root this is, where it is one.
    pub(super) root: Option<u32>,
}

/// A new node that the old side is not known to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unmatched {
    pub(super) cid: Cid,
    pub(super) hash: u64,
    /// The old node to hold it against.
    pub(super) pair: Option<Link>,
}

/// The nodes of a level that the old side is not known to hold, each with its counterpart; `skip`
/// says of which nothing is to be known.
pub(super) fn unmatched(level: &[Group], old: &Old, skip: impl Fn(u64) -> bool) -> Vec<Unmatched> {
    let mut found = Vec::new();
    for group in level {
        let known: Vec<bool> = group.links.iter().map(|(_, hash)| old.contains(*hash)).collect();
        let neighbours = neighbours(&known);
        for (place, (cid, hash)) in group.links.iter().enumerate() {
            if !known[place] && !skip(*hash) {
                let pair = group.counterpart_of(place, neighbours[place], old);
                found.push(Unmatched { cid: *cid, hash: *hash, pair });
            }
        }
    }
    found
}

/// For each place the nearest known one before it and the nearest behind it.
type Neighbours = (Option<usize>, Option<usize>);

fn neighbours(known: &[bool]) -> Vec<Neighbours> {
    let mut last = None;
    let mut all: Vec<Neighbours> = Vec::with_capacity(known.len());
    for (place, is_known) in known.iter().enumerate() {
        all.push((last, None));
        last = if *is_known { Some(place) } else { last };
    }
    let mut next = None;
    for (place, is_known) in known.iter().enumerate().rev() {
        all[place].1 = next;
        next = if *is_known { Some(place) } else { next };
    }
    all
}

impl Group {
    /// The old node between the same neighbours; with no neighbour, the one at the same place.
    fn counterpart_of(&self, place: usize, near: Neighbours, old: &Old) -> Option<Link> {
        if let Some(root) = self.root {
            return old.root(root as usize).copied();
        }
        let behind = near.0.and_then(|i| self.beside(i, old, |at| at.checked_add(place - i)));
        let ahead = || near.1.and_then(|i| self.beside(i, old, |at| at.checked_sub(i - place)));
        let same = || self.counterpart.and_then(|parent| old.at(parent, place));
        behind.or_else(ahead).or_else(same).copied()
    }

    fn beside<'a>(
        &self,
        neighbour: usize,
        old: &'a Old,
        place: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<&'a Link> {
        let (parent, at) = old.place(self.links[neighbour].1)?;
        old.at(parent, place(at as usize)?)
    }
}
