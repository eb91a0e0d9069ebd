//! A source that knows nothing of its sink sends a little first, and then what is missing.

mod common;

use common::{nothing, send, tree};
use sim::{End, Framing, Setup};

#[test]
fn a_small_dag_fits_into_the_cold_call() {
    for framing in [Framing::Car, Framing::Plain] {
        let dag = common::small_tree();
        let report = send(&Setup { framing, ..Setup::push() }, &dag, &nothing(&dag));
        assert_eq!((report.end, report.rounds), (End::Complete, 1));
    }
}

#[test]
fn a_larger_one_takes_a_second_round() {
    let dag = tree();
    let report = send(&Setup::push(), &dag, &nothing(&dag));
    assert_eq!((report.end, report.rounds, report.duplicates), (End::Complete, 2, 0));
    assert_eq!(report.blocks_sent, dag.blocks.len() as u64);
}

#[test]
fn to_a_sink_that_holds_all_it_costs_the_root() {
    let dag = tree();
    let report = send(&Setup::push(), &dag, &dag);
    assert_eq!((report.end, report.rounds, report.stored), (End::Complete, 1, 0));
    assert_eq!((report.blocks_sent, report.duplicates), (1, 1));
}
