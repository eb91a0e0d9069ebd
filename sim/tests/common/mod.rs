//! What several tests need: stores, and a transfer driven to its end.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_core::Cid;
use sim::{
    Blocks, End, Pair, Report, Setup, Store,
    dag::{Dag, Shape, original},
    reference,
};

/// More steps than any transfer here takes.
pub(crate) const STEPS: usize = 1_000_000;

/// Transfers `root` and holds the result to the reference. Gives the report and what is held now.
pub(crate) fn transfer(
    setup: &Setup,
    root: Cid,
    source: &Blocks,
    sink: &Blocks,
) -> (Report, Blocks) {
    let mut pair = Pair::new(setup, root, source.clone().into(), sink.clone().into());
    let report = pair.drive(STEPS).expect("a transfer ends");
    let held = pair.into_sink_store().blocks().clone();
    let expected = reference::expected(root, source, sink);
    assert!(held.keys().eq(&expected.held), "{} held, {report:?}", held.len());
    assert_eq!(report.end == End::Complete, expected.missing.is_empty(), "{:?}", report.end);
    (report, held)
}

/// A transfer of all of `dag` to a sink that holds `held`.
pub(crate) fn send(setup: &Setup, dag: &Dag, held: &Dag) -> Report {
    transfer(setup, dag.root, &blocks(dag), &blocks(held)).0
}

/// The blocks of a DAG.
pub(crate) fn blocks(dag: &Dag) -> Blocks {
    Store::holding(&dag.blocks).blocks().clone()
}

/// How many blocks of `dag` are not in `held`, and their bytes in a CAR without its header.
pub(crate) fn missing(dag: &Dag, held: &Blocks) -> (u64, u64) {
    let lacking = dag.blocks.iter().filter(|block| !held.contains_key(block.cid()));
    lacking.fold((0, 0), |(n, bytes), block| {
        (n + 1, bytes + carpool_car::section_len(block.cid(), block.data().len()) as u64)
    })
}

/// A DAG without blocks, for a sink that holds nothing.
pub(crate) fn nothing(dag: &Dag) -> Dag {
    Dag { root: dag.root, blocks: vec![] }
}

/// A tree small enough to be cut at every byte.
pub(crate) fn small_tree() -> Dag {
    original(&Shape { seed: 11, leaves: 9, leaf_size: 40, fanout: 3 })
}

/// A tree of a few hundred kilobytes.
pub(crate) fn tree() -> Dag {
    original(&Shape { seed: 12, leaves: 600, leaf_size: 700, fanout: 8 })
}

/// Holds a table to the one that is committed; `UPDATE_SNAPSHOTS=1` writes it anew.
pub(crate) fn assert_snapshot(name: &str, now: &str) {
    let path = format!("{}/tests/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, now).expect("the snapshot is writable");
    }
    let then = std::fs::read_to_string(&path).expect("the snapshot is committed");
    let differs = then.lines().zip(now.lines()).find(|(then, now)| then != now);
    assert_eq!(differs, None, "(then, now)");
    assert_eq!(then.len(), now.len());
}
