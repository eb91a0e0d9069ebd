//! A source that knows nothing is told all that the sink holds, blocks of incomplete DAGs too: that
//! saves blocks, and at worst costs rounds.

mod common;

use carpool_core::Block;
use common::{blocks, transfer, tree};
use sim::{
    Blocks, End, Setup,
    dag::{Shape, generate, original, scattered},
};

const SHAPE: Shape = Shape { seed: 12, leaves: 4096, leaf_size: 300, fanout: 8 };

fn setup(summary: bool) -> Setup {
    Setup { summary, ..Setup::push() }
}

#[test]
fn an_unknown_version_takes_the_root_and_what_changed() {
    let (old, new) = (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, 4096, 40)));
    let (missing, bytes) = common::missing(&new, &blocks(&old));
    let push = |summary| transfer(&setup(summary), new.root, &blocks(&new), &blocks(&old)).0;
    let (blind, told) = (push(false), push(true));
    assert_eq!((told.rounds, told.blocks_sent, told.duplicates), (2, missing, 0));
    assert_eq!(told.body_bytes, bytes + 2 * 59, "two headers");
    assert!(blind.duplicates > 3_000, "{} without", blind.duplicates);
}

/// Every other node and leaf of the DAG is held: below nodes that the summary claims, blocks are
/// missing.
#[test]
fn claims_above_holes_lose_nothing() {
    let dag = tree();
    for (every, offset) in [(2, 0), (2, 1), (3, 0), (3, 2), (7, 3)] {
        let held = |(at, _): &(usize, &Block)| at % every == offset;
        let held = dag.blocks.iter().enumerate().filter(held).map(|(_, block)| block.clone());
        let held: Blocks = held.map(Block::into_parts).collect();
        let (report, _) = transfer(&setup(true), dag.root, &blocks(&dag), &held);
        assert_eq!(report.end, End::Complete, "{every}, {offset}");
        assert!(report.rounds <= 8, "{} rounds", report.rounds);
    }
}

#[test]
fn a_pull_says_it_too() {
    let (old, new) = (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, 4096, 40)));
    let (missing, _) = common::missing(&new, &blocks(&old));
    let pull = Setup { summary: true, ..Setup::pull() };
    let (report, _) = transfer(&pull, new.root, &blocks(&new), &blocks(&old));
    assert_eq!((report.rounds, report.blocks_sent), (1, missing));
}
