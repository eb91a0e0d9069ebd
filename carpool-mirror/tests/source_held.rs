//! A source that is told which roots the sink holds sends the difference, and what is wanted.

mod common;

use carpool_core::{Block, Cid, CidList, Limits};
use carpool_mirror::{Source, filter_of};
use carpool_selector::Order;
use common::{Blocks, leaf, map, node, round, tree};

fn list(wanted: &[&Block]) -> CidList {
    let mut list = CidList::with_seed(0);
    wanted.iter().for_each(|block| {
        list.push(block.cid());
    });
    list
}

/// The tree with one leaf replaced: its root, the node above the leaf, the leaf.
fn changed(tree: &[Block]) -> [Block; 3] {
    let new = leaf("changed");
    let right = node(&[&tree[5], &new]);
    [node(&[&tree[1], &right]), right, new]
}

fn sent(wanted: &[&Block], held: &[&Block], store: &Blocks) -> Vec<Block> {
    let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
    let roots: Vec<Cid> = held.iter().map(|block| *block.cid()).collect();
    let root = changed(&tree())[0].clone();
    source.handle_held(*root.cid(), list(wanted), roots, None).expect("few wants");
    round(&mut source, store).0
}

#[test]
fn the_difference_to_what_is_held() {
    let tree = tree();
    let new = changed(&tree);
    let store = map(tree.iter().chain(&new));
    assert_eq!(sent(&[&new[0]], &[&tree[0]], &store), new);
    assert_eq!(sent(&[&new[1]], &[&tree[0]], &store), new[1..]);
    assert_eq!(sent(&[&new[0]], &[&new[0]], &store), new[..1], "what is wanted by name");
    assert_eq!(sent(&[&tree[3]], &[&tree[0]], &store), [tree[3].clone()], "whatever was claimed");
}

#[test]
fn roots_that_are_not_here_hide_nothing() {
    let tree = tree();
    let new = changed(&tree);
    let store = map(tree[1..].iter().chain(&new));
    let all = sent(&[&new[0]], &[], &store);
    assert_eq!(all.len(), 7);
    assert_eq!(sent(&[&new[0]], &[&tree[0]], &store), all);
}

#[test]
fn then_the_filter_counts() {
    let tree = tree();
    let new = changed(&tree);
    let store = map(tree[1..].iter().chain(&new));
    let left = filter_of(1, &Limits::default(), |insert| insert(&tree[1].cid().to_bytes()));
    let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
    source.handle_held(*new[0].cid(), list(&[&new[0]]), [*tree[0].cid()], left).expect("one want");
    assert_eq!(round(&mut source, &store).0.len(), 4);
}

#[test]
fn a_presumed_root_is_as_good_as_one_that_is_told() {
    let tree = tree();
    let new = changed(&tree);
    let store = map(tree.iter().chain(&new));
    let mut source = Source::new(Order::DepthFirst, &Limits::default(), 0);
    source.handle_presumed(*new[0].cid(), [*tree[0].cid()]);
    assert_eq!(round(&mut source, &store).0, new);
}

#[test]
fn a_comparison_at_its_limit_and_past_it() {
    let tree = tree();
    let new = changed(&tree);
    let store = map(tree.iter().chain(&new));
    let sent = |max| {
        let mut limits = Limits::default();
        limits.max_compared = max;
        let mut source = Source::forgetful(Order::DepthFirst, &limits, 0);
        source.handle_presumed(*new[0].cid(), [*tree[0].cid()]);
        round(&mut source, &store).0.len()
    };
    // The old root, its two nodes and the two leaves of the one that differs.
    assert_eq!((sent(5), sent(4)), (3, 3));
    assert!(sent(2) > 3, "beyond it is rougher");
}
