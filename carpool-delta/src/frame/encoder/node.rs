//! Blocks with links: held until what is below them was sent, so that their hashes need not travel.

use alloc::vec::Vec;
use carpool_core::{Bytes, Cid};

use super::{Encoded, Encoder, Job, Sequence};
use crate::{
    Index, Operation, Scanner,
    frame::{
        held::{Held, Old, Waits},
        links::Links,
        record::{Content, Form},
    },
    limits::MAX_RECORD_BYTES,
};

/// A stack deeper than that is sent, and its lower half forgotten.
const MAX_STACK: usize = 512;
/// Bytes of blocks with links that are held at most.
const MAX_HELD_BYTES: usize = 4 << 20;

impl Encoder {
    /// Holds a block with links until what is below it was sent; one that the peer has, to pair what is
    /// below it.
    pub(super) fn hold(&mut self, mut job: Job) {
        let old = self.old_of(&mut job);
        if self.stack.len() >= MAX_STACK || self.held_bytes() > MAX_HELD_BYTES {
            self.send_held(self.stack.len());
            let half = self.stack.len() / 2;
            self.stack.drain(..half);
        }
        let mut held = Held::new(job.block, old, &self.limits, self.seed);
        (held.sent, held.known) = (job.known, job.known);
        self.stack.push(held);
    }

    /// What a block with links is held against.
    fn old_of(&self, job: &mut Job) -> Option<Old> {
        let cid = job.wants.first().copied().flatten()?;
        let data = job.answers.get_mut(&cid)?.take()?;
        let mut old = Old::new(cid, data, &self.limits);
        old.path = job.path(&self.limits);
        Some(old)
    }

    fn held_bytes(&self) -> usize {
        let held = self.stack.iter().filter(|held| !held.sent);
        held.map(|held| held.block.data().len()).sum()
    }

    /// Sends the blocks that are held above a depth, the outermost first: what waits below them goes with
    /// them.
    pub(super) fn send_held(&mut self, depth: usize) {
        for depth in 0..depth {
            if !self.stack[depth].sent {
                self.send_node(depth, None);
            }
        }
    }

    /// Lets go of the innermost node, below which no more will come.
    pub(super) fn send_innermost(&mut self) {
        let Some(depth) = self.stack.len().checked_sub(1) else { return };
        if !self.stack[depth].sent {
            let block = self.stack[depth].block.clone();
            let form = self.form(block.cid(), block.data().len(), depth);
            let (below, before) = (self.stack[depth].waits, self.segments.written());
            self.send_node(depth, form);
            if form.is_some() {
                let written = self.segments.written() - before;
                let own = Waits { blocks: 1, bytes: block.data().len(), written };
                self.note_waiting(block.cid(), own, below, depth);
            }
        }
        self.stack.pop();
    }

    /// How a block is named whose parent can take its hash, and which has room to wait.
    pub(super) fn form(&mut self, cid: &Cid, len: usize, depth: usize) -> Option<Form> {
        let parent = depth.checked_sub(1).and_then(|above| self.stack.get(above));
        let form = parent.filter(|held| held.can_take(cid)).and_then(|_| Form::of(cid))?;
        if !self.waits.has_room(len) {
            self.send_held(depth);
            return None;
        }
        Some(form)
    }

    /// Notes that the block whose record was written last waits for the node above its depth.
    pub(super) fn note_waiting(&mut self, cid: &Cid, own: Waits, below: Waits, depth: usize) {
        self.counts.computed += 1;
        self.waits += own;
        let parent = depth.checked_sub(1).and_then(|above| self.stack.get_mut(above));
        let Some(parent) = parent else { return };
        parent.numbers.insert(cid, self.segments.context.next - 1);
        parent.waits += own;
        parent.waits += below;
    }

    /// Sends a block with links.
    fn send_node(&mut self, depth: usize, form: Option<Form>) {
        let held = &mut self.stack[depth];
        held.sent = true;
        if form.is_none() {
            self.waits -= held.waits;
        }
        let held = &self.stack[depth];
        let mut encoded = encode_node(held, held.old.as_ref());
        if is_too_long(&encoded.content) {
            encoded = encode_node(held, None);
        }
        let block = held.block.clone();
        if has_copies(&encoded.content)
            && let Some((cid, id)) = self.open_old(depth)
        {
            self.refer(Sequence::Block(cid), Some(id));
        }
        let links = Links::of(block.cid(), block.data(), &self.limits);
        self.send(&block, form, &encoded, depth);
        self.places.push(links.iter());
    }
}

pub(super) fn has_copies(content: &Content) -> bool {
    match content {
        Content::Plain => false,
        Content::Prefix { .. } => true,
        Content::Copies(operations) => {
            operations.iter().any(|op| matches!(op, Operation::Copy { .. }))
        }
    }
}

/// Whether operations may not fit into a record: each has at most twelve bytes.
pub(super) const fn is_too_long(content: &Content) -> bool {
    match content {
        Content::Plain | Content::Prefix { .. } => false,
        Content::Copies(operations) => operations.len() > MAX_RECORD_BYTES / 12 - 64,
    }
}

/// A block with links: hashes of what waits for it are taken, and the rest is held against the old node.
fn encode_node(held: &Held, old: Option<&Old>) -> Encoded {
    let data = held.block.data();
    let index = Index::new(old.map(|old| old.data.clone()).into_iter().collect());
    let (mut operations, mut literals) = (Vec::new(), Vec::new());
    let (mut scanner, mut at) = (Scanner::default(), 0);
    for (digest, number) in held.takes() {
        scanner.scan(&index, &data[at..digest], &mut operations, &mut literals);
        scanner.take(number, &mut operations);
        at = digest + 32;
    }
    scanner.scan(&index, &data[at..], &mut operations, &mut literals);
    Encoded { content: Content::Copies(operations), literals, plain: Bytes::new() }
}
