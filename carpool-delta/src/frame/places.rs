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
    pub(super) fn new(seed: u64) -> Self {
        Self { list: Vec::new(), links: CidMap::with_seed(seed), next: 0, seed }
    }

    /// Adds a node to the front.
    pub(super) fn push(&mut self, links: impl Iterator<Item = Cid>) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        if self.list.len() >= MAX_NODES {
            self.list.remove(0);
        }
        self.list.push(Node { id, next: 0 });
        if self.links.len() > MAX_LINKS {
            self.links = CidMap::with_seed(self.seed);
        }
        for (n, cid) in links.take(MAX_LINKS).enumerate() {
            self.links.insert(&cid, (id, u32::try_from(n).unwrap_or(u32::MAX)));
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
        let of =
            self.links.get(cid).copied().and_then(|(id, link)| self.link(id, link as usize, 1));
        of.map_or(Place::Cid(*cid), |(position, link)| Place::Of { position, link })
    }
}
