//! A filter that says yes to nearly everything hides blocks that are missing. They are asked for by
//! name, round after round, and all of them arrive.

mod common;

use common::{send, tree};
use sim::{
    End, Setup,
    dag::{Dag, Shape, generate, original, scattered},
};

fn tiny_filters(mut setup: Setup, bytes: usize) -> Setup {
    setup.limits.max_bloom_bytes = bytes;
    setup
}

fn versions() -> (Dag, Dag) {
    let shape = Shape { seed: 14, leaves: 1000, leaf_size: 60, fanout: 4 };
    (original(&shape), generate(&shape, &scattered(3, 1000, 200)))
}

#[test]
fn a_filter_of_few_bytes_only_costs_rounds() {
    let (old, new) = versions();
    for bytes in [1, 16, 64, 256] {
        for setup in [Setup::pull(), Setup::push()] {
            let setup = Setup { seeds: vec![old.root], ..tiny_filters(setup, bytes) };
            let report = send(&setup, &new, &old);
            assert_eq!(report.end, End::Complete, "{bytes}");
            assert!(report.rounds > 1, "{bytes} bytes of filter hide nothing");
            assert!(report.rounds < 20, "{} rounds with {bytes} bytes", report.rounds);
        }
    }
}

#[test]
fn a_full_filter_is_left_out_once_a_round_brings_nothing() {
    let dag = tree();
    let half = Dag { root: dag.root, blocks: dag.blocks[..dag.blocks.len() / 2].to_vec() };
    let report = send(&tiny_filters(Setup::pull(), 1), &dag, &half);
    assert_eq!((report.end, report.duplicates), (End::Complete, 0));
}
