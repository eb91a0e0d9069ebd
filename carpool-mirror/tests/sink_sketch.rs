//! A sink whose step is a sketch sends cells of what it holds, as long as they are worth it.

mod common;

use carpool_bloom::sketch::{Key, Sketch};
use carpool_core::{Block, Cid, Limits};
use carpool_mirror::{
    Sink, SinkOutput, Summary,
    extension::Request,
    planner::Step,
    sketch::{CellRange, Cells, MAX_CELLS, MAX_MESSAGES, NamedKey},
};
use common::{Blocks, leaf, map, node, settle, tree};

const NAMED: NamedKey = NamedKey { number: 4, key: Key::new([9; 16]) };
const STEPS: [Step; 2] = [Step::Sketch, Step::Filter];

fn sink(roots: &[&Block], seeds: &[&Block]) -> Sink {
    let cids =
        |blocks: &[&Block]| -> Vec<Cid> { blocks.iter().map(|block| *block.cid()).collect() };
    let mut sink = Sink::new(cids(roots), cids(seeds), &Limits::default(), 0);
    sink.handle_plan(&STEPS, true);
    sink.handle_key(NAMED, CellRange::BEGIN);
    sink
}

fn ask(sink: &mut Sink, held: &mut Blocks) -> Request {
    let said = settle(sink, held);
    let Some(SinkOutput::Ask(request)) = said else { unreachable!("{said:?}") };
    *request
}

fn sketch<'a>(key: Key, held: impl IntoIterator<Item = &'a Cid>) -> Sketch {
    let mut sketch = Sketch::new(key, MAX_CELLS);
    held.into_iter().for_each(|cid| sketch.toggle(&cid.to_bytes()));
    sketch
}

fn cells<'a>(range: CellRange, held: impl IntoIterator<Item = &'a Cid>) -> Option<Cells> {
    Cells::of(&sketch(NAMED.key, held), NAMED.number, range)
}

/// A root that nobody holds.
fn newer() -> Block {
    node(&[&leaf("new")])
}

/// Leaves enough for a filter of 16 KiB.
fn many() -> Vec<Block> {
    let leaves: Vec<Block> = (0..10_000).map(|n| leaf(&n.to_string())).collect();
    [vec![node(&leaves.iter().collect::<Vec<_>>())], leaves].concat()
}

#[test]
fn it_sends_cells_of_the_old_root_and_names_the_new_one() {
    let (old, new) = (tree(), newer());
    let mut held = map(&old);
    let request = ask(&mut sink(&[&new], &[&old[0]]), &mut held);
    let expected = Request {
        root: Some(*new.cid()),
        cells: cells(CellRange::BEGIN, held.keys()),
        ..Request::default()
    };
    assert_eq!(request, expected);
}

#[test]
fn after_a_cut_the_root_goes_beside_what_is_wanted() {
    let all = tree();
    let mut held = map(all.iter().filter(|block| *block != &all[1]));
    let request = ask(&mut sink(&[&all[0]], &[]), &mut held);
    assert_eq!((request.root, request.want), (Some(*all[0].cid()), vec![*all[1].cid()]));
    let known = [0, 2, 5, 6].map(|at: usize| *all[at].cid());
    assert_eq!(request.cells, cells(CellRange::BEGIN, &known));
}

#[test]
fn more_are_sent_as_long_as_a_filter_is_no_smaller() {
    let (old, new) = (many(), newer());
    let mut held = map(&old);
    let mut sink = sink(&[&new], &[&old[0]]);
    assert!(ask(&mut sink, &mut held).cells.is_some());
    let more = CellRange { first: 256, count: 768 };
    sink.handle_need(more);
    assert!(ask(&mut sink, &mut held).cells == cells(more, held.keys()), "the next cells");
    sink.handle_need(CellRange { first: 1024, count: 3072 });
    let request = ask(&mut sink, &mut held);
    assert!(request.cells.is_none() && request.have.is_some());
    assert_eq!(sink.step(), Some(Step::Filter));
}

#[test]
fn a_source_that_asks_for_ever_is_sent_a_filter() {
    let (old, new) = (tree(), newer());
    let (mut held, mut messages) = (map(&old), 0);
    let mut sink = sink(&[&new], &[&old[0]]);
    while ask(&mut sink, &mut held).cells.is_some() {
        messages += 1;
        sink.handle_need(CellRange::BEGIN);
    }
    assert_eq!(messages, MAX_MESSAGES);
}

#[test]
fn a_sketch_that_is_refused_is_a_filter_then_unless_there_is_another_key() {
    let (old, new) = (tree(), newer());
    let mut held = map(&old);
    let mut sink = sink(&[&new], &[&old[0]]);
    ask(&mut sink, &mut held);
    let other = NamedKey { number: 5, key: Key::new([8; 16]) };
    sink.handle_key(other, CellRange::BEGIN);
    sink.handle_cut();
    let again = ask(&mut sink, &mut held).cells;
    assert_eq!(again, Cells::of(&sketch(other.key, held.keys()), 5, CellRange::BEGIN));
    sink.handle_refused();
    let request = ask(&mut sink, &mut held);
    assert!(request.cells.is_none() && request.have.is_some());
    assert_eq!(request.root, Some(*new.cid()));
}

#[test]
fn what_it_did_not_bring_is_asked_for_in_another_way() {
    let (old, new) = (tree(), many());
    let mut held = map(&old);
    let mut sink = sink(&[&new[0]], &[&old[0]]);
    ask(&mut sink, &mut held);
    sink.handle_block(new[0].clone()).expect("it is wanted");
    assert!(settle(&mut sink, &mut held).is_none());
    sink.handle_end_round();
    let request = ask(&mut sink, &mut held);
    assert!(request.cells.is_none() && request.links.is_some(), "a bit for each link of what came");
    assert_eq!(sink.step(), Some(Step::Filter));
}

#[test]
fn after_a_cut_the_cells_are_of_what_is_held_then() {
    let (old, new) = (many(), tree());
    let mut held = map(&old);
    let mut sink = sink(&[&new[0]], &[&old[0]]);
    ask(&mut sink, &mut held);
    sink.handle_need(CellRange { first: 256, count: 768 });
    ask(&mut sink, &mut held);
    sink.handle_block(new[0].clone()).expect("it is wanted");
    assert!(settle(&mut sink, &mut held).is_none());
    sink.handle_cut();
    let request = ask(&mut sink, &mut held);
    assert!(request.cells == cells(CellRange::BEGIN, held.keys()), "of what is held now");
    assert_eq!(request.want, [*new[1].cid(), *new[2].cid()]);
}

#[test]
fn there_is_no_sketch_without_a_key_of_nothing_or_for_two_roots() {
    let (old, new) = (tree(), many());
    let mut keyless = Sink::new([*new[0].cid()], [*old[0].cid()], &Limits::default(), 0);
    keyless.handle_plan(&STEPS, true);
    for (mut sink, filter) in [
        (keyless, true),
        (sink(&[&new[0]], &[]), false),
        (sink(&[&new[0], &new[1]], &[&old[0]]), true),
    ] {
        let request = ask(&mut sink, &mut map(&old));
        assert_eq!((request.cells.is_some(), request.have.is_some()), (false, filter));
    }
}

#[test]
fn of_leaves_there_is_nothing_to_leave_out() {
    let all = tree();
    let mut held = map(all.iter().filter(|block| *block != &all[3]));
    let request = ask(&mut sink(&[&all[0]], &[]), &mut held);
    assert_eq!(request, Request { root: Some(*all[3].cid()), ..Request::default() });
}

#[test]
fn a_summary_brings_a_sketch_unless_an_old_root_is_known() {
    let (old, other, new) = (tree(), many(), newer());
    let mut held = map(old.iter().chain(&other));
    let mut summary = Summary::new(1 << 17, 1 << 18, 0);
    other.iter().for_each(|block| {
        summary.insert(block.cid());
    });
    let others: Vec<Cid> = other.iter().map(|block| *block.cid()).collect();
    let olds: Vec<Cid> = old.iter().map(|block| *block.cid()).collect();
    for (seeds, expected) in [(&[][..], others), (&[&old[0]][..], olds)] {
        let mut sink = sink(&[&new], seeds).with_summary();
        assert_eq!(settle(&mut sink, &mut held), Some(SinkOutput::Summary));
        sink.handle_summary(summary.known_under(&NAMED.key));
        assert_eq!(ask(&mut sink, &mut held).cells, cells(CellRange::BEGIN, &expected));
    }
}
