//! Sources that share the sending of a DAG: each walks all of it and sends what is its own.

mod common;

use carpool_core::{Block, Cid, CidList, Limits, may_link};
use carpool_mirror::{
    Session, Share, Source, SourceOutput, Status,
    extension::{Asked, Scope},
    filter_of,
};
use carpool_selector::Order;
use common::{Blocks, leaf, map, node, round, tree};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Who of `members` sends a block.
fn owner(cid: &Cid, members: u8) -> u8 {
    cid.hash().digest()[7] % members
}

fn share(me: u8, members: u8) -> Share {
    Share::new(move |cid| owner(cid, members) == me)
}

fn sharing(me: u8, members: u8) -> Source {
    Source::forgetful(Order::DepthFirst, &Limits::default(), 0).with_share(share(me, members))
}

fn status(want: &[Cid]) -> Status {
    Status { want: want.into(), have: None }
}

fn cids(blocks: &[Block]) -> BTreeSet<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}

/// Nodes above leaves and above each other; the last is linked to nowhere.
fn dag(links: &[Vec<u8>]) -> Vec<Block> {
    let mut blocks: Vec<Block> = (0..4).map(|n| leaf(&n.to_string())).collect();
    for links in links {
        let below: Vec<&Block> =
            links.iter().map(|n| &blocks[usize::from(*n) % blocks.len()]).collect();
        let node = node(&below);
        blocks.push(node);
    }
    blocks
}

proptest! {
    #[test]
    fn shares_are_disjoint_and_together_the_whole(
        links in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..6), 1..20),
        members in 1_u8..6,
    ) {
        let blocks = dag(&links);
        let (held, root) = (map(&blocks), *blocks.last().expect("a node").cid());
        let mut alone = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
        alone.handle_status(status(&[root])).expect("one want");
        let whole = round(&mut alone, &held).0;
        let mut together = BTreeSet::new();
        for me in 0..members {
            let mut source = sharing(me, members);
            source.handle_status(status(&[root])).expect("one want");
            let sent = round(&mut source, &held).0;
            let own: Vec<Block> =
                whole.iter().filter(|block| owner(block.cid(), members) == me).cloned().collect();
            prop_assert_eq!(&sent, &own, "in the order of the walk");
            together.extend(cids(&sent));
        }
        prop_assert_eq!(together, cids(&whole));
    }
}

#[test]
fn a_leaf_that_is_anothers_is_not_looked_up() {
    let leaves: Vec<Block> = (0..100).map(|n| leaf(&n.to_string())).collect();
    let root = node(&leaves.iter().collect::<Vec<_>>());
    let held = map(leaves.iter().chain([&root]));
    let mut source = sharing(1, 4);
    source.handle_status(status(&[*root.cid()])).expect("one want");
    loop {
        match source.poll().expect("blocks parse").expect("look-ups are answered") {
            SourceOutput::Load(cid) => {
                assert!(may_link(&cid) || owner(&cid, 4) == 1);
                source.handle_load(&cid, held.get(&cid).cloned());
            }
            SourceOutput::Transmit(block) => assert_eq!(owner(block.cid(), 4), 1),
            SourceOutput::Missing(cid) => panic!("{cid} is held"),
            SourceOutput::EndRound => break,
        }
    }
}

fn blooming(blocks: &[&Block]) -> Option<carpool_bloom::Filter> {
    filter_of(blocks.len(), &Limits::default(), |insert| {
        blocks.iter().for_each(|block| insert(&block.cid().to_bytes()));
    })
}

/// The sink had the node of one source, and what lies below it of none.
#[test]
fn a_filter_hides_a_block_and_not_what_lies_below() {
    let blocks = tree();
    let [root, left, ..] = &blocks[..] else { unreachable!("seven blocks") };
    let mut source = sharing(0, 1);
    let have = blooming(&[root, left]);
    source.handle_status(Status { want: vec![*root.cid()], have }).expect("one want");
    assert_eq!(cids(&round(&mut source, &map(&blocks)).0), cids(&blocks[2..]));
}

#[test]
fn what_lies_below_a_held_root_is_left_out() {
    let blocks = tree();
    let [root, left, right, ..] = &blocks[..] else { unreachable!("seven blocks") };
    let mut want = CidList::with_seed(0);
    want.push(root.cid());
    let mut source = sharing(0, 1);
    source.handle_held(*root.cid(), want, [*left.cid()], None).expect("one want");
    let sent = cids(&round(&mut source, &map(&blocks)).0);
    assert_eq!(sent, cids(&[root.clone(), right.clone(), blocks[5].clone(), blocks[6].clone()]));
}

/// A plan that changes brings what fell to the source, and nothing twice.
#[test]
fn a_session_remembers_blocks_and_not_what_lies_below() {
    let blocks = tree();
    let (held, root) = (map(&blocks), *blocks[0].cid());
    let limits = Limits::default();
    let mut session = Session::new(usize::MAX, 0);
    let mut rounds = Vec::new();
    for members in [2, 1] {
        let source = Source::resume(session, Order::DepthFirst, &limits, 0);
        let mut source = source.with_share(share(0, members));
        source.handle_status(status(&[root])).expect("one want");
        rounds.push(cids(&round(&mut source, &held).0));
        session = source.into_session();
    }
    assert!(rounds.iter().all(|sent| !sent.is_empty()) && rounds[0].is_disjoint(&rounds[1]));
    assert_eq!(rounds.iter().flatten().copied().collect::<BTreeSet<_>>(), cids(&blocks));
}

#[test]
fn what_is_not_held_is_told_and_the_rest_goes_on() {
    let blocks = tree();
    let held: Blocks = map(blocks.iter().filter(|block| *block != &blocks[1]));
    let mut source = sharing(0, 1);
    source.handle_status(status(&[*blocks[0].cid()])).expect("one want");
    let (sent, lacks) = round(&mut source, &held);
    let rest = [&blocks[0], &blocks[2], &blocks[5], &blocks[6]].map(Clone::clone);
    assert_eq!((cids(&sent), lacks), (cids(&rest), vec![*blocks[1].cid()]));
}

#[test]
fn what_is_named_alone_is_sent_by_its_owner_and_without_a_share_in_any_case() {
    let blocks = tree();
    let held = map(&blocks);
    let asked = || {
        let mut want = CidList::with_seed(0);
        blocks.iter().for_each(|block| {
            want.push(block.cid());
        });
        let scope = Scope::Named;
        Asked {
            root: None,
            want,
            held: vec![],
            have: None,
            scope,
            links: None,
            parents: CidList::with_seed(0),
            session: None,
            cells: None,
        }
    };
    let mut alone = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
    alone.handle_asked(asked()).expect("few wants");
    assert_eq!(cids(&round(&mut alone, &held).0), cids(&blocks));
    let mut source = sharing(0, 2);
    source.handle_asked(asked()).expect("few wants");
    let own = blocks.iter().map(|block| *block.cid()).filter(|cid| owner(cid, 2) == 0).collect();
    assert_eq!(cids(&round(&mut source, &held).0), own);
}
