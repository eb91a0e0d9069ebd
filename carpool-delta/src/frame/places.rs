use alloc::vec::Vec;
use carpool_core::{Cid, CidMap};

use super::record::Place;
use crate::{limits::MAX_NODES, operation::apart};

/// What the encoder knows of the decoder's nodes.
#[derive(Debug)]
pub(super) struct Places {
    /// The front one last.
    list: Vec<Node>,
    /// Where each CID is linked.
    links: CidMap<(NodeId, u32)>,
    /// As `links`, of those that lie below an old root by the places of old nodes alone.
    old: CidMap<(NodeId, u32)>,
    /// The old roots, which their CIDs name as well.
    held: Vec<Cid>,
    next: u32,
    seed: u64,
}

/// A node, for as long as it is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

#[derive(Debug)]
struct Node {
    id: NodeId,
    /// The link behind that which was named last.
    next: usize,
}

/// Links that are remembered: beyond it, those before are forgotten.
const MAX_LINKS: usize = 1 << 15;

impl Places {
    pub(super) fn new(held: Vec<Cid>, seed: u64) -> Self {
        let (links, old) = (CidMap::with_seed(seed), CidMap::with_seed(seed));
        Self { list: Vec::new(), links, old, held, next: 0, seed }
    }

    /// Adds a new node to the front.
    pub(super) fn push(&mut self, links: impl Iterator<Item = Cid>) -> NodeId {
        self.push_with(links, usize::MAX)
    }

    /// Adds a node whose links from `first_old` on lie below an old root, or are one.
    pub(super) fn push_with(
        &mut self,
        links: impl Iterator<Item = Cid>,
        first_old: usize,
    ) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        if self.list.len() >= MAX_NODES {
            self.list.remove(0);
        }
        self.list.push(Node { id, next: 0 });
        if self.links.len() > MAX_LINKS {
            self.links = CidMap::with_seed(self.seed);
            self.old = CidMap::with_seed(self.seed);
        }
        for (n, cid) in links.take(MAX_LINKS).enumerate() {
            let place = (id, u32::try_from(n).unwrap_or(u32::MAX));
            self.links.insert(&cid, place);
            if n >= first_old {
                self.old.insert(&cid, place);
            }
        }
        id
    }

    /// The position of a node, which goes to the front; `None` once it is not in the list any more.
    pub(super) fn position(&mut self, id: NodeId) -> Option<usize> {
        let position = self.list.iter().rev().position(|node| node.id == id)?;
        let index = self.list.len() - 1 - position;
        let node = self.list.remove(index);
        self.list.push(node);
        Some(position)
    }

    /// Whether a block can be named by its place.
    pub(super) fn knows(&self, cid: &Cid) -> bool {
        self.links.get(cid).is_some_and(|(id, _)| self.contains(*id))
    }

    /// Whether a name shows that the block lies below an old root, or is one.
    pub(super) fn knows_old(&self, cid: &Cid) -> bool {
        self.held.contains(cid) || self.old.get(cid).is_some_and(|(id, _)| self.contains(*id))
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.list.iter().any(|node| node.id == id)
    }

    /// The position of a node and how to say which link of it is meant, of several the first.
    pub(super) fn link(&mut self, id: NodeId, link: usize, count: usize) -> Option<(usize, i64)> {
        let position = self.position(id)?;
        let node = self.list.last_mut()?;
        let relative = apart(link, node.next);
        node.next = link + count;
        Some((position, relative))
    }

    /// How to name a block.
    pub(super) fn place(&mut self, cid: &Cid) -> Place {
        let linked = self.links.get(cid).copied();
        self.place_of(cid, linked)
    }

    /// How to name an old block.
    pub(super) fn place_old(&mut self, cid: &Cid) -> Place {
        let known = self.old.get(cid).copied().filter(|(id, _)| self.contains(*id));
        if known.is_none() && self.held.contains(cid) {
            return Place::Cid(*cid);
        }
        let linked = known.or_else(|| self.links.get(cid).copied());
        self.place_of(cid, linked)
    }

    fn place_of(&mut self, cid: &Cid, linked: Option<(NodeId, u32)>) -> Place {
        let of = linked.and_then(|(id, link)| self.link(id, link as usize, 1));
        of.map_or(Place::Cid(*cid), |(position, link)| Place::Of { position, link })
    }
}
