//! Cold transfers in memory against hashing the same bytes.

use carpool_store::MemoryStore;
use sim::dag::{Shape, original};
use std::hint::black_box;

use super::rate;
use crate::{
    clock::{by_turns, timed_thread},
    memory::{CHUNK_BYTES, hash_all, holding, pull, pull_cut, push},
    report::{Goal, Row},
};

const RUNS: usize = 11;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let dag = original(&Shape::BIG);
    let (from, bytes) = (holding(&dag.blocks), dag.block_bytes());
    let whole = dag.blocks.len();
    for name in ["pull", "push", "pull, cut into 64 KiB,"] {
        let ours = || {
            let to = MemoryStore::new();
            let (seconds, _) = timed_thread(|| match name {
                "pull" => pull(dag.root, &[], &from, &to),
                "push" => push(dag.root, &from, &to),
                _ => pull_cut(dag.root, &[], &from, &to, CHUNK_BYTES),
            });
            assert_eq!(to.len(), whole, "all came");
            seconds
        };
        let limit = || timed_thread(|| black_box(hash_all(&dag.blocks))).0;
        let (ours, limit) = by_turns(RUNS, ours, limit);
        let what = format!("{name} of 64 MiB in 256 KiB leaves, one thread");
        let row = Row::new("cold", what, rate(bytes, ours), "MB/s");
        let row = row.beside("sha2 of the same blocks", rate(bytes, limit));
        // Blocks that come in pieces are copied to fresh memory, which costs what the system takes.
        each(if name.contains("cut") { row } else { row.goal(Goal::RatioAtLeast(1.5)) });
    }
}
