//! Visits come in the reference's order, whatever the window and the order of the answers.

use carpool_core::{Block, Bytes, Cid, Limits, codec, links};
use carpool_selector::{Order, Step, Walk, reference};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A DAG-CBOR array of links.
fn node(links: &[Cid]) -> Block {
    let mut out = vec![0x99];
    out.extend(u16::try_from(links.len()).expect("few links").to_be_bytes());
    for cid in links {
        let bytes = cid.to_bytes();
        out.extend([0xd8, 0x2a, 0x58, u8::try_from(bytes.len() + 1).expect("a short CID"), 0]);
        out.extend(bytes);
    }
    Block::new(codec::DAG_CBOR, out.into())
}

/// Node `i` links to nodes before it, repeats included; the last one is the root. Each fifth is
/// not held.
fn dag(shape: &[Vec<usize>], holes: bool) -> (Cid, BTreeMap<Cid, Bytes>) {
    let mut blocks: Vec<Block> = vec![Block::new(codec::RAW, "leaf".into())];
    for (i, links) in shape.iter().enumerate() {
        let mut links: Vec<Cid> = links.iter().map(|n| *blocks[n % blocks.len()].cid()).collect();
        links.push(*Block::new(codec::RAW, Bytes::from(i.to_string())).cid());
        blocks.push(Block::new(codec::RAW, Bytes::from(i.to_string())));
        blocks.push(node(&links));
    }
    let root = *blocks.last().expect("a leaf at least").cid();
    let held = blocks.into_iter().enumerate().filter(|(i, _)| !holes || i % 5 != 1);
    (root, held.map(|(_, block)| block.into_parts()).collect())
}

/// The first of `met` that links to `cid`; depth first that is not known.
fn parent(
    root: Cid,
    met: &[Cid],
    blocks: &BTreeMap<Cid, Bytes>,
    order: Order,
    cid: &Cid,
) -> Option<Cid> {
    let links_to = |parent: &&Cid| {
        let data = blocks.get(parent);
        data.is_some_and(|data| {
            links(parent, data, &Limits::default()).expect("it parses").contains(cid)
        })
    };
    let known = order == Order::BreadthFirst && *cid != root;
    met.iter().find(links_to).copied().filter(|_| known)
}

/// Answers wait in a pile, and `shuffle` says which of them is given next, and when.
fn walked(
    root: Cid,
    blocks: &BTreeMap<Cid, Bytes>,
    order: Order,
    window: usize,
    shuffle: &[usize],
) -> Vec<Cid> {
    let mut walk = Walk::new([root], order, &Limits::default(), 7).with_window(window);
    let (mut out, mut waiting, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        match walk.poll(|_| true).expect("good blocks") {
            Some(Step::Load(cid)) => waiting.push(cid),
            Some(Step::Visit(block)) => out.push(*block.cid()),
            Some(Step::Missing { cid, .. }) => {
                assert_eq!(walk.parent(), parent(root, &out, blocks, order, &cid).as_ref());
                out.push(cid);
            }
            None if waiting.is_empty() => break,
            None => {
                let pick = shuffle[at % shuffle.len()] % waiting.len();
                at += 1;
                let cid = waiting.swap_remove(pick);
                walk.handle_load(&cid, blocks.get(&cid).cloned());
            }
        }
    }
    assert!(walk.is_done());
    out
}

proptest! {
    #[test]
    fn same_order_as_the_reference(
        shape in prop::collection::vec(prop::collection::vec(0usize..64, 0..6), 1..40),
        holes: bool,
        window in 1usize..9,
        shuffle in prop::collection::vec(0usize..16, 1..20),
    ) {
        let (root, blocks) = dag(&shape, holes);
        let depth = walked(root, &blocks, Order::DepthFirst, window, &shuffle);
        prop_assert_eq!(depth, reference::depth_first(&[root], &blocks));
        let breadth = walked(root, &blocks, Order::BreadthFirst, window, &shuffle);
        prop_assert_eq!(breadth, reference::breadth_first(&[root], &blocks));
    }
}
