//! A sink that got part of a DAG long ago asks for the rest and for nothing else.

mod common;

use common::{blocks, missing, transfer, tree};
use sim::{Blocks, End, Setup, dag::mix};

#[test]
fn whatever_part_is_held() {
    let dag = tree();
    let all = blocks(&dag);
    for keep in [1, 5, 10, 50, 90, 99] {
        let held: Blocks = (all.iter().enumerate())
            .filter(|(i, _)| mix(*i as u64 + keep) % 100 < keep)
            .map(|(_, (cid, data))| (*cid, data.clone()))
            .collect();
        let (report, _) = transfer(&Setup::pull(), dag.root, &all, &held);
        assert_eq!(report.end, End::Complete);
        assert_eq!(report.stored, missing(&dag, &held).0, "{keep} %");
    }
}

/// Breadth first from the top, as a push that was cut leaves it.
#[test]
fn the_upper_part_of_a_dag_is_followed_by_a_round() {
    let dag = tree();
    let all = blocks(&dag);
    for part in [2, 3, 10] {
        let held: Blocks = (dag.blocks[..dag.blocks.len() / part].iter().cloned())
            .map(carpool_core::Block::into_parts)
            .collect();
        let (report, _) = transfer(&Setup::pull(), dag.root, &all, &held);
        // A second one brings what a false positive hid.
        assert!(report.rounds <= 2, "{} rounds", report.rounds);
        assert_eq!(report.duplicates, 0);
    }
}

#[test]
fn a_sink_that_holds_all_asks_for_nothing() {
    let dag = tree();
    let (report, _) = transfer(&Setup::pull(), dag.root, &blocks(&dag), &blocks(&dag));
    assert_eq!((report.end, report.rounds, report.status_bytes), (End::Complete, 0, 0));
}
