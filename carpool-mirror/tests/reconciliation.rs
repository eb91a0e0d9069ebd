//! A source that is sent cells sends what the sink lacks; whatever cells they are, it ends.

mod common;

use carpool_bloom::sketch::{Cell, Key, Sketch};
use carpool_core::{Block, Cid, CidList, Limits};
use carpool_mirror::{
    Source,
    extension::{Asked, Scope},
    sketch::{CellRange, Cells, GROWTH, Lacking, MAX_CELLS, NamedKey, Reconciliation, Reconciling},
};
use carpool_selector::Order;
use common::{Blocks, leaf, map, node, round, tree};
use proptest::prelude::*;
use std::collections::BTreeSet;

const NAMED: NamedKey = NamedKey { number: 4, key: Key::new([9; 16]) };

/// What a reconciliation came to, and what it took.
#[derive(Debug)]
struct Ran {
    lacking: Option<Lacking>,
    messages: usize,
    loads: usize,
}

fn begin(root: &Block) -> Reconciliation {
    Reconciliation::new(NAMED, *root.cid(), &Limits::default(), 0)
}

/// Answers look-ups; says what is needed, or what came of it.
fn settle(machine: &mut Reconciliation, store: &Blocks, loads: &mut usize) -> Reconciling {
    loop {
        match machine.poll().expect("blocks parse").expect("look-ups are answered") {
            Reconciling::Load(cid) => {
                *loads += 1;
                machine.handle_load(&cid, store.get(&cid).cloned());
            }
            output @ (Reconciling::Need(_) | Reconciling::Lacking(_) | Reconciling::GaveUp) => {
                return output;
            }
        }
    }
}

/// Gives the cells that are asked for, in portions of at most `portion`.
fn run(machine: &mut Reconciliation, store: &Blocks, sketch: &Sketch, portion: usize) -> Ran {
    let mut ran = Ran { lacking: None, messages: 0, loads: 0 };
    loop {
        match settle(machine, store, &mut ran.loads) {
            Reconciling::Need(CellRange { first, count }) => {
                let range = CellRange { first, count: count.min(portion) };
                machine.handle_cells(&Cells::of(sketch, NAMED.number, range).expect("cells"));
                ran.messages += 1;
            }
            Reconciling::Lacking(lacking) => return Ran { lacking: Some(lacking), ..ran },
            Reconciling::GaveUp => return ran,
            Reconciling::Load(_) => unreachable!("they are answered"),
        }
    }
}

fn sketch<'a>(held: impl IntoIterator<Item = &'a Cid>) -> Sketch {
    let mut sketch = Sketch::new(NAMED.key, MAX_CELLS);
    held.into_iter().for_each(|cid| sketch.toggle(&cid.to_bytes()));
    sketch
}

/// A root above nodes of three leaves each.
fn wide(leaves: impl IntoIterator<Item = u32>) -> Vec<Block> {
    let leaves: Vec<Block> = leaves.into_iter().map(|n| leaf(&n.to_string())).collect();
    let nodes: Vec<Block> =
        leaves.chunks(3).map(|few| node(&few.iter().collect::<Vec<_>>())).collect();
    let root = node(&nodes.iter().collect::<Vec<_>>());
    [vec![root], nodes, leaves].concat()
}

/// A message of nothing but wants.
fn asked(want: CidList) -> Asked {
    let (root, held, have, scope) = (None, Vec::new(), None, Scope::All);
    let parents = CidList::with_seed(0);
    Asked { root, want, held, have, scope, links: None, parents, session: None, cells: None }
}

/// The blocks of a round for `want`.
fn sent(want: &Block, lacking: Lacking, store: &Blocks) -> BTreeSet<Cid> {
    let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
    let mut list = CidList::with_seed(0);
    list.push(want.cid());
    source.handle_reconciled(asked(list), lacking).expect("one want");
    round(&mut source, store).0.iter().map(|block| *block.cid()).collect()
}

#[test]
fn what_is_sent_is_what_is_missing() {
    let (old, new) =
        (wide(0..3000), wide((0..3000).map(|n| if n % 50 == 7 { n + 9000 } else { n })));
    let (held, store) = (map(&old), map(&new));
    let ran = run(&mut begin(&new[0]), &store, &sketch(held.keys()), MAX_CELLS);
    let missing: BTreeSet<Cid> =
        store.keys().filter(|cid| !held.contains_key(cid)).copied().collect();
    let lacking = ran.lacking.expect("it is decoded");
    // 60 leaves, the 60 nodes above them and the root, on both sides.
    assert_eq!((missing.len(), lacking.len(), ran.messages), (121, 242, 2));
    assert_eq!(sent(&new[0], lacking, &store), missing);
    assert_eq!(ran.loads, 1001, "the root and each node once, no leaf");
}

#[test]
fn nothing_differs_and_all_does() {
    let all = tree();
    let (store, root) = (map(&all), &all[0]);
    let same = run(&mut begin(root), &store, &sketch(store.keys()), MAX_CELLS);
    assert!(same.lacking.is_some_and(|lacking| lacking.is_empty()));
    let lacking = run(&mut begin(root), &store, &sketch([]), MAX_CELLS).lacking.expect("7 blocks");
    assert_eq!((lacking.len(), sent(root, lacking, &store).len()), (7, 7));
}

#[test]
fn a_lost_session_asks_for_all_cells_again() {
    let (old, new) = (wide(0..600), wide(600..1200));
    let (sketch, store) = (sketch(map(&old).keys()), map(&new));
    let mut machine = begin(&new[0]);
    let range = CellRange { first: 256, count: 768 };
    machine.handle_cells(&Cells::of(&sketch, NAMED.number, range).expect("cells"));
    let mut loads = 0;
    let all = CellRange { first: 0, count: 1024 };
    assert_eq!(settle(&mut machine, &store, &mut loads), Reconciling::Need(all));
    assert_eq!(loads, 0, "nothing is walked before");
    machine.handle_cells(&Cells::of(&sketch, NAMED.number, all).expect("cells"));
    let more = CellRange { first: 1024, count: 3072 };
    assert_eq!(settle(&mut machine, &store, &mut loads), Reconciling::Need(more));
}

#[test]
fn cells_of_a_set_that_changed_are_not_mixed_with_those_before() {
    let (old, new) = (wide(0..600), wide(600..1200));
    let (before, store) = (map(&old), map(&new));
    let after = sketch(before.keys().skip(1));
    let mut machine = begin(&new[0]);
    machine.handle_cells(
        &Cells::of(&sketch(before.keys()), NAMED.number, CellRange::BEGIN).expect("cells"),
    );
    let Reconciling::Need(more) = settle(&mut machine, &store, &mut 0) else { panic!("too few") };
    machine.handle_cells(&Cells::of(&after, NAMED.number, more).expect("cells"));
    let again = CellRange { first: 0, count: more.end() };
    assert_eq!(settle(&mut machine, &store, &mut 0), Reconciling::Need(again));
    let lacking = run(&mut machine, &store, &after, MAX_CELLS).lacking.expect("decoded");
    assert_eq!(sent(&new[0], lacking, &store).len(), store.len());
}

#[test]
fn cells_under_another_key_are_not_taken() {
    let all = tree();
    let mut machine = begin(&all[0]);
    let other = Cells::of(&sketch([]), NAMED.number + 1, CellRange::BEGIN).expect("cells");
    machine.handle_cells(&other);
    let Reconciling::Need(range) = settle(&mut machine, &map(&all), &mut 0) else {
        panic!("taken")
    };
    assert_eq!(range, CellRange::BEGIN);
}

#[test]
fn differences_at_the_limit_of_cells_and_past_it_end() {
    let few = wide(0..3);
    let held = |n: u32| -> Vec<Cid> { (0..n).map(|n| *leaf(&n.to_string()).cid()).collect() };
    for (differences, decodes) in [(40_000, true), (60_000, false)] {
        let sketch = sketch(&held(differences));
        let ran = run(&mut begin(&few[0]), &map(&few), &sketch, MAX_CELLS);
        assert_eq!((ran.lacking.is_some(), ran.messages), (decodes, 5), "{differences}");
    }
}

#[test]
fn a_dag_at_the_limit_of_blocks_and_past_it() {
    let all = tree();
    for (max, given_up) in [(7, false), (6, true)] {
        let mut limits = Limits::default();
        limits.max_sketched = max;
        let mut machine = Reconciliation::new(NAMED, *all[0].cid(), &limits, 0);
        let ran = run(&mut machine, &map(&all), &sketch([]), MAX_CELLS);
        assert_eq!(ran.lacking.is_none(), given_up, "{max}");
        let again = machine.poll().expect("blocks parse");
        assert_eq!(again == Some(Reconciling::GaveUp), given_up, "and it stays so");
    }
}

/// Every cell claims another symbol, so that ever more come out.
#[test]
fn cells_of_no_set_end() {
    let all = wide(0..30);
    let mut forged = Vec::new();
    for n in 0..2 * CellRange::BEGIN.count {
        let one = sketch([leaf(&n.to_string()).cid()]);
        forged.extend(one.cells()[0].to_bytes());
    }
    let cells = Cells::from_bytes(NAMED.number, 0, &forged).expect("any bytes are cells");
    let (mut machine, mut loads) = (begin(&all[0]), 0);
    machine.handle_cells(&cells);
    match settle(&mut machine, &map(&all), &mut loads) {
        Reconciling::Lacking(lacking) => assert!(lacking.len() <= cells.cells().len()),
        Reconciling::Need(range) => assert_eq!(range.end(), GROWTH * cells.cells().len()),
        Reconciling::GaveUp => {}
        Reconciling::Load(_) => unreachable!("they are answered"),
    }
    assert_eq!(loads, 11, "one walk");
}

#[test]
fn a_sink_that_holds_a_parent_without_its_child_gets_it_by_name() {
    let all = tree();
    let held: Vec<Cid> = all[..2].iter().map(|block| *block.cid()).collect();
    let store = map(&all);
    let ran = run(&mut begin(&all[0]), &store, &sketch(&held), MAX_CELLS);
    let lacking = ran.lacking.expect("few differ");
    assert_eq!(sent(&all[3], lacking.clone(), &store), BTreeSet::from([*all[3].cid()]));
    assert_eq!(sent(&all[2], lacking, &store).len(), 3);
}

fn subset(all: &[Block], mask: u64) -> BTreeSet<Cid> {
    let of = all.iter().enumerate().filter(|(i, _)| mask >> (i % 64) & 1 == 1);
    of.map(|(_, block)| *block.cid()).collect()
}

proptest! {
    /// The twin: the difference of two sets, made as such.
    #[test]
    fn what_is_lacking_is_the_difference_of_the_sets(
        leaves in prop::collection::btree_set(0..200_u32, 1..90),
        mask in any::<u64>(),
        others in prop::collection::btree_set(1000..1200_u32, 0..50),
        portion in prop::sample::select(vec![1, 3, 100, MAX_CELLS]),
    ) {
        let all = wide(leaves);
        let mut held = subset(&all, mask);
        held.extend(others.iter().map(|n| *leaf(&n.to_string()).cid()));
        let ran = run(&mut begin(&all[0]), &map(&all), &sketch(&held), portion);
        let ours: BTreeSet<Cid> = all.iter().map(|block| *block.cid()).collect();
        let lacking = ran.lacking.expect("few differ");
        prop_assert_eq!(lacking.len(), ours.symmetric_difference(&held).count());
        for cid in &ours {
            prop_assert_eq!(lacking.contains(cid), !held.contains(cid));
        }
    }

    #[test]
    fn any_cells_end_within_their_number(
        bytes in prop::collection::vec(any::<[u8; Cell::BYTES]>(), 1..600),
    ) {
        let all = tree();
        let cells = Cells::from_bytes(NAMED.number, 0, &bytes.concat()).expect("cells");
        let mut machine = begin(&all[0]);
        machine.handle_cells(&cells);
        if let Reconciling::Lacking(lacking) = settle(&mut machine, &map(&all), &mut 0) {
            prop_assert!(lacking.len() <= bytes.len());
        }
    }
}
