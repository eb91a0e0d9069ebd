//! A sink that holds the version before gets what is missing in one round, and nothing twice.

mod common;

use common::{blocks, missing, send};
use sim::{
    Setup,
    dag::{Shape, generate, original, run, scattered},
};
use std::collections::BTreeSet;

struct Case {
    shape: Shape,
    changed: BTreeSet<u64>,
    missing: u64,
    /// What the best client of another implementation was measured to receive.
    body_bytes: u64,
}

fn check(case: &Case) {
    let (old, new) = (original(&case.shape), generate(&case.shape, &case.changed));
    assert_eq!(missing(&new, &blocks(&old)).0, case.missing);
    let report = send(&Setup { seeds: vec![old.root], ..Setup::pull() }, &new, &old);
    println!("{:?}: {report:?}", case.shape);
    assert_eq!((report.rounds, report.duplicates, report.unreachable), (1, 0, 0));
    assert_eq!(report.blocks_sent, case.missing);
    assert!(report.body_bytes <= case.body_bytes, "{} bytes", report.body_bytes);
}

#[test]
fn one_leaf_of_a_deep_tree() {
    let shape = Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 2 };
    check(&Case { shape, changed: run(4096, 1), missing: 13, body_bytes: 1793 });
}

#[test]
fn one_in_a_thousand_small_leaves() {
    let changed = scattered(42, 65_536, 66);
    check(&Case { shape: Shape::SMALL, changed, missing: 148, body_bytes: 286_630 });
}

#[test]
fn one_in_a_hundred_big_leaves() {
    let changed = scattered(42, 256, 3);
    check(&Case { shape: Shape::BIG, changed, missing: 7, body_bytes: 789_388 });
}
