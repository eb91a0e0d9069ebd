//! The same transfer makes the same bytes: neither the seed of the hash tables nor the order in
//! which look-ups are answered reaches the wire, and a whole run can be replayed.

mod common;

use common::send;
use sim::{
    Report, Setup,
    dag::{Dag, Shape, generate, original, scattered},
    link::{Conditions, Cut},
};

fn versions() -> (Dag, Dag) {
    let shape = Shape { seed: 15, leaves: 900, leaf_size: 120, fanout: 5 };
    (original(&shape), generate(&shape, &scattered(2, 900, 60)))
}

/// A filter that hides blocks makes several rounds of it.
fn setups(old: &Dag) -> [Setup; 2] {
    [Setup::pull(), Setup::push()].map(|mut setup| {
        setup.limits.max_bloom_bytes = 128;
        Setup { seeds: vec![old.root], ..setup }
    })
}

fn run(setup: &Setup) -> Report {
    let (old, new) = versions();
    send(setup, &new, &old)
}

#[test]
fn hash_seeds_do_not_reach_the_wire() {
    for setup in setups(&versions().0) {
        let plain = run(&setup);
        for seed in [1, 2, u64::MAX] {
            assert_eq!(run(&Setup { seed, ..setup.clone() }), plain);
        }
    }
}

#[test]
fn the_order_of_answers_does_not_reach_the_wire() {
    for setup in setups(&versions().0) {
        let plain = run(&setup);
        for answers in [1, 2, 3] {
            assert_eq!(run(&Setup { answers, ..setup.clone() }), plain);
        }
    }
}

#[test]
fn the_pieces_in_which_bytes_arrive_do_not_reach_the_wire() {
    for setup in setups(&versions().0) {
        let plain = run(&setup).transcript;
        for (seed, segment) in [(1, 1 << 14), (2, 100), (3, 1)] {
            let network = Conditions { seed, segment, ..Conditions::default() };
            assert_eq!(run(&Setup { network, ..setup.clone() }).transcript, plain);
        }
    }
}

#[test]
fn a_run_with_cuts_replays() {
    for setup in setups(&versions().0) {
        let setup = Setup { cuts: vec![Cut::Broken(3000), Cut::Broken(700)], ..setup };
        assert_eq!(run(&setup), run(&setup));
    }
}
