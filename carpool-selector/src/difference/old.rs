use alloc::vec::Vec;
use carpool_core::Cid;
use hashbrown::HashTable;

use carpool_core::Fingerprints;

/// A node and its hash.
pub(super) type Link = (Cid, u64);

/// What is known of the old side: the roots, and the children of every node that was opened.
#[derive(Debug, Default)]
pub(super) struct Old {
    leaves: Fingerprints,
    nodes: HashTable<Node>,
    /// The nodes below each node that was opened, in their order.
    opened: Vec<Opened>,
    announced: usize,
    roots: Vec<Link>,
    /// Where in `opened` the next node lies that may be closed.
    next: (usize, usize),
}

/// What lies below a node that was opened.
#[derive(Debug)]
struct Opened {
    /// Links between a root and the node's children, as far as they were opened one after another.
    level: u32,
    nodes: Vec<Link>,
}

#[derive(Debug)]
struct Node {
    hash: u64,
    /// Its parent among those opened, and its place below it.
    place: Option<(u32, u32)>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Announced,
    Opened(u32),
}

impl Old {
    pub(super) fn add_root(&mut self, cid: Cid, hash: u64) {
        self.roots.push((cid, hash));
        self.add(Node { hash, place: None, state: State::Announced });
        self.announced += 1;
    }

    /// The root to hold the new root of this number against.
    pub(super) fn root(&self, number: usize) -> Option<&Link> {
        self.roots.get(number).or_else(|| self.roots.first())
    }

    /// Adds a child of the node that will be opened next.
    pub(super) fn add_node(&mut self, hash: u64, parent: u32, place: usize) {
        let place = u32::try_from(place).ok().map(|place| (parent, place));
        self.add(Node { hash, place, state: State::Closed });
    }

    fn add(&mut self, node: Node) {
        if self.node(node.hash).is_none() {
            self.nodes.insert_unique(node.hash, node, |node| node.hash);
        }
    }

    pub(super) fn add_leaf(&mut self, hash: u64) {
        self.leaves.insert(hash);
    }

    /// Keeps the nodes below a node.
    pub(super) fn open(&mut self, hash: u64, nodes: Vec<Link>) {
        let (index, parent) = (self.next_index(), self.place(hash).map(|(parent, _)| parent));
        let parent = parent.and_then(|parent| self.opened.get(parent as usize));
        let level = parent.map_or(0, |parent| parent.level) + 1;
        self.opened.push(Opened { level, nodes });
        self.set(hash, State::Opened(index));
    }

    /// The number that the node has which is opened next.
    pub(super) fn next_index(&self) -> u32 {
        u32::try_from(self.opened.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn announce(&mut self, hash: u64) {
        self.set(hash, State::Announced);
        self.announced += 1;
    }

    fn set(&mut self, hash: u64, state: State) {
        if let Some(node) = self.nodes.find_mut(hash, |node| node.hash == hash) {
            node.state = state;
        }
    }

    fn node(&self, hash: u64) -> Option<&Node> {
        self.nodes.find(hash, |node| node.hash == hash)
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.node(hash).is_some() || self.leaves.contains(hash)
    }

    /// Whether a node is known and nobody looked into it.
    pub(super) fn is_closed(&self, hash: u64) -> bool {
        self.node(hash).is_some_and(|node| node.state == State::Closed)
    }

    /// The number of a node that was opened.
    pub(super) fn opened(&self, hash: u64) -> Option<u32> {
        match self.node(hash)?.state {
            State::Opened(index) => Some(index),
            State::Closed | State::Announced => None,
        }
    }

    /// The next node that nobody looked into, in the order in which they became known, unless it
    /// lies more than `level` links below a root.
    pub(super) fn next_closed(&mut self, level: u32) -> Option<Link> {
        while let Some(opened) = self.opened.get(self.next.0).filter(|it| it.level <= level) {
            if let Some(link) = opened.nodes.get(self.next.1).copied() {
                self.next.1 += 1;
                if self.is_closed(link.1) {
                    return Some(link);
                }
            } else {
                self.next = (self.next.0 + 1, 0);
            }
        }
        None
    }

    /// The parent's number and the place of a node.
    pub(super) fn place(&self, hash: u64) -> Option<(u32, u32)> {
        self.node(hash)?.place
    }

    /// The node at a place.
    pub(super) fn at(&self, parent: u32, place: usize) -> Option<&Link> {
        self.opened.get(parent as usize)?.nodes.get(place)
    }

    /// How many nodes were opened, or are about to be.
    pub(super) const fn opened_nodes(&self) -> usize {
        self.announced
    }

    /// Whether anything was there to be opened.
    pub(super) fn is_known(&self) -> bool {
        !self.opened.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len() + self.leaves.len()
    }
}
