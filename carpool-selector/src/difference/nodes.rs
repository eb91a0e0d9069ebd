use alloc::vec::Vec;
use carpool_core::Cid;
use hashbrown::{HashTable, hash_table::Entry};

use super::leaves::{Side, Sides};

/// A node and its hash.
pub(super) type Link = (Cid, u64);

/// Where an old node is linked to: the number of its parent among those opened, and its place there.
pub(super) type Place = (u32, u32);

/// The nodes of both sides: which of them links to each, and what lies below each old one that was
/// opened. A link of either side is looked up here once, when the block is opened that has it.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    table: HashTable<Node>,
    /// The nodes below each old node that was opened, in their order.
    opened: Vec<Opened>,
    announced: usize,
    missing: usize,
    old: usize,
    roots: Vec<Link>,
    /// Where in `opened` the next node lies that may be closed.
    next: (usize, usize),
}

/// What lies below an old node that was opened.
#[derive(Debug)]
struct Opened {
    /// Links between a root and the node's children, as far as they were opened one after another.
    level: u32,
    nodes: Vec<Link>,
}

#[derive(Debug)]
struct Node {
    hash: u64,
    sides: Sides,
    /// Of the old side.
    place: Option<Place>,
    state: State,
    /// Its number among the new links that wait for an old one.
    waiting: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Announced,
    Opened(u32),
}

/// What was known of a node that the new side links to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    /// By the new side alone.
    Before,
    /// By the old side, at a place unless it is a root.
    Old(Option<Place>),
}

impl Nodes {
    pub(super) fn add_root(&mut self, cid: Cid, hash: u64) {
        self.roots.push((cid, hash));
        self.link_old(hash, None);
        self.set(hash, State::Announced);
    }

    /// The root to hold the new root of this number against.
    pub(super) fn root(&self, number: usize) -> Option<&Link> {
        self.roots.get(number).or_else(|| self.roots.first())
    }

    fn link(&mut self, hash: u64, side: Side) -> (Sides, &mut Node) {
        let entry = self.table.entry(hash, |node| node.hash == hash, |node| node.hash);
        let before = match &entry {
            Entry::Occupied(entry) => entry.get().sides,
            Entry::Vacant(_) => Sides::NEITHER,
        };
        let new = || Node { hash, sides: before, place: None, state: State::Closed, waiting: None };
        let node = entry.or_insert_with(new).into_mut();
        node.sides = before.with(side);
        self.missing += usize::from(node.sides.is_missing());
        self.missing -= usize::from(before.is_missing());
        self.old += usize::from(node.sides.has(Side::Old)) - usize::from(before.has(Side::Old));
        (before, node)
    }

    /// Adds a link of an old node; returns the number of the new link that waited for it.
    pub(super) fn link_old(&mut self, hash: u64, place: Option<Place>) -> Option<u32> {
        let (before, node) = self.link(hash, Side::Old);
        if before.has(Side::Old) {
            return None;
        }
        node.place = place;
        node.waiting.take()
    }

    /// Adds a link of a new node, which waits under a number where the old side is not known to
    /// have it.
    pub(super) fn link_new(&mut self, hash: u64, number: u32) -> Seen {
        let (before, node) = self.link(hash, Side::New);
        if before.has(Side::Old) {
            return Seen::Old(node.place);
        }
        if before.has(Side::New) {
            return Seen::Before;
        }
        node.waiting = Some(number);
        Seen::Never
    }

    /// What is known by now of a node that the new side links to, which waits under a new number.
    pub(super) fn wait_again(&mut self, hash: u64, number: u32) -> Seen {
        match self.node_mut(hash) {
            Some(node) if node.sides.has(Side::Old) => Seen::Old(node.place),
            Some(node) => {
                node.waiting = Some(number);
                Seen::Never
            }
            None => Seen::Before,
        }
    }

    /// Keeps the nodes below an old node.
    pub(super) fn open(&mut self, hash: u64, nodes: Vec<Link>) {
        let (index, parent) = (self.next_index(), self.node(hash).and_then(|node| node.place));
        let parent = parent.and_then(|(parent, _)| self.opened.get(parent as usize));
        let level = parent.map_or(0, |parent| parent.level) + 1;
        self.opened.push(Opened { level, nodes });
        if let Some(node) = self.node_mut(hash) {
            node.state = State::Opened(index);
        }
    }

    /// The number that the old node has which is opened next.
    pub(super) fn next_index(&self) -> u32 {
        u32::try_from(self.opened.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn announce(&mut self, hash: u64) {
        self.set(hash, State::Announced);
    }

    fn set(&mut self, hash: u64, state: State) {
        self.announced += 1;
        if let Some(node) = self.node_mut(hash) {
            node.state = state;
        }
    }

    fn node(&self, hash: u64) -> Option<&Node> {
        self.table.find(hash, |node| node.hash == hash)
    }

    fn node_mut(&mut self, hash: u64) -> Option<&mut Node> {
        self.table.find_mut(hash, |node| node.hash == hash)
    }

    pub(super) fn sides(&self, hash: u64) -> Sides {
        self.node(hash).map_or(Sides::NEITHER, |node| node.sides)
    }

    /// Whether an old node may hold what the new side looks for: nobody looked into it, and the new
    /// side does not link to it. What both link to did not change.
    pub(super) fn is_of_use(&self, hash: u64) -> bool {
        let of_use = |node: &Node| node.state == State::Closed && !node.sides.has(Side::New);
        self.node(hash).is_some_and(of_use)
    }

    /// The number of an old node that was opened.
    pub(super) fn opened(&self, hash: u64) -> Option<u32> {
        match self.node(hash)?.state {
            State::Opened(index) => Some(index),
            State::Closed | State::Announced => None,
        }
    }

    /// The next old node that is of use, in the order in which they became known, unless it lies
    /// more than `level` links below a root.
    pub(super) fn next_of_use(&mut self, level: u32) -> Option<Link> {
        while let Some(opened) = self.opened.get(self.next.0).filter(|it| it.level <= level) {
            if let Some(link) = opened.nodes.get(self.next.1).copied() {
                self.next.1 += 1;
                if self.is_of_use(link.1) {
                    return Some(link);
                }
            } else {
                self.next = (self.next.0 + 1, 0);
            }
        }
        None
    }

    /// Whether the new side links to an old root, and so to all that is below it.
    pub(super) fn root_is_kept(&self) -> bool {
        self.roots.iter().any(|(_, hash)| self.sides(*hash).has(Side::New))
    }

    /// The old node at a place.
    pub(super) fn at(&self, parent: u32, place: usize) -> Option<&Link> {
        self.opened.get(parent as usize)?.nodes.get(place)
    }

    /// How many old nodes were opened or are about to be, roots beyond the first apart: which of
    /// them is like the new one nobody knows unread.
    pub(super) fn opened_nodes(&self) -> usize {
        self.announced - self.roots.len().saturating_sub(1)
    }

    /// Whether anything was there to be opened, or is a root of both sides.
    pub(super) fn is_known(&self) -> bool {
        !self.opened.is_empty() || self.root_is_kept()
    }

    /// Of the new side alone.
    pub(super) const fn missing(&self) -> usize {
        self.missing
    }

    /// Of the old side.
    pub(super) const fn old(&self) -> usize {
        self.old
    }
}
