//! Wherever a stream breaks, what came is kept and only the rest is asked for: no block arrives
//! twice, and the block that was cut begins again.

mod common;

use common::{blocks, nothing, send, small_tree, transfer, tree};
use sim::{Blocks, End, Setup, dag::Dag, link::Cut};

fn cut_at(setup: Setup, dag: &Dag, cuts: Vec<Cut>) {
    let report = send(&Setup { cuts: cuts.clone(), ..setup }, dag, &nothing(dag));
    assert_eq!(report.end, End::Complete, "{cuts:?}");
    assert_eq!(report.stored, dag.blocks.len() as u64, "{cuts:?}");
    assert_eq!(u64::from(report.cuts), cuts.len() as u64, "{cuts:?}");
    assert_eq!((report.duplicates, report.unreachable), (0, 0), "{cuts:?}");
}

#[test]
fn a_pull_survives_a_cut_at_every_byte() {
    let dag = small_tree();
    (0..=dag.car_bytes()).for_each(|at| cut_at(Setup::pull(), &dag, vec![Cut::Broken(at)]));
}

#[test]
fn a_pull_survives_cut_after_cut() {
    let dag = small_tree();
    for every in [100, 150, 200] {
        cut_at(Setup::pull(), &dag, vec![Cut::Broken(every); 5]);
    }
}

#[test]
fn a_larger_pull_asks_only_for_the_rest() {
    let dag = tree();
    for percent in [10, 50, 90] {
        let at = dag.car_bytes() * percent / 100;
        cut_at(Setup::pull(), &dag, vec![Cut::Broken(at)]);
    }
}

/// A push cannot know what came before the cut: it calls cold again, and that is all it repeats.
#[test]
fn a_push_survives_a_cut_at_every_byte() {
    let dag = small_tree();
    for cold_call_bytes in [100, 64 << 10] {
        for at in 0..=dag.car_bytes() {
            let setup = Setup { cuts: vec![Cut::Broken(at)], cold_call_bytes, ..Setup::push() };
            let report = send(&setup, &dag, &nothing(&dag));
            assert_eq!(report.end, End::Complete, "{at}");
            assert_eq!(report.stored, dag.blocks.len() as u64, "{at}");
        }
    }
}

#[test]
fn a_larger_push_repeats_at_most_the_cold_call() {
    let dag = tree();
    for percent in [10, 50, 90] {
        let cut = Cut::Broken(dag.car_bytes() * percent / 100);
        // The first connection is the cold call, and whole.
        let cuts = vec![Cut::Never, cut];
        let setup = Setup { cuts, ..Setup::push() };
        let (report, _) = transfer(&setup, dag.root, &blocks(&dag), &Blocks::new());
        assert_eq!(report.end, End::Complete, "{percent} %");
        assert!(report.duplicates <= 200, "{} duplicates", report.duplicates);
    }
}
