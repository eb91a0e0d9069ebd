//! The steps of the extension: what they cost, in a pull and in a push.

mod common;

use carpool_core::Limits;
use carpool_mirror::planner::Step;
use common::{blocks, missing, transfer};
use sim::{
    Blocks, Report, Setup,
    dag::{Dag, Shape, generate, original, scattered},
};

const SHAPE: Shape = Shape { seed: 5, leaves: 16_384, leaf_size: 64, fanout: 64 };
const DEPTH: u32 = 3;
const CHANGED: u64 = 1000;

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, CHANGED)))
}

/// log2 C(n, d) / 8: the least that has to be said.
fn bound(n: u64, d: u64) -> f64 {
    (0..d).map(|i| ((n - i) as f64 / (d - i) as f64).log2()).sum::<f64>() / 8.0
}

fn setups() -> [Setup; 2] {
    [Setup::pull(), Setup { summary: true, cold_call_bytes: 1, ..Setup::push() }]
}

fn run(setup: &Setup, steps: &[Step]) -> Report {
    let (old, new) = versions();
    let setup = Setup { steps: steps.to_vec(), seeds: vec![old.root], ..setup.clone() };
    let held: Blocks = blocks(&old);
    let (blocks_missing, _) = missing(&new, &held);
    let (report, _) = transfer(&setup, new.root, &blocks(&new), &held);
    println!(
        "{:?} {steps:?} rounds {} up {} dup {}",
        setup.direction, report.rounds, report.status_bytes, report.duplicates
    );
    assert_eq!(report.blocks_sent, blocks_missing, "nothing twice: {report:?}");
    report
}

/// In a push the root goes first, unasked, and what is wanted is answered: the rounds of both
/// directions have as many messages.
#[test]
fn bitmaps_level_by_level() {
    for setup in setups() {
        let report = run(&setup, &[Step::Bitmaps]);
        assert_eq!(report.rounds, DEPTH + 1, "{:?}", setup.direction);
        let most = 1.35 * bound(SHAPE.leaves, CHANGED) + 17.0 * f64::from(DEPTH) + 50.0;
        assert!((report.status_bytes as f64) < most, "{} of {most}", report.status_bytes);
    }
}

#[test]
fn leaves_held_back_until_a_bitmap_asks_for_them() {
    let interior = SHAPE.leaves / 64 + SHAPE.leaves / 4096 + 1;
    for setup in setups() {
        let report = run(&setup, &[Step::InteriorFilter]);
        assert!(report.rounds <= 4, "{:?}: {report:?}", setup.direction);
        let most = 2.0 * bound(SHAPE.leaves, CHANGED) + 1024.0 + 0.7 * interior as f64;
        assert!((report.status_bytes as f64) < most, "{} of {most}", report.status_bytes);
    }
}

#[test]
fn a_filter_of_all_with_stragglers_by_bitmap() {
    for setup in setups() {
        let report = run(&setup, &[Step::Filter]);
        assert!(report.rounds <= 3, "{:?}: {report:?}", setup.direction);
    }
}

/// Of the sketch more cells are asked for once: 1000 leaves and the nodes above them are too many for
/// the first message.
#[test]
fn a_sketch_finds_what_is_missing_whatever_is_held() {
    for setup in setups() {
        let setup = Setup { limits: Limits::default(), ..setup };
        let report = run(&setup, &[Step::Sketch, Step::Filter]);
        assert!(report.rounds <= 5 && report.refusals == 0, "{:?}: {report:?}", setup.direction);
    }
}
