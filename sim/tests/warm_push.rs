//! A source that knows what the sink holds sends what is missing in one round; one that is wrong
//! is told so.

mod common;

use common::{blocks, missing, nothing, send};
use sim::{
    Setup,
    dag::{Dag, Shape, generate, original, scattered},
};

fn versions() -> (Dag, Dag) {
    let shape = Shape { seed: 13, leaves: 2000, leaf_size: 300, fanout: 16 };
    (original(&shape), generate(&shape, &scattered(1, 2000, 20)))
}

fn both(old: &Dag, new: &Dag) -> Dag {
    Dag { root: new.root, blocks: old.blocks.iter().chain(&new.blocks).cloned().collect() }
}

#[test]
fn a_right_estimate_takes_one_round() {
    let (old, new) = versions();
    let setup = Setup { estimate: vec![old.root], ..Setup::push() };
    let report = send(&setup, &both(&old, &new), &old);
    let (lacking, bytes) = missing(&new, &blocks(&old));
    assert_eq!((report.rounds, report.blocks_sent, report.duplicates), (1, lacking, 0));
    assert_eq!(report.body_bytes, bytes + carpool_car::header(&[new.root]).len() as u64);
}

#[test]
fn a_wrong_estimate_is_put_right() {
    let (old, new) = versions();
    let setup = Setup { estimate: vec![old.root], ..Setup::push() };
    let report = send(&setup, &both(&old, &new), &nothing(&new));
    // A third round brings what a false positive hid.
    assert!(report.rounds <= 3, "{} rounds", report.rounds);
    assert_eq!(report.duplicates, 0);
    assert_eq!(report.blocks_sent, new.blocks.len() as u64);
}

#[test]
fn without_an_estimate_the_answer_narrows() {
    let (old, new) = versions();
    let setup = Setup { seeds: vec![old.root], ..Setup::push() };
    let report = send(&setup, &new, &old);
    assert_eq!(report.rounds, 2);
    let (lacking, _) = missing(&new, &blocks(&old));
    assert_eq!(report.stored, lacking);
}
