//! An old root below which blocks are missing narrows the first request, and hides none of the gaps.

mod common;

use common::{blocks, missing, transfer};
use sim::{
    Blocks, End, Setup,
    dag::{Shape, generate, mix, original, scattered},
};

#[test]
fn a_pull_fills_the_gaps_in_its_first_round() {
    let shape = Shape { seed: 31, leaves: 600, leaf_size: 80, fanout: 5 };
    let (old, new) = (original(&shape), generate(&shape, &scattered(6, 600, 3)));
    for percent in [1, 10, 50] {
        let lost = |cid: &[u8]| mix(u64::from_be_bytes(cid[10..18].try_into().expect("8"))) % 100;
        let held: Blocks = blocks(&old)
            .into_iter()
            .filter(|(cid, _)| *cid == old.root || lost(&cid.to_bytes()) >= percent)
            .collect();
        let setup = Setup { seeds: vec![old.root], ..Setup::pull() };
        let (report, _) = transfer(&setup, new.root, &blocks(&new), &held);
        assert_eq!((report.end, report.rounds), (End::Complete, 1), "{percent} % are missing");
        // What lies below a gap is not known to be held.
        let (lacking, _) = missing(&new, &held);
        assert!(report.blocks_sent >= lacking, "{percent}");
    }
}
