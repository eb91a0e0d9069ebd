//! A sink that says what is held beside the DAG that it wants.

mod common;

use carpool_core::{Block, Limits};
use carpool_mirror::{Known, Sink, SinkOutput, Status, Summary};
use common::{Blocks, leaf, map, node, settle, tree};

/// A sink in a push that brought `pushed`.
fn after(pushed: &[Block], held: &mut Blocks, forgetful: bool) -> Sink {
    let tree = tree();
    let mut sink = Sink::new([*tree[0].cid()], [], &Limits::default(), 0).with_summary();
    if forgetful {
        sink.handle_begin_round_of_forgetful();
    } else {
        sink.handle_begin_round();
    }
    assert_eq!(settle(&mut sink, held), None);
    for block in pushed {
        sink.handle_block(block.clone()).expect("a block of the tree");
        assert_eq!(settle(&mut sink, held), None);
    }
    sink.handle_end_round();
    sink
}

fn known(blocks: &[Block]) -> Option<Known> {
    let mut summary = Summary::new(100, 1 << 10, 0);
    blocks.iter().for_each(|block| {
        summary.insert(block.cid());
    });
    summary.known()
}

fn status(sink: &mut Sink, held: &mut Blocks) -> Status {
    match settle(sink, held) {
        Some(SinkOutput::Transmit(status)) => status,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn it_waits_for_the_summary_and_adds_what_it_knows_itself() {
    let (tree, mut held) = (tree(), map(&tree()[1..3]));
    held.remove(tree[1].cid());
    let mut sink = after(&tree[..1], &mut held, false);
    assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
    assert_eq!(settle(&mut sink, &mut held), None, "once");
    sink.handle_summary(known(&tree[4..5]));
    let have = status(&mut sink, &mut held).have.expect("a filter");
    let hits: Vec<bool> = tree.iter().map(|b| have.contains(&b.cid().to_bytes())).collect();
    assert_eq!(hits, [false, false, true, false, true, false, false]);
}

#[test]
fn without_one_it_says_what_it_knows_itself() {
    let (tree, mut held) = (tree(), map(&tree()[2..3]));
    let mut sink = after(&tree[..1], &mut held, false);
    assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
    sink.handle_summary(None);
    let have = status(&mut sink, &mut held).have.expect("a filter");
    assert!(have.contains(&tree[2].cid().to_bytes()));
}

#[test]
fn one_without_room_is_left_out() {
    let leaves: Vec<Block> = (0..100).map(|n| leaf(&n.to_string())).collect();
    let (some, other) = (node(&leaves.iter().collect::<Vec<_>>()), node(&[&leaf("else")]));
    let root = node(&[&some, &other]);
    let mut held = map(leaves.iter().chain([&root, &some]));
    let mut sink = Sink::new([*root.cid()], [], &Limits::default(), 0).with_summary();
    assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
    sink.handle_summary(known(&[leaf("far")]));
    let have = status(&mut sink, &mut held).have.expect("a filter");
    assert!(leaves.iter().all(|leaf| have.contains(&leaf.cid().to_bytes())));
    assert!(!have.contains(&leaf("far").cid().to_bytes()));
}

#[test]
fn one_above_the_limit_of_a_filter_is_left_out() {
    let (tree, mut held) = (tree(), map(&tree()[2..3]));
    let mut summary = Summary::new(100, 1 << 10, 0);
    summary.insert(tree[4].cid());
    for (max, told) in [(64, true), (63, false)] {
        let mut limits = Limits::default();
        limits.max_bloom_bytes = max;
        let mut sink = Sink::new([*tree[0].cid()], [], &limits, 0).with_summary();
        assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
        sink.handle_summary(summary.known());
        let status = status(&mut sink, &mut held);
        let hit = status.have.is_some_and(|have| have.contains(&tree[4].cid().to_bytes()));
        assert_eq!(hit, told, "{max}");
    }
}

#[test]
fn it_is_not_asked_for_where_leaves_alone_are_wanted() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = after(&tree[..3], &mut held, false);
    assert_eq!(status(&mut sink, &mut held).have, None);
}

#[test]
fn a_source_that_forgets_is_told_once_it_has_sent_what_is_held() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = after(&tree[..1], &mut held, true);
    status(&mut sink, &mut held);
    let mut sink = after(&tree[..1], &mut held, true);
    assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
}

#[test]
fn a_summary_nobody_asked_for_changes_nothing() {
    let (tree, mut held) = (tree(), map(&tree()[2..3]));
    let mut sink = after(&tree[..1], &mut held, false);
    sink.handle_summary(known(&tree[4..5]));
    assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
}
