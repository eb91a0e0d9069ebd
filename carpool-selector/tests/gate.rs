//! A gate looks at a block before it is visited, and may leave it out with all that lies below it.

use carpool_core::{Block, Bytes, Cid, Limits, codec};
use carpool_selector::{Gate, Order, Step, Walk};
use std::collections::BTreeMap;

/// Keeps what it does not know, and notes what it was asked.
struct Without<'a> {
    cid: &'a Cid,
    looked_at: Vec<Cid>,
}

impl Gate for Without<'_> {
    fn enter(&mut self, _: &Cid) -> bool {
        true
    }

    fn keep(&mut self, cid: &Cid, data: &[u8]) -> bool {
        assert!(!data.is_empty());
        self.looked_at.push(*cid);
        cid != self.cid
    }
}

fn node(links: &[&Block]) -> Block {
    let mut out = vec![0x80 | u8::try_from(links.len()).expect("few links")];
    for block in links {
        out.extend([0xd8, 0x2a, 0x58, 37, 0]);
        out.extend(block.cid().to_bytes());
    }
    Block::new(codec::DAG_CBOR, out.into())
}

/// A root above two nodes of one leaf each, in preorder.
fn tree() -> Vec<Block> {
    let leaves = ["a", "b"].map(|text| Block::new(codec::RAW, text.into()));
    let nodes = [node(&[&leaves[0]]), node(&[&leaves[1]])];
    let root = node(&[&nodes[0], &nodes[1]]);
    let ([a, b], [left, right]) = (leaves, nodes);
    vec![root, left, a, right, b]
}

#[test]
fn what_it_leaves_out_is_not_visited_and_nothing_below_it_is_asked_for() {
    let tree = tree();
    let blocks: BTreeMap<Cid, Bytes> = tree.iter().cloned().map(Block::into_parts).collect();
    for order in [Order::DepthFirst, Order::BreadthFirst] {
        let mut walk = Walk::new([*tree[0].cid()], order, &Limits::default(), 0);
        let mut gate = Without { cid: tree[1].cid(), looked_at: Vec::new() };
        let (mut loads, mut visited) = (Vec::new(), Vec::new());
        while let Some(step) = walk.poll_through(&mut gate).expect("good blocks") {
            match step {
                Step::Load(cid) => {
                    loads.push(cid);
                    walk.handle_load(&cid, blocks.get(&cid).cloned());
                }
                Step::Visit(block) => visited.push(block),
                Step::Missing { cid, .. } => panic!("{cid} is held"),
            }
        }
        assert!(walk.is_done());
        assert_eq!(visited, [&tree[0], &tree[3], &tree[4]].map(Clone::clone), "{order:?}");
        assert!(!loads.contains(tree[2].cid()) && gate.looked_at.len() == 4, "{order:?}");
        assert!(walk.seen().contains(tree[1].cid()));
    }
}

#[test]
fn the_deepest_that_was_found() {
    let tree = tree();
    let blocks: BTreeMap<Cid, Bytes> = tree.iter().cloned().map(Block::into_parts).collect();
    let mut walk = Walk::new([*tree[0].cid()], Order::BreadthFirst, &Limits::default(), 0);
    assert_eq!(walk.deepest(), 0);
    while let Some(step) = walk.poll(|_| true).expect("good blocks") {
        if let Step::Load(cid) = step {
            walk.handle_load(&cid, blocks.get(&cid).cloned());
        }
    }
    assert_eq!(walk.deepest(), 2);
}
