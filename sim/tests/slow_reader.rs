//! A reader that drains slowly holds the sender back: what is under way is bounded by the window,
//! and so is what the sender has read of its store.

mod common;

use common::{STEPS, blocks, nothing, send, tree};
use sim::{Blocks, End, Pair, Setup, link::Conditions};
use std::time::Duration;

fn slow() -> Conditions {
    Conditions { reader: Some(10_000), window: 8 << 10, ..Conditions::default() }
}

#[test]
fn bytes_under_way_are_bounded() {
    let dag = tree();
    for setup in [Setup::pull(), Setup::push()] {
        let report = send(&Setup { network: slow(), ..setup }, &dag, &nothing(&dag));
        assert_eq!(report.end, End::Complete);
        // A sender may hand over one block more when there is any room.
        assert!(report.peak_in_flight <= (8 << 10) + 2048, "{}", report.peak_in_flight);
        let least = Duration::from_secs(dag.car_bytes() / 10_000);
        assert!(report.time >= least, "{:?}", report.time);
    }
}

#[test]
fn the_sender_reads_ahead_by_no_more_than_its_window() {
    let dag = tree();
    let setup = Setup { network: slow(), ..Setup::pull() };
    let mut pair = Pair::new(&setup, dag.root, blocks(&dag).into(), Blocks::new().into());
    for _ in 0..STEPS {
        if !pair.step().expect("a transfer ends") {
            break;
        }
        let read = pair.source_store().look_ups();
        let arrived = pair.sink_store().writes();
        // 12 blocks fill the window; the walk looks up 32 ahead.
        assert!(read <= arrived + 12 + 32 + 8, "{read} read, {arrived} arrived");
    }
    assert_eq!(pair.sink_store().blocks().len(), dag.blocks.len());
}
