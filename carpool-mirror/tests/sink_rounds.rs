//! What a sink says and what it makes of what it gets.

mod common;

use carpool_core::{Block, Cid, Limits, Multihash, codec};
use carpool_mirror::{Outcome, Received, Sink, SinkOutput, Status};
use common::{Blocks, leaf, map, node, settle, tree};

fn sink(root: &Block, seeds: &[Cid], limits: &Limits) -> Sink {
    Sink::new([*root.cid()], seeds.iter().copied(), limits, 0)
}

fn request(sink: &mut Sink, held: &mut Blocks) -> Status {
    match settle(sink, held) {
        Some(SinkOutput::Transmit(status)) => status,
        other => unreachable!("{other:?}"),
    }
}

fn outcome(sink: &mut Sink, held: &mut Blocks) -> Outcome {
    match settle(sink, held) {
        Some(SinkOutput::Done(outcome)) => outcome,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn it_wants_the_root_first_and_then_what_blocks_link_to() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = sink(&tree[0], &[], &Limits::default());
    assert_eq!(request(&mut sink, &mut held), Status { want: vec![*tree[0].cid()], have: None });
    assert_eq!(sink.handle_block(tree[0].clone()), Ok(Received::Wanted));
    assert_eq!(settle(&mut sink, &mut held), None);
    sink.handle_end_round();
    let status = request(&mut sink, &mut held);
    assert_eq!(status.want, [*tree[1].cid(), *tree[2].cid()]);
    let have = status.have.expect("the root is held");
    assert!(have.contains(&tree[0].cid().to_bytes()) && !have.contains(&tree[3].cid().to_bytes()));
}

#[test]
fn a_block_before_its_parent_is_unreachable_and_one_again_is_a_duplicate() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = sink(&tree[0], &[], &Limits::default());
    request(&mut sink, &mut held);
    assert_eq!(sink.handle_block(tree[3].clone()), Ok(Received::Unreachable));
    assert_eq!(sink.handle_block(tree[0].clone()), Ok(Received::Wanted));
    assert_eq!(sink.handle_block(tree[0].clone()), Ok(Received::Duplicate));
    settle(&mut sink, &mut held);
    assert_eq!(held, map(&tree[..1]));
}

/// Against the contract, and nothing but the block's bytes is lost.
#[test]
fn a_block_whose_look_up_is_open_is_asked_for_again() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = sink(&tree[0], &[], &Limits::default());
    request(&mut sink, &mut held);
    sink.handle_block(tree[0].clone()).expect("wanted");
    assert_eq!(sink.handle_block(tree[1].clone()), Ok(Received::Unreachable));
    settle(&mut sink, &mut held);
    sink.handle_end_round();
    assert!(request(&mut sink, &mut held).want.contains(tree[1].cid()));
}

#[test]
fn a_round_that_brought_nothing_is_followed_by_one_without_a_filter_and_then_by_none() {
    let tree = tree();
    let mut held = map(&tree[..2]);
    let mut sink = sink(&tree[0], &[], &Limits::default());
    let first = request(&mut sink, &mut held);
    assert!(first.have.is_some());
    sink.handle_end_round();
    let second = request(&mut sink, &mut held);
    assert_eq!((second.want, second.have), (first.want.clone(), None));
    sink.handle_end_round();
    let outcome = outcome(&mut sink, &mut held);
    assert_eq!(outcome, Outcome { missing: 3, named: first.want, rounds: 2 });
    assert_eq!(sink.poll(), Ok(None));
}

/// What is wanted by name comes whatever a filter says, and below leaves lies nothing.
#[test]
fn leaves_are_asked_for_without_a_filter() {
    let tree = tree();
    let mut held = map(&tree[..4]);
    let mut asked = sink(&tree[0], &[], &Limits::default());
    let leaves: Vec<Cid> = tree[4..].iter().map(|block| *block.cid()).collect();
    assert_eq!(request(&mut asked, &mut held), Status { want: leaves, have: None });
    let mut answers = sink(&tree[0], &[], &Limits::default());
    answers.handle_begin_round_of_forgetful();
    assert_eq!(settle(&mut answers, &mut held), None);
    answers.handle_end_round();
    assert!(request(&mut answers, &mut held).have.is_some(), "the source sends all of it again");
}

#[test]
fn a_cut_round_counts_for_nothing() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = sink(&tree[0], &[], &Limits::default());
    for _ in 0..20 {
        assert_eq!(request(&mut sink, &mut held).want, [*tree[0].cid()]);
        sink.handle_cut();
    }
}

#[test]
fn sixteen_of_the_missing_are_named() {
    let leaves: Vec<Block> = (0..20).map(|n| leaf(&n.to_string())).collect();
    let root = node(&leaves.iter().collect::<Vec<_>>());
    let mut held = map([&root]);
    let mut sink = sink(&root, &[], &Limits::default());
    for _ in 0..2 {
        request(&mut sink, &mut held);
        sink.handle_end_round();
    }
    let outcome = outcome(&mut sink, &mut held);
    assert_eq!(outcome.missing, 20);
    let first: Vec<Cid> = leaves[..16].iter().map(|block| *block.cid()).collect();
    assert_eq!(outcome.named, first);
}

#[test]
fn an_old_root_narrows_the_first_request() {
    let tree = tree();
    let new = node(&[&tree[1], &leaf("new")]);
    let mut held = map(&tree);
    let mut sink = sink(&new, &[*tree[0].cid()], &Limits::default());
    let have = request(&mut sink, &mut held).have.expect("the old DAG is held");
    assert!(tree.iter().all(|block| have.contains(&block.cid().to_bytes())));
    sink.handle_block(new).expect("wanted");
    settle(&mut sink, &mut held);
    sink.handle_end_round();
    assert_eq!(request(&mut sink, &mut held).want, [*leaf("new").cid()]);
}

/// What lies below an old root that is not whole is looked at again.
#[test]
fn an_old_root_with_holes_hides_no_hole() {
    let tree = tree();
    let new = node(&[&tree[1]]);
    let mut held = map(tree.iter().filter(|block| *block != &tree[3]));
    let mut sink = sink(&new, &[*tree[0].cid(), *leaf("never held").cid()], &Limits::default());
    request(&mut sink, &mut held);
    sink.handle_block(new).expect("wanted");
    settle(&mut sink, &mut held);
    sink.handle_end_round();
    assert_eq!(request(&mut sink, &mut held).want, [*tree[3].cid()]);
}

#[test]
fn a_push_is_answered_after_its_round() {
    let (tree, mut held) = (tree(), Blocks::new());
    let mut sink = sink(&tree[0], &[], &Limits::default());
    sink.handle_begin_round();
    assert_eq!(settle(&mut sink, &mut held), None);
    for block in &tree {
        assert_eq!(sink.handle_block(block.clone()), Ok(Received::Wanted));
        assert_eq!(settle(&mut sink, &mut held), None);
    }
    assert!(sink.is_complete());
    sink.handle_end_round();
    let done = Outcome { missing: 0, named: vec![], rounds: 0 };
    assert_eq!(outcome(&mut sink, &mut held), done);
    assert_eq!(held, map(&tree));
}

#[test]
fn an_identity_root_is_entered_and_never_asked_for() {
    let leaf = leaf("below");
    let inline = Multihash::wrap(0, node(&[&leaf]).data()).expect("short");
    let root = Cid::new_v1(codec::DAG_CBOR, inline);
    let mut held = Blocks::new();
    let mut sink = Sink::new([root], [], &Limits::default(), 0);
    assert_eq!(request(&mut sink, &mut held), Status { want: vec![*leaf.cid()], have: None });
}

#[test]
fn several_roots_are_wanted_in_their_order() {
    let tree = tree();
    let roots = [*tree[2].cid(), *tree[1].cid(), *tree[2].cid()];
    let mut held = Blocks::new();
    let mut sink = Sink::new(roots, [], &Limits::default(), 0);
    assert_eq!(request(&mut sink, &mut held).want, roots[..2]);
}

#[test]
fn no_roots_are_no_transfer() {
    let mut sink = Sink::new([], [], &Limits::default(), 0);
    assert_eq!(outcome(&mut sink, &mut Blocks::new()), Outcome::default());
}
