use carpool_core::{
    Bytes, Limits,
    cbor::{ARRAY, write_head, write_link},
};
use carpool_mirror::extension::{Offer, Request};
use carpool_selector::Difference;

use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// The sink names its old root, the source holds both versions against each other:
/// `carpool_selector::Difference`, over blocks that are made when it asks for them.
#[derive(Clone, Copy, Debug)]
pub struct HeldRoots {
    known_peer: bool,
}

impl HeldRoots {
    /// To a source of which nothing is known: a message of the specification and a header.
    pub const FIRST_CONTACT: Self = Self { known_peer: false };
    /// To one that is known to read the extension.
    pub const KNOWN_PEER: Self = Self { known_peer: true };

    /// Bytes of the request.
    fn asking(self, source: &Source<'_>, sink: &Sink<'_>) -> u64 {
        let (root, held) = (source.root().cid(), vec![sink.root().cid()]);
        if self.known_peer {
            let request = Request { root: Some(root), held, ..Request::default() };
            return request.encode().len() as u64;
        }
        let header =
            "CAR-Mirror-Ext: \r\n".len() + Offer { held, ..Offer::default() }.encode().len();
        request(1, 0) + header as u64
    }
}

impl Strategy for HeldRoots {
    fn name(&self) -> &'static str {
        if self.known_peer { "held" } else { "held-first" }
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        transcript.request(self.asking(source, sink));
        let difference = compare(source, sink);
        let mut stack = vec![source.root()];
        while let Some(node) = stack.pop() {
            if difference.lacks(&node.cid()) {
                let links = source.send(node, &mut transcript);
                source.comparisons += links.len() as u64;
                stack.extend(links.into_iter().rev());
            }
        }
        if !difference.is_exact() {
            transcript.note("beyond what is kept");
        }
        transcript
    }
}

fn compare(source: &mut Source<'_>, sink: &Sink<'_>) -> Difference {
    let limits = Limits::default();
    let (new, old) = (source.root().cid(), sink.root().cid());
    let mut difference = Difference::new([new], [old], 1 << 20, &limits, 7);
    while let Some(cid) = difference.poll() {
        let links = source.load(Node::of_cid(&cid));
        source.comparisons += links.len() as u64;
        difference.handle_load(&cid, Some(block(&links)));
    }
    difference
}

/// A DAG-CBOR array of links.
fn block(links: &[Node]) -> Bytes {
    let mut out = Vec::with_capacity(links.len() * 41 + 5);
    write_head(&mut out, ARRAY, links.len() as u64);
    links.iter().for_each(|link| write_link(&mut out, &link.cid()));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Change, Edit, Tree, Versions};

    #[test]
    fn blocks_are_of_the_size_that_they_are_said_to_have() {
        for n in [1, 23, 24, 255, 256, 300] {
            let edit = Edit { change: Change::Replace, d: 1, clustered: true };
            let tree = Tree::new(n, 1024, 10, &edit);
            let root = Node::old(1, 0);
            assert_eq!(block(&tree.links(root)).len() as u64, tree.size(root), "{n}");
        }
    }
}
