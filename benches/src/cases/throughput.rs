//! A cold pull over loopback, client and server in one process.

use carpool_store::MemoryStore;
use sim::dag::{Shape, original};
use std::{hint::black_box, sync::Arc};

use super::rate;
use crate::{
    clock::{by_turns, timed},
    loopback,
    memory::{hash_all, holding},
    report::Row,
};

const RUNS: usize = 11;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let dag = original(&Shape::BIG);
    let runtime = loopback::runtime(2);
    let url = loopback::serve(&runtime, Arc::new(holding(&dag.blocks)));
    for http2 in [false, true] {
        let ours = || {
            let to = Arc::new(MemoryStore::new());
            let client = loopback::client(&url, http2);
            let pull = client.pull(dag.root, Vec::new(), Arc::clone(&to));
            let (seconds, pulled) = timed(|| runtime.block_on(pull).expect("the server has all"));
            assert_eq!(pulled.totals.rounds, 1);
            assert_eq!(to.len(), dag.blocks.len(), "all came");
            seconds
        };
        let limit = || timed(|| black_box(hash_all(&dag.blocks))).0;
        let (ours, limit) = by_turns(RUNS, ours, limit);
        let bytes = dag.block_bytes();
        let what = format!("pull of 64 MiB over loopback, {}", loopback::version(http2));
        let row = Row::new("throughput", what, rate(bytes, ours), "MB/s");
        each(row.beside("sha2 of the same blocks", rate(bytes, limit)));
    }
}
