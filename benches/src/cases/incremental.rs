//! What a change costs where the sink holds the version before.

use carpool_core::Cid;
use carpool_http::message::{self, Dialect, Kind};
use carpool_mirror::{Status, filter_of};
use carpool_store::MemoryStore;
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::{collections::BTreeSet, sync::Arc};

use crate::{
    loopback, memory,
    report::{Goal, Row},
};

/// The three cases of the comparison with the existing peer, and what it sends down.
const CASES: [(&str, Shape, u64, u64); 3] = [
    (
        "1 of 4,096 leaves of 256 B, fan-out 2",
        Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 2 },
        1,
        1_793,
    ),
    ("1 in 1,000 of 65,536 leaves of 1 KiB, fan-out 64", Shape::SMALL, 66, 286_630),
    ("1 in 100 of 256 leaves of 256 KiB, fan-out 16", Shape::BIG, 3, 789_388),
];

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    for (name, shape, changed, peer) in CASES {
        let case = Change::new(&shape, changed);
        in_memory(&case, name, peer, each);
        for http2 in [false, true] {
            over_http(&case, name, http2, each);
        }
    }
}

struct Change {
    old: Dag,
    new: Dag,
    missing: u64,
    /// Bytes of a CAR of nothing but the missing blocks.
    car_bytes: u64,
}

impl Change {
    fn new(shape: &Shape, changed: u64) -> Self {
        let old = original(shape);
        let new = generate(shape, &scattered(shape.seed, shape.leaves, changed));
        let held: BTreeSet<Cid> = old.blocks.iter().map(|block| *block.cid()).collect();
        let missing: Vec<_> =
            new.blocks.iter().filter(|block| !held.contains(block.cid())).cloned().collect();
        let only = Dag { root: new.root, blocks: missing };
        let (missing, car_bytes) = (only.blocks.len() as u64, only.car_bytes());
        Self { old, new, missing, car_bytes }
    }

    /// Bytes of the request: the new root, and a filter of all that is held.
    fn request_bytes(&self) -> u64 {
        let held = &self.old.blocks;
        let have = filter_of(held.len(), &carpool_core::Limits::default(), |insert| {
            held.iter().for_each(|block| insert(&block.cid().to_bytes()));
        });
        let status = Status { want: vec![self.new.root], have };
        message::encode(Dialect::Spec, Kind::PullRequest, &status).len() as u64
    }
}

fn in_memory(case: &Change, name: &str, peer: u64, each: &mut dyn FnMut(Row)) {
    let (from, to) = (memory::holding(&case.new.blocks), memory::holding(&case.old.blocks));
    let moved = memory::pull(case.new.root, &[case.old.root], &from, &to);
    assert_eq!(moved.blocks, case.missing, "what was missing came");
    let count = |what: &str, n: u64, goal: f64| {
        let what = format!("{name} changed: {what}");
        Row::new("incremental", what, n as f64, "").goal(Goal::AtMost(goal))
    };
    each(count("rounds", moved.rounds, 1.0));
    each(count("duplicates", moved.duplicates, 0.0));
    let row = Row::new("incremental", format!("{name} changed: down"), moved.car_bytes as f64, "B");
    let row = row.beside("the existing peer, with the same filter", peer as f64);
    each(row.goal(Goal::RatioAtMost(1.0)));
}

/// Both ways together, heads and all.
fn over_http(case: &Change, name: &str, http2: bool, each: &mut dyn FnMut(Row)) {
    let runtime = loopback::runtime(2);
    let from = Arc::new(memory::holding(&case.new.blocks));
    let to: Arc<MemoryStore> = Arc::new(memory::holding(&case.old.blocks));
    let pulled = loopback::served(&runtime, from, |url| {
        let client = loopback::client(url, http2);
        runtime.block_on(client.pull(case.new.root, vec![case.old.root], to))
    });
    let totals = pulled.expect("the server has all").totals;
    assert_eq!((totals.rounds, totals.duplicate, totals.blocks_received), (1, 0, case.missing));
    let least = (case.car_bytes + case.request_bytes()) as f64;
    let wire = (totals.bytes_sent + totals.bytes_received) as f64;
    let what = format!("{name} changed: wire, {}", loopback::version(http2));
    let row = Row::new("incremental", what, wire, "B");
    let row = row.beside("CAR of the missing blocks, and the request", least);
    each(row.goal(Goal::AtMost((least * 1.02).floor() + 1_000.0)));
}
