//! Making an index: how many sections a second an indexer takes, on one core, within a budget of
//! memory that they fit into and within one that they do not.

use carpool_car::index::{Codec, IndexLimits, Indexer, Output};
use carpool_core::Bytes;

use crate::{
    clock::{repeated, timed_thread},
    report::{Goal, Row},
};

const SECTIONS: u64 = 10_000_000;
const SECTION_BYTES: u64 = 1100;
const RUNS: usize = 3;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    for (budget, name, goal) in [(1 << 30, "1 GiB", 5e6), (64 << 20, "64 MiB", 1.5e6)] {
        let seconds = repeated(RUNS, || timed_thread(|| index(budget)).0);
        let what = format!("{SECTIONS} sections, budget {name}");
        let row = Row::new("index", what, SECTIONS as f64 / seconds, "sections/s");
        each(row.goal(Goal::AtLeast(goal)));
    }
}

/// Runs are kept in memory: what a disk takes is not ours to measure.
fn index(budget: usize) {
    let made = Indexer::new(Codec::MultihashSorted, budget, &IndexLimits::default());
    let mut indexer = made.expect("of entries");
    let (mut runs, mut written) = (Vec::new(), 0);
    for n in 0..SECTIONS {
        let full = indexer.handle_entry(0x12, &digest(n), n * SECTION_BYTES).expect("taken");
        if full {
            drive(&mut indexer, &mut runs, &mut written);
        }
    }
    indexer.handle_end();
    drive(&mut indexer, &mut runs, &mut written);
    assert_eq!(written, 30 + SECTIONS * 40);
}

/// What a hash might be.
fn digest(n: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    for (part, bytes) in (4 * n..).zip(digest.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&sim::dag::mix(part).to_le_bytes());
    }
    digest
}

fn drive(indexer: &mut Indexer, runs: &mut Vec<Bytes>, written: &mut u64) {
    while let Some(output) = indexer.poll().expect("no fault") {
        match output {
            Output::Write(bytes) => *written += bytes.len() as u64,
            // One hash function and length: a run comes in one piece.
            Output::SpillWrite { bytes, .. } => runs.push(bytes),
            Output::SpillRead { run, offset, len } => {
                let at = usize::try_from(offset).expect("in memory");
                let bytes = Bytes::copy_from_slice(&runs[run as usize][at..at + len]);
                indexer.handle_spill(bytes).expect("as asked");
            }
        }
    }
}
