use alloc::vec::Vec;
use carpool_core::Cid;

use super::links::Links;
use crate::{
    limits::{MAX_LINK_BYTES, MAX_NODES},
    operation::moved,
};

/// The nodes that places name, the front one last.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    list: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Node {
    /// Not known of a block that waits, and of what was named through a block that is lost.
    pub(super) cid: Option<Cid>,
    pub(super) links: Known,
    /// From which link on they lie below an old root, or are one.
    first_below_held: usize,
    /// The link behind that which was named last.
    next: usize,
}

/// An old block, as it was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Not known where a node that it was named through is lost.
    pub(super) cid: Option<Cid>,
    /// Whether it lies below an old root, or is one, as far as its name tells.
    pub(super) below_held: bool,
}

/// What is known of a node's links.
#[derive(Debug)]
pub(super) enum Known {
    /// They have to be looked up.
    NotYet,
    /// They never will be.
    Never,
    /// All of them.
    All(Links),
}

/// What a place comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A block, whose CID is not known where a node is lost.
    Is(Base),
    /// This block has to be looked up first.
    Needs(Base),
}

impl Node {
    /// One that came.
    pub(super) const fn new(cid: Option<Cid>, links: Known) -> Self {
        Self { cid, links, first_below_held: usize::MAX, next: 0 }
    }

    /// An old one.
    pub(super) const fn opened(cid: Option<Cid>, links: Known, below_held: bool) -> Self {
        let first_below_held = if below_held { 0 } else { usize::MAX };
        Self { cid, links, first_below_held, next: 0 }
    }

    /// The one whose links are known before anything comes: old roots from `first_held` on.
    pub(super) const fn known(links: Links, first_held: usize) -> Self {
        Self { cid: None, links: Known::All(links), first_below_held: first_held, next: 0 }
    }

    const fn itself(&self) -> Base {
        Base { cid: self.cid, below_held: self.first_below_held == 0 }
    }

    fn needs(&self) -> Option<Base> {
        let needs = matches!(self.links, Known::NotYet) && self.cid.is_some();
        needs.then(|| self.itself())
    }
}

impl Nodes {
    pub(super) fn push(&mut self, node: Node) {
        if self.list.len() >= MAX_NODES {
            self.list.remove(0);
        }
        self.list.push(node);
        self.trim();
    }

    fn index(&self, position: usize) -> Option<usize> {
        self.list.len().checked_sub(position.checked_add(1)?)
    }

    /// The node at a position, which goes to the front; `None` where there is none.
    fn touch(&mut self, position: usize) -> Option<&mut Node> {
        let index = self.index(position)?;
        let node = self.list.remove(index);
        self.list.push(node);
        self.list.last_mut()
    }

    /// The block at a position that has to be looked up before its links are named.
    pub(super) fn needs(&self, position: usize) -> Option<Base> {
        self.index(position).and_then(|index| self.list.get(index))?.needs()
    }

    /// The node itself; `None` where there is no such node.
    pub(super) fn itself(&mut self, position: usize) -> Option<Base> {
        self.touch(position).map(|node| node.itself())
    }

    /// `count` links of a node; `None` where there is no such node, or it has fewer.
    pub(super) fn links(&mut self, position: usize, link: i64, count: usize) -> Option<Vec<Base>> {
        let node = self.touch(position)?;
        let first = moved(node.next, link)?;
        let end = first.checked_add(count)?;
        node.next = end;
        let first_below_held = node.first_below_held;
        let base = |n, cid| Base { cid, below_held: n >= first_below_held };
        let Known::All(links) = &node.links else {
            return Some((first..end).map(|n| base(n, None)).collect());
        };
        if end > links.len() {
            return None;
        }
        Some((first..end).map(|n| base(n, links.get(n))).collect())
    }

    /// Gives a node that was looked up its links.
    pub(super) fn handle_links(&mut self, cid: &Cid, mut links: impl FnMut() -> Known) {
        for node in &mut self.list {
            if node.needs().and_then(|base| base.cid).as_ref() == Some(cid) {
                node.links = links();
            }
        }
        self.trim();
    }

    /// Forgets links that can be looked up again, those at the back first, as long as there are too
    /// many; never those of the front two.
    fn trim(&mut self) {
        let memory =
            |node: &Node| if let Known::All(links) = &node.links { links.memory() } else { 0 };
        let mut kept: usize = self.list.iter().map(memory).sum();
        let last = self.list.len().saturating_sub(2);
        for node in &mut self.list[..last] {
            if kept <= MAX_LINK_BYTES {
                return;
            }
            if node.cid.is_some() && memory(node) > 0 {
                kept -= memory(node);
                node.links = Known::NotYet;
            }
        }
    }
}
