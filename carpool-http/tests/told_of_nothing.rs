//! A push that knows nothing of the server sends what the server lacks, and little else.

mod common;

use carpool_core::{Block, Cid};
use carpool_http::{ServerOptions, Totals};
use carpool_store::{MemoryStore, Names};
use common::{client, holding, holds_all, serve};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::sync::Arc;

const SHAPE: Shape = Shape { seed: 42, leaves: 4096, leaf_size: 1024, fanout: 64 };

fn versions(changed: u64) -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, changed)))
}

fn car_bytes<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> u64 {
    let section = |block: &Block| carpool_car::section_len(block.cid(), block.data().len()) as u64;
    blocks.into_iter().map(section).sum()
}

/// A store that completed these DAGs, in this order.
fn having(dags: &[&Dag]) -> Arc<MemoryStore> {
    let store = holding(dags.iter().flat_map(|dag| &dag.blocks));
    dags.iter().for_each(|dag| store.note_root(&dag.root).expect("memory"));
    store
}

async fn push(dag: &Dag, store: &Arc<MemoryStore>, options: ServerOptions) -> Totals {
    let url = serve(store.clone(), options).await;
    push_to(&url, dag.root, dag, store).await
}

async fn push_to(url: &str, root: Cid, dag: &Dag, store: &Arc<MemoryStore>) -> Totals {
    let pushed = client(url).push(root, vec![], None, holding(&dag.blocks)).await;
    let report = pushed.expect("the server takes it");
    assert!(holds_all(store, &dag.blocks));
    report.totals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_takes_two_rounds_and_no_block_twice() {
    for changed in [1, 40, 400, 4096] {
        let (old, new) = versions(changed);
        let held = having(&[&old]);
        let before = held.cids();
        let missing: Vec<&Block> =
            new.blocks.iter().filter(|block| !before.contains(block.cid())).collect();
        let totals = push(&new, &held, ServerOptions::default()).await;
        assert_eq!((totals.rounds, totals.duplicate), (2, 0), "{changed}");
        assert_eq!(totals.blocks_sent, missing.len() as u64, "{changed}");
        let ideal = car_bytes(missing);
        assert!(totals.bytes_sent <= ideal + ideal / 200 + 1024, "{totals:?} for {ideal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_before_counts_at_once() {
    let (old, new) = versions(40);
    let other = original(&Shape { seed: 1, ..SHAPE });
    let held = having(&[&other]);
    let url = serve(held.clone(), ServerOptions::default()).await;
    push_to(&url, old.root, &old, &held).await;
    let totals = push_to(&url, new.root, &new, &held).await;
    assert_eq!((totals.rounds, totals.duplicate), (2, 0));
}

/// Half a DAG with its root: the claim would be that all of it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_not_complete_any_more_is_not_told_of() {
    let (old, new) = versions(40);
    let held = holding(&old.blocks[..1000]);
    held.note_root(&old.root).unwrap();
    let totals = push(&new, &held, ServerOptions::default()).await;
    assert!(totals.rounds <= 3, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_are_remembered_at_the_limit_and_past_it() {
    let (old, new) = versions(1);
    let mut options = ServerOptions::default();
    for (most, duplicates) in [(old.blocks.len(), 0..1), (100, 1..4096), (0, 1..4097)] {
        options.max_summary_blocks = most;
        let totals = push(&new, &having(&[&old]), options.clone()).await;
        assert!(duplicates.contains(&totals.duplicate), "{most}: {totals:?}");
        assert_eq!(totals.rounds, 2);
    }
}

/// However many roots come, the newest are told of.
#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_the_newest_roots_are_kept() {
    let (old, new) = versions(40);
    let dags = [1, 2, 3].map(|seed| original(&Shape { seed, ..SHAPE }));
    let mut options = ServerOptions::default();
    options.max_summary_blocks = 2 * old.blocks.len() + 100;
    let held = having(&[&dags[0]]);
    let url = serve(held.clone(), options).await;
    for dag in [&dags[1], &dags[2], &old] {
        push_to(&url, dag.root, dag, &held).await;
    }
    assert_eq!(push_to(&url, new.root, &new, &held).await.duplicate, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_server_that_holds_it_a_push_is_its_root() {
    let (old, _) = versions(1);
    let totals = push(&old, &having(&[&old]), ServerOptions::default()).await;
    assert_eq!((totals.rounds, totals.blocks_sent), (1, 1));
}

/// The parts of a resumed push that are there already are not told of either, but by name.
#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_push_repeats_the_root_alone() {
    let (dag, _) = versions(1);
    let held = holding(&dag.blocks[..3000]);
    let totals = push(&dag, &held, ServerOptions::default()).await;
    let rest = &dag.blocks[3000..];
    assert_eq!((totals.rounds, totals.blocks_sent), (2, rest.len() as u64 + 1));
    assert!(
        totals.bytes_received < 45 * rest.len() as u64 + 500,
        "wants and no filter: {totals:?}"
    );
}
