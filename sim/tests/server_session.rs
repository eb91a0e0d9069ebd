//! A server that remembers what it sent, and a sink that counts on it: wherever a body breaks, what is
//! remembered and did not arrive comes again.

mod common;

use common::{blocks, missing, nothing, send, small_tree, transfer, tree};
use sim::{
    Blocks, Direction, End, Report, Setup,
    dag::{Dag, Shape, chain, diamond, generate, original, scattered},
    link::Cut,
};

fn setup(cuts: Vec<Cut>) -> Setup {
    Setup { session: true, cuts, ..Setup::pull() }
}

/// Where the bodies of a transfer may be cut: after each block of a cold one.
fn after_each_block(dag: &Dag) -> Vec<u64> {
    let mut at = carpool_car::header(&[dag.root]).len() as u64;
    let section = |block: &carpool_core::Block| {
        carpool_car::section_len(block.cid(), block.data().len()) as u64
    };
    let ends = dag.blocks.iter().map(|block| {
        at += section(block);
        at
    });
    ends.collect()
}

fn check(report: &Report, dag: &Dag, cuts: u64) {
    assert_eq!(report.end, End::Complete);
    let blocks = dag.blocks.len() as u64;
    assert!(report.blocks_sent <= blocks * (cuts + 1), "{} sent of {blocks}", report.blocks_sent);
    assert!(u64::from(report.rounds) <= 2 * cuts + 2, "{} rounds", report.rounds);
}

#[test]
fn a_cut_at_every_byte() {
    let dag = small_tree();
    for at in 0..=dag.car_bytes() {
        for cut in [Cut::Broken(at), Cut::Clean(at), Cut::Stalled(at), Cut::SinkDied(at)] {
            let report = send(&setup(vec![cut]), &dag, &nothing(&dag));
            check(&report, &dag, 1);
            assert_eq!(report.duplicates, 0, "{cut:?}");
        }
    }
}

#[test]
fn a_cut_after_every_block() {
    let shape = Shape { seed: 3, leaves: 60, leaf_size: 40, fanout: 4 };
    for dag in [original(&shape), chain(4, 30, 20), diamond(5, 12, 30)] {
        for at in after_each_block(&dag) {
            for cut in [Cut::Broken(at), Cut::Clean(at)] {
                check(&send(&setup(vec![cut]), &dag, &nothing(&dag)), &dag, 1);
            }
            check(&send(&setup(vec![Cut::Broken(at); 3]), &dag, &nothing(&dag)), &dag, 3);
        }
    }
}

/// The body is all in the network's buffers when it breaks: the server takes it for sent.
#[test]
fn what_was_sent_and_is_wanted_shows_that_not_all_arrived() {
    let dag = small_tree();
    for at in after_each_block(&dag) {
        let mut setup = setup(vec![Cut::Broken(at)]);
        setup.network.window = 1 << 20;
        let report = send(&setup, &dag, &nothing(&dag));
        check(&report, &dag, 1);
        let forgetful = send(&Setup { session: false, ..setup }, &dag, &nothing(&dag));
        assert_eq!((report.duplicates, report.rounds), (0, forgetful.rounds), "{at}");
    }
}

/// What came in the rounds before is not in the filter, and not sent again.
#[test]
fn a_second_round_says_nothing_of_what_the_first_brought() {
    let shape = Shape { seed: 14, leaves: 4000, leaf_size: 60, fanout: 4 };
    let (old, new) = (original(&shape), generate(&shape, &scattered(3, 4000, 2000)));
    let transfer = |session| {
        let mut setup = Setup { session, seeds: vec![old.root], ..Setup::pull() };
        setup.limits.max_bloom_bytes = 4096;
        send(&setup, &new, &old)
    };
    let (with, without) = (transfer(true), transfer(false));
    assert!(with.rounds > 1 && with.end == End::Complete, "{with:?}");
    assert!(with.rounds <= without.rounds, "{} and {}", with.rounds, without.rounds);
    assert!(with.status_bytes < without.status_bytes, "{with:?} {without:?}");
    assert!(with.blocks_sent <= without.blocks_sent, "{with:?} {without:?}");
    let (lacking, _) = missing(&new, &blocks(&old));
    assert_eq!(with.blocks_sent - with.duplicates, lacking);
}

#[test]
fn a_session_that_is_lost_costs_nothing_but_bytes() {
    let dag = tree();
    for at in [2_000, 50_000, 200_000] {
        let cuts = vec![Cut::SourceDied(at), Cut::Broken(at), Cut::SourceDied(at)];
        let setup = Setup { direction: Direction::Pull, ..setup(cuts) };
        let (report, _) = transfer(&setup, dag.root, &blocks(&dag), &Blocks::new());
        check(&report, &dag, 3);
        assert_eq!(report.duplicates, 0);
    }
}
