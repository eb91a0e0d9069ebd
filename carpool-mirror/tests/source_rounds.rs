//! What a source sends in a round: what is wanted and all below it, less what it sent before and
//! less what the sink seems to hold.

mod common;

use carpool_bloom::{Filter, Params};
use carpool_core::{Block, Cid, CidList, CidSet, IDENTITY, Limits, Multihash, codec};
use carpool_mirror::{Error, Narrowing, Source, SourceOutput, Status, filter_of};
use carpool_selector::Order;
use common::{map, round, tree};

fn source() -> Source {
    Source::new(Order::BreadthFirst, &Limits::default(), 0)
}

fn want(block: &Block) -> Status {
    Status { want: vec![*block.cid()], have: None }
}

#[test]
fn what_was_sent_is_not_sent_again_unless_it_is_wanted_by_name() {
    let (tree, mut source) = (tree(), source());
    source.handle_status(want(&tree[1])).expect("one want");
    assert_eq!(round(&mut source, &map(&tree)).0.len(), 3);
    source.handle_status(want(&tree[0])).expect("one want");
    let (sent, _) = round(&mut source, &map(&tree));
    assert_eq!(sent, [&tree[0], &tree[2], &tree[5], &tree[6]].map(Clone::clone));
    source.handle_status(want(&tree[3])).expect("one want");
    assert_eq!(round(&mut source, &map(&tree)).0, [tree[3].clone()]);
}

#[test]
fn a_filter_hides_a_block_with_all_below_it_but_not_what_is_wanted() {
    let tree = tree();
    let hidden = filter_of(2, &Limits::default(), |insert| {
        [&tree[0], &tree[1]].iter().for_each(|block| insert(&block.cid().to_bytes()));
    });
    let mut source = source();
    source.handle_status(Status { have: hidden, ..want(&tree[0]) }).expect("one want");
    let (sent, _) = round(&mut source, &map(&tree));
    assert_eq!(sent, [&tree[0], &tree[2], &tree[5], &tree[6]].map(Clone::clone));
}

/// One that has more does.
#[test]
fn a_filter_of_what_was_sent_hides_nothing() {
    let tree = tree();
    let filter = |blocks: &[Block]| {
        let mut filter = Filter::new(Params::new(1, 1).expect("in range"));
        blocks.iter().for_each(|block| filter.insert(&block.cid().to_bytes()));
        filter
    };
    let hit = |block: &Block| filter(&tree[..1]).contains(&block.cid().to_bytes());
    let stranger = (0..100).map(|n| common::leaf(&format!("stranger {n}"))).find(hit);
    let stranger = stranger.expect("one in eight is hit");
    let root = common::node(&[&tree[0], &stranger]);
    let all = map(tree.iter().chain([&root, &stranger]));
    for (told, sent) in [(&tree[..1], 1), (&tree[..2], 0)] {
        let mut source = source();
        source.handle_cold_call(*tree[0].cid(), 1);
        assert_eq!(round(&mut source, &all).0, tree[..1]);
        let status = Status { have: Some(filter(told)), ..want(&root) };
        source.handle_status(status).expect("one want");
        let sent_now = round(&mut source, &all).0;
        assert_eq!(sent_now.iter().filter(|block| **block == stranger).count(), sent);
    }
}

#[test]
fn so_does_an_estimate() {
    let (tree, mut source) = (tree(), source());
    let mut known = CidSet::with_seed(0);
    known.insert(tree[2].cid());
    source.handle_estimate(*tree[0].cid(), Narrowing::Known(known));
    let (sent, _) = round(&mut source, &map(&tree));
    assert_eq!(sent, [&tree[0], &tree[1], &tree[3], &tree[4]].map(Clone::clone));
}

/// A block counts as one byte more than it has: empty blocks cost something too.
#[test]
fn a_cold_call_is_a_small_dag_or_the_root_of_a_larger_one() {
    let tree = tree();
    let cost = tree.iter().map(|block| block.data().len() as u64 + 1).sum::<u64>();
    for (budget, blocks) in [(0, 1), (1, 1), (cost - 1, 1), (cost, 7), (u64::MAX, 7)] {
        let mut source = source();
        source.handle_cold_call(*tree[0].cid(), budget);
        assert_eq!(round(&mut source, &map(&tree)).0, tree[..blocks], "{budget}");
    }
}

#[test]
fn what_a_cold_call_keeps_at_the_limit_and_past_it() {
    let node = |leaf: &Block| common::node(&[leaf]);
    let above = node(&tree()[3]).data().len() + 2;
    for (bytes, blocks) in [(1 << 20, 2), ((1 << 20) + 1, 1)] {
        let leaf = Block::new(codec::RAW, vec![7; bytes - above].into());
        let (root, mut source) = (node(&leaf), source());
        source.handle_cold_call(*root.cid(), u64::MAX);
        assert_eq!(round(&mut source, &map([&root, &leaf])).0.len(), blocks, "{bytes}");
    }
}

#[test]
fn what_a_cold_call_kept_was_not_sent() {
    let (tree, mut source) = (tree(), source());
    source.handle_cold_call(*tree[0].cid(), 200);
    assert_eq!(round(&mut source, &map(&tree)).0, tree[..1]);
    source
        .handle_status(Status { want: [&tree[1], &tree[2]].map(|b| *b.cid()).into(), have: None })
        .expect("two wants");
    assert_eq!(round(&mut source, &map(&tree)).0, tree[1..]);
}

#[test]
fn nothing_follows_a_block_that_does_not_parse() {
    let (tree, mut source) = (tree(), source());
    source.handle_cold_call(*tree[0].cid(), u64::MAX);
    let mut held = map(&tree);
    held.insert(*tree[2].cid(), vec![0xff].into());
    let error = loop {
        match source.poll() {
            Ok(Some(SourceOutput::Load(cid))) => source.handle_load(&cid, held.get(&cid).cloned()),
            Ok(Some(SourceOutput::Transmit(block))) => assert_eq!(block, tree[0]),
            other => break other,
        }
    };
    assert!(matches!(error, Err(Error::Block(_))), "{error:?}");
    assert_eq!(source.poll(), Ok(None));
}

#[test]
fn a_cold_call_names_what_is_lacking() {
    let (tree, mut source) = (tree(), source());
    source.handle_cold_call(*tree[0].cid(), u64::MAX);
    let (sent, lacks) = round(&mut source, &map(tree.iter().filter(|b| *b != &tree[3])));
    assert_eq!((sent.len(), lacks), (6, vec![*tree[3].cid()]));
}

#[test]
fn what_is_lacking_is_named_and_the_rest_is_sent() {
    let (tree, mut source) = (tree(), source());
    source.handle_status(want(&tree[0])).expect("one want");
    let (sent, lacks) = round(&mut source, &map(tree.iter().filter(|b| *b != &tree[1])));
    assert_eq!((sent.len(), lacks), (4, vec![*tree[1].cid()]));
}

#[test]
fn a_round_of_no_wants_ends_at_once() {
    let mut source = source();
    assert_eq!(source.poll(), Ok(None));
    source.handle_status(Status::default()).expect("nothing is not too much");
    assert_eq!(source.poll(), Ok(Some(SourceOutput::EndRound)));
    assert_eq!(source.poll(), Ok(None));
}

#[test]
fn answers_of_an_earlier_round_change_nothing() {
    let (tree, mut source) = (tree(), source());
    source.handle_cold_call(*tree[0].cid(), 1);
    round(&mut source, &map(&tree));
    source.handle_load(tree[1].cid(), None);
    source.handle_status(want(&tree[1])).expect("one want");
    source.handle_load(tree[3].cid(), None);
    assert_eq!(round(&mut source, &map(&tree)).0.len(), 3);
}

#[test]
fn a_held_block_that_does_not_parse_ends_the_round() {
    let tree = tree();
    let mut source = source();
    source.handle_status(want(&tree[0])).expect("one want");
    assert!(matches!(source.poll(), Ok(Some(SourceOutput::Load(_)))));
    source.handle_load(tree[0].cid(), Some("\u{1}\u{1}".into()));
    assert!(source.poll().is_err());
    assert_eq!(source.poll(), Ok(None));
}

/// The walk knows of a few hundred wants at a time; identity CIDs are no blocks, so they leave it
/// without a step.
#[test]
fn more_wants_than_the_walk_knows_at_once_are_answered_in_their_order() {
    let leaf = |n: u32| Block::new(codec::RAW, n.to_be_bytes().to_vec().into());
    let nothing = |n: u32| {
        let hash = Multihash::wrap(IDENTITY, &n.to_be_bytes()).expect("it is short");
        Cid::new_v1(codec::RAW, hash)
    };
    let leaves: Vec<Block> = (0..2000).map(leaf).collect();
    let mut want: Vec<Cid> = (0..1500).map(nothing).collect();
    want.extend(leaves.iter().map(Block::cid));
    want.extend((1500..3000).map(nothing));
    for forgetful in [false, true] {
        let new = if forgetful { Source::forgetful } else { Source::new };
        let mut source = new(Order::DepthFirst, &Limits::default(), 0);
        for _ in 0..2 {
            source.handle_status(Status { want: want.clone(), have: None }).expect("few");
            assert_eq!(round(&mut source, &map(&leaves)).0, leaves);
        }
    }
}

#[test]
fn a_forgetful_source_sends_again_what_it_sent() {
    let tree = tree();
    let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
    for _ in 0..2 {
        source.handle_status(want(&tree[0])).expect("one want");
        assert_eq!(round(&mut source, &map(&tree)).0.len(), tree.len());
    }
}

#[test]
fn a_list_of_wants_is_held_to_the_limit() {
    let (tree, mut limits) = (tree(), Limits::default());
    limits.max_wanted = 2;
    for n in [2, 3] {
        let mut list = CidList::with_seed(0);
        tree[..n].iter().for_each(|block| assert!(list.push(block.cid())));
        let mut source = Source::forgetful(Order::DepthFirst, &limits, 0);
        let taken = source.handle_request(list, None);
        let many = Error::TooManyWanted { wanted: 3, max: 2 };
        assert_eq!(taken, if n == 2 { Ok(()) } else { Err(many) });
    }
}
