//! Depth is held to its limit, links are left out where the caller says so, and an identity CID is
//! entered in its place.

use carpool_core::{Block, Bytes, Cid, Error, Limits, Multihash, codec};
use carpool_selector::{Order, Step, Walk};
use std::collections::BTreeMap;

fn node(links: &[Cid]) -> Vec<u8> {
    let mut out = vec![0x80 | u8::try_from(links.len()).expect("few links")];
    for cid in links {
        let bytes = cid.to_bytes();
        out.extend([0xd8, 0x2a, 0x58, u8::try_from(bytes.len() + 1).expect("a short CID"), 0]);
        out.extend(bytes);
    }
    out
}

fn chain(len: u32) -> (Cid, BTreeMap<Cid, Bytes>) {
    let mut block = Block::new(codec::RAW, "end".into());
    let mut all = BTreeMap::new();
    for _ in 0..len {
        let next = Block::new(codec::DAG_CBOR, node(&[*block.cid()]).into());
        all.extend([block.into_parts()]);
        block = next;
    }
    let root = *block.cid();
    all.extend([block.into_parts()]);
    (root, all)
}

fn run(
    mut walk: Walk,
    blocks: &BTreeMap<Cid, Bytes>,
    mut enter: impl FnMut(&Cid) -> bool,
) -> Result<Vec<Cid>, Error> {
    let mut out = Vec::new();
    while let Some(step) = walk.poll(&mut enter)? {
        match step {
            Step::Load(cid) => walk.handle_load(&cid, blocks.get(&cid).cloned()),
            Step::Visit(block) => out.push(*block.cid()),
            Step::Missing { cid, .. } => unreachable!("{cid} is held"),
        }
    }
    Ok(out)
}

#[test]
fn depth_at_the_limit_and_one_past_it() {
    let mut limits = Limits::default();
    limits.max_depth = 8;
    let walk = |len| {
        let (root, blocks) = chain(len);
        run(Walk::new([root], Order::DepthFirst, &limits, 0), &blocks, |_| true)
    };
    assert_eq!(walk(8).unwrap().len(), 9);
    assert!(matches!(walk(9), Err(Error::TooDeep { max: 8, .. })));
}

#[test]
fn what_is_not_entered_is_not_asked_for() {
    let (root, blocks) = chain(5);
    let mut asked = 0;
    let walk = Walk::new([root], Order::BreadthFirst, &Limits::default(), 0);
    let visited = run(walk, &blocks, |_| {
        asked += 1;
        asked <= 3
    });
    assert_eq!((visited.unwrap().len(), asked), (3, 4));
}

#[test]
fn an_identity_cid_is_entered_in_its_place() {
    let leaf = |text: &'static str| Block::new(codec::RAW, text.into());
    let (a, b, c) = (leaf("a"), leaf("b"), leaf("c"));
    let inline = Multihash::wrap(0, &node(&[*b.cid()])).unwrap();
    let inline = Cid::new_v1(codec::DAG_CBOR, inline);
    let root = Block::new(codec::DAG_CBOR, node(&[*a.cid(), inline, inline, *c.cid()]).into());
    let cids = [*root.cid(), *a.cid(), *b.cid(), *c.cid()];
    let blocks = [root, a, b, c].into_iter().map(Block::into_parts).collect();
    let walk = Walk::new([cids[0]], Order::DepthFirst, &Limits::default(), 0);
    assert_eq!(run(walk, &blocks, |_| true).unwrap(), cids);
}
