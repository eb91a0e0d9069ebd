//! Old roots below which blocks are missing: only what is held with all that lies below it is in the
//! filter.

mod common;

use carpool_bloom::Filter;
use carpool_core::{Block, Limits};
use carpool_mirror::{Sink, SinkOutput};
use common::{leaf, map, node, settle, tree};

/// The filter of the first request of a sink that holds `held` and looks below `seeds`.
fn first_filter<'a>(
    seeds: &[&Block],
    held: impl IntoIterator<Item = &'a Block>,
) -> (Sink, Option<Filter>) {
    let absent = node(&[&leaf("absent")]);
    let seeds = seeds.iter().map(|block| *block.cid());
    let mut sink = Sink::new([*absent.cid()], seeds, &Limits::default(), 0);
    match settle(&mut sink, &mut map(held)) {
        Some(SinkOutput::Transmit(status)) => (sink, status.have),
        other => unreachable!("{other:?}"),
    }
}

fn hit(filter: Option<&Filter>, block: &Block) -> bool {
    filter.is_some_and(|filter| filter.contains(&block.cid().to_bytes()))
}

#[test]
fn what_lies_above_a_gap_is_left_out() {
    let tree = tree();
    for gap in 1..tree.len() {
        let above: &[usize] = match gap {
            1 | 2 => &[0],
            3 | 4 => &[0, 1],
            _ => &[0, 2],
        };
        let below: &[usize] = match gap {
            1 => &[3, 4],
            2 => &[5, 6],
            _ => &[],
        };
        let held = tree.iter().enumerate().filter(|(n, _)| *n != gap).map(|(_, block)| block);
        let (sink, have) = first_filter(&[&tree[0]], held);
        assert!(sink.held_roots().is_empty(), "{gap}: the root is not held wholly");
        for (n, block) in tree.iter().enumerate() {
            let known = n != gap && !above.contains(&n) && !below.contains(&n);
            assert_eq!(hit(have.as_ref(), block), known, "{n} above a gap at {gap}");
        }
    }
}

#[test]
fn without_a_gap_all_is_in_it() {
    let tree = tree();
    let (sink, have) = first_filter(&[&tree[0]], &tree);
    assert_eq!(sink.held_roots(), [*tree[0].cid()]);
    assert!(tree.iter().all(|block| hit(have.as_ref(), block)));
}

#[test]
fn of_several_roots_the_whole_ones_are_in_it() {
    let (tree, whole) = (tree(), node(&[&leaf("whole")]));
    let held = tree[..6].iter().chain([&whole]).cloned().collect::<Vec<_>>();
    let (_, have) = first_filter(&[&tree[0], &whole], held.iter().chain([&leaf("whole")]));
    let have = have.as_ref();
    assert!(hit(have, &whole) && hit(have, &tree[1]) && hit(have, &tree[5]));
    assert!(!hit(have, &tree[0]) && !hit(have, &tree[2]), "a leaf of theirs is missing");
}

/// A part is shared by a node above it and by one that is found before the first: what is incomplete
/// is known only after more than one pass.
#[test]
fn shared_parts_are_looked_through_again() {
    let (gap, leaf) = (leaf("gap"), leaf("leaf"));
    let deep = node(&[&gap]);
    let shared = node(&[&deep]);
    let chain = (0..5).fold(node(&[&shared, &leaf]), |below, _| node(&[&below]));
    let root = node(&[&shared, &chain]);
    let mut all = vec![root.clone(), leaf.clone(), deep, shared];
    let mut at = chain;
    loop {
        all.push(at.clone());
        let links = carpool_core::links(at.cid(), at.data(), &Limits::default()).expect("parses");
        if links.len() > 1 {
            break;
        }
        at = (0..5)
            .map(|n| (0..n).fold(node(&[&all[3], &leaf]), |below, _| node(&[&below])))
            .find(|block| *block.cid() == links[0])
            .expect("one of them");
    }
    let (_, have) = first_filter(&[&root], &all);
    let hits = all.iter().filter(|block| hit(have.as_ref(), block)).count();
    assert_eq!(hits, 1, "the leaf is all that is whole");
}

/// What is held beside old roots narrows as they do, and is not named.
#[test]
fn others_that_are_held_are_in_it_and_are_not_named() {
    let (tree, absent) = (tree(), node(&[&leaf("absent")]));
    let (mut held, others) = (map(&tree[..6]), tree[..6].iter().map(|block| *block.cid()));
    let sink = Sink::new([*absent.cid()], [], &Limits::default(), 0);
    let mut sink = sink.with_held(others);
    let Some(SinkOutput::Transmit(status)) = settle(&mut sink, &mut held) else { panic!() };
    let hits = tree.iter().map(|block| hit(status.have.as_ref(), block));
    let known = [false, true, false, true, true, true, false];
    assert!(hits.eq(known), "the root and its right side are not whole");
    assert!(sink.held_roots().is_empty());
}
