//! What a source sends in a round: what is wanted and all below it, less what it sent before and
//! less what the sink seems to hold.

mod common;

use carpool_core::{CidSet, Limits};
use carpool_mirror::{Narrowing, Source, SourceOutput, Status, filter_of};
use carpool_selector::Order;
use common::{map, round, tree};

fn source() -> Source {
    Source::new(Order::BreadthFirst, &Limits::default(), 0)
}

fn want(block: &carpool_core::Block) -> Status {
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
fn a_cold_call_ends_with_the_block_that_spends_its_budget() {
    let tree = tree();
    let node = tree[0].data().len() as u64 + 1;
    for (budget, blocks) in [(0, 1), (1, 1), (node, 1), (node + 1, 2), (3 * node + 2, 4)] {
        let mut source = source();
        source.handle_cold_call(*tree[0].cid(), budget);
        assert_eq!(round(&mut source, &map(&tree)).0.len(), blocks, "{budget}");
    }
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
