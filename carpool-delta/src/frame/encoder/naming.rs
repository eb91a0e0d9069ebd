//! Names: which nodes have to be opened before a block, or an old one, can be named by its place.

use carpool_core::{Block, Cid, may_link};

use super::{Encoded, Encoder, Sequence};
use crate::frame::{
    links::Links,
    places::NodeId,
    record::{Form, Name, Place, Range, Record},
    segments::Payload,
};

impl Encoder {
    /// Makes sure that the links of the old node can be named against which a node is held, from the
    /// outermost that cannot be named yet.
    pub(super) fn open_old(&mut self, depth: usize) -> Option<(Cid, NodeId)> {
        let old = self.stack[depth].old.as_ref()?;
        let cid = old.cid;
        if let Some(id) = old.id.filter(|id| self.places.contains(*id)) {
            return Some((cid, id));
        }
        if !self.places.knows_old(&cid) {
            let path = old.path.clone();
            if path.is_empty() {
                self.open_old_above(depth, &cid);
            } else {
                self.open_path(&path, &cid);
            }
        }
        let id = self.open(&cid, &self.stack[depth].old.as_ref()?.links.clone());
        self.stack[depth].old.as_mut()?.id = Some(id);
        Some((cid, id))
    }

    fn open_old_above(&mut self, depth: usize, cid: &Cid) {
        let Some(above) = depth.checked_sub(1) else { return };
        let old = self.stack[above].old.as_ref();
        if old.is_some_and(|old| old.links.iter().any(|link| link == *cid)) {
            self.open_old(above);
        }
    }

    /// Opens old nodes one below the other, as far as `last` cannot be named without.
    pub(super) fn open_path(&mut self, path: &[(Cid, Links)], last: &Cid) {
        let mut first = path.len();
        let mut below = last;
        while first > 0 && !self.places.knows_old(below) {
            first -= 1;
            below = &path[first].0;
        }
        for (cid, links) in &path[first..] {
            self.open(cid, links);
        }
    }

    fn open(&mut self, cid: &Cid, links: &Links) -> NodeId {
        let first_old = if self.places.knows_old(cid) { 0 } else { usize::MAX };
        let place = self.places.place_old(cid);
        self.segments.push(&Record::Open(place), Payload::default());
        self.places.push_with(links.iter(), first_old)
    }

    /// Opens the node above a depth, if the peer has it and the block cannot be named otherwise.
    fn open_known_above(&mut self, depth: usize, cid: &Cid) {
        let Some(above) = depth.checked_sub(1) else { return };
        if !self.stack[above].known || self.places.knows(cid) {
            return;
        }
        let block = self.stack[above].block.clone();
        self.open_known_above(above, block.cid());
        let place = self.places.place(block.cid());
        self.segments.push(&Record::Open(place), Payload::default());
        self.places.push(Links::of(block.cid(), block.data(), &self.limits).iter());
    }

    /// Makes sure that copies refer to a sequence.
    pub(super) fn refer(&mut self, sequence: Sequence, node: Option<NodeId>) {
        if self.sequence == Some(sequence) {
            return;
        }
        let range = match sequence {
            Sequence::Links { node, first, count } => {
                let place = self.places.link(node, first, count);
                place.map(|(position, link)| Range::Links { position, link, count })
            }
            Sequence::Block(cid) => Some(self.range_of(&cid, node)),
        };
        let range = range.expect("the node was opened just now");
        self.segments.push(&Record::Bases([range].into()), Payload::default());
        self.sequence = Some(sequence);
    }

    fn range_of(&mut self, cid: &Cid, node: Option<NodeId>) -> Range {
        if let Some(position) = node.and_then(|id| self.places.position(id)) {
            return Range::Node { position };
        }
        match self.places.place_old(cid) {
            Place::Of { position, link } => Range::Links { position, link, count: 1 },
            Place::Cid(cid) => Range::Cid(cid),
        }
    }

    /// Writes the record of a block below the node above its depth.
    pub(super) fn send(
        &mut self,
        block: &Block,
        form: Option<Form>,
        encoded: &Encoded,
        depth: usize,
    ) {
        let name = match form {
            Some(form) => Name::Computed(form),
            None => {
                self.open_known_above(depth, block.cid());
                Name::Place(self.places.place(block.cid()))
            }
        };
        let (node, len) = (may_link(block.cid()), block.data().len());
        self.counts.add(&encoded.content, len);
        let content = encoded.content.clone();
        let payload = Payload { literals: &encoded.literals, plain: encoded.plain.clone() };
        self.segments.push(&Record::Block { name, node, len, content }, payload);
    }
}
