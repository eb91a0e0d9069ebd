//! Time against the number of blocks.

use carpool_store::MemoryStore;
use sim::dag::{Shape, original};
use std::hint::black_box;

use crate::{
    clock::{by_turns, timed_thread},
    memory::{hash_all, holding, pull},
    report::{Goal, Row},
};

const SMALLEST: u64 = 8 << 10;
const DOUBLINGS: u32 = 5;
const RUNS: usize = 5;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let mut times = Vec::new();
    for doubling in 0..=DOUBLINGS {
        let leaves = SMALLEST << doubling;
        let (blocks, ours, hashed) = one(leaves);
        times.push(ours);
        let what = format!("pull of {} Ki leaves of 1 KiB, fan-out 64: {ours:.3} s", leaves >> 10);
        let row = Row::new("linear", what, blocks / ours, "blocks/s");
        each(row.beside("sha2 of the same blocks", blocks / hashed).goal(Goal::AtLeast(250_000.0)));
    }
    let growth = times[times.len() - 1] / times[0];
    let row = Row::new("linear", "time for 32 × the leaves", growth, "×");
    each(row.goal(Goal::AtMost(40.0)));
}

/// Blocks, seconds to move them, seconds to hash them.
fn one(leaves: u64) -> (f64, f64, f64) {
    let dag = original(&Shape { leaves, ..Shape::SMALL });
    let from = holding(&dag.blocks);
    let ours = || {
        let to = MemoryStore::new();
        let (seconds, _) = timed_thread(|| pull(dag.root, &[], &from, &to));
        assert_eq!(to.len(), dag.blocks.len(), "all came");
        seconds
    };
    let limit = || timed_thread(|| black_box(hash_all(&dag.blocks))).0;
    let (ours, limit) = by_turns(RUNS, ours, limit);
    (dag.blocks.len() as f64, ours, limit)
}
