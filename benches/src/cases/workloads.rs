//! The workloads on which car-mirror was measured, by peers that both read the extension: what finding
//! the difference costs beside the CAR of what is missing.

use carpool_core::{Block, Cid};
use carpool_store::{BlockStore, MemoryStore, Names};
use sim::dag::Shape;
use std::{collections::BTreeSet, sync::Arc};
use tokio::runtime::Runtime;

use super::peer::{Case, Held, RECORDED};
use crate::{
    loopback,
    report::{Goal, Row},
};

/// §4.4: of a deep tree.
const DEEP: [(&str, Shape, u64, usize); 2] = [
    ("4,096 leaves, fan-out 2", Shape { seed: 42, leaves: 4_096, leaf_size: 64, fanout: 2 }, 1, 13),
    (
        "16,384 leaves, fan-out 2",
        Shape { seed: 42, leaves: 16_384, leaf_size: 64, fanout: 2 },
        2,
        29,
    ),
];

/// What the peers have in common.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    /// No root that either could name.
    Nothing,
    /// The version before, which the source holds as well.
    Root,
}

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let runtime = loopback::runtime(2);
    for (name, shape, held, kind, missing, ..) in RECORDED {
        let case = Case::new(&shape, kind);
        rows(&runtime, &format!("{name} {held}"), &case, missing, each);
    }
    for (name, shape, changed, missing) in DEEP {
        let case = Case::new(&shape, Held::Scattered(changed));
        rows(&runtime, name, &case, missing, each);
    }
}

fn rows(runtime: &Runtime, name: &str, case: &Case, missing: usize, each: &mut dyn FnMut(Row)) {
    assert_eq!(case.missing(), missing, "the recorded case");
    let (car, blocks) = car_of_missing(case);
    for (common, of) in [(Common::Nothing, ""), (Common::Root, ", old root known")] {
        if common == Common::Root && case.old.is_none() {
            continue;
        }
        for push in [false, true] {
            let (rounds, bytes) = transfer(runtime, case, common, push, blocks);
            let direction = if push { "push" } else { "pull" };
            let what = format!("{direction}, {name}{of}: {rounds} rounds, both ways together");
            let most = (car as f64).mul_add(1.01, 1_024.0).floor();
            let row = Row::new("workloads", what, bytes as f64, "B");
            each(row.beside("CAR of what is missing", car as f64).goal(Goal::AtMost(most)));
            let what = format!("{direction}, {name}{of}: rounds");
            each(Row::new("workloads", what, rounds as f64, "").goal(Goal::AtMost(2.0)));
        }
    }
}

fn car_of_missing(case: &Case) -> (u64, u64) {
    let held: BTreeSet<&Cid> = case.held.iter().map(Block::cid).collect();
    let missing = case.new.blocks.iter().filter(|block| !held.contains(block.cid()));
    let section = |block: &Block| carpool_car::section_len(block.cid(), block.data().len()) as u64;
    let header = carpool_car::header(&[case.root]).len() as u64;
    missing.fold((header, 0), |(bytes, n), block| (bytes + section(block), n + 1))
}

/// Rounds and TCP payload, heads and all, of a client that has read the server's names.
fn transfer(runtime: &Runtime, case: &Case, common: Common, push: bool, blocks: u64) -> (u64, u64) {
    let (source, sink) = (store(&case.new.blocks), store(&case.held));
    if common == Common::Root {
        source.put_many(&case.held).expect("memory");
    }
    // As after the transfer that completed it.
    case.seeds().iter().for_each(|old| sink.note_root(old).expect("memory"));
    let (near, far) = if push { (source, sink) } else { (sink, source) };
    let seeds = if push && common == Common::Nothing { Vec::new() } else { case.seeds() };
    loopback::served(runtime, far, |url| {
        let client = loopback::client(url, false);
        runtime.block_on(client.names()).expect("a list");
        let before = client.progress().totals();
        let totals = runtime.block_on(async {
            if push {
                client.push(case.root, seeds, None, near).await.map(|report| report.totals)
            } else {
                client.pull(case.root, seeds, near).await.map(|report| report.totals)
            }
        });
        let totals = totals.expect("a transfer");
        let moved = if push { totals.blocks_sent } else { totals.blocks_received };
        assert_eq!(moved - totals.duplicate, blocks, "what was missing, {}", url);
        let both = |t: &carpool_http::Totals| t.bytes_sent + t.bytes_received;
        (totals.rounds, both(&totals) - both(&before))
    })
}

fn store(blocks: &[Block]) -> Arc<MemoryStore> {
    Arc::new(crate::memory::holding(blocks))
}
