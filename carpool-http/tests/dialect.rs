//! The client finds out which dialect a server speaks, and speaks it.

mod common;

use carpool_core::{Block, codec};
use carpool_http::{Error, message::Dialect};
use common::{client, client_with, holding, holds_all, serve_default, serve_only};
use sim::dag::{Shape, original};

fn shape() -> Shape {
    Shape { seed: 5, leaves: 90, leaf_size: 3000, fanout: 7 }
}

/// Both ways against a server of `prefix`; how many requests each took.
async fn both_ways(prefix: &'static str, path: &str) -> (u64, u64) {
    let dag = original(&shape());
    let (full, empty) = (holding(&dag.blocks), holding([]));
    let from = serve_only(full.clone(), prefix).await;
    let to = serve_only(empty.clone(), prefix).await;
    let sink = holding([]);
    let pulled = client(&format!("{from}{path}")).pull(dag.root, vec![], sink.clone()).await;
    let pushed = client(&format!("{to}{path}")).push(dag.root, vec![], None, full).await;
    assert!(holds_all(&sink, &dag.blocks) && holds_all(&empty, &dag.blocks));
    (pulled.expect("pulled").totals.requests, pushed.expect("pushed").totals.requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_guess_costs_no_request() {
    assert_eq!(both_ways("/api", "").await, (1, 2));
    assert_eq!(both_ways("/dag", "/dag").await, (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_guess_costs_one_request() {
    assert_eq!(both_ways("/dag", "").await, (2, 3));
    assert_eq!(both_ways("/dag", "/").await, (2, 3));
    assert_eq!(both_ways("/api", "/dag").await, (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_out_is_remembered() {
    let dag = original(&shape());
    let url = serve_only(holding(&dag.blocks), "/dag").await;
    let client = client(&url);
    client.pull(dag.root, vec![], holding([])).await.unwrap();
    let again = client.pull(dag.root, vec![], holding([])).await.unwrap();
    assert_eq!(again.totals.requests, 3, "two and one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_dialect_is_the_only_one() {
    let dag = original(&shape());
    let url = serve_only(holding(&dag.blocks), "/dag").await;
    let forced = client_with(&url, |options| options.dialect = Some(Dialect::Spec));
    let error = forced.pull(dag.root, vec![], holding([])).await.unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    let url = serve_default(holding(&dag.blocks)).await;
    let forced = client_with(&url, |options| options.dialect = Some(Dialect::CarMirror));
    forced.pull(dag.root, vec![], holding([])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_neither_dialect_has_is_missing() {
    let dag = original(&shape());
    let url = serve_default(holding([])).await;
    let error = client(&url).pull(dag.root, vec![], holding([])).await.unwrap_err();
    assert!(matches!(error, Error::Incomplete { missing: 1, .. }), "{error}");
}

/// One byte too many is told before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_car_mirror_does_not_take_is_named_before_the_first_byte() {
    let fits = Block::new(codec::RAW, vec![7; 1_000_000].into());
    let large = Block::new(codec::RAW, vec![7; 1_000_001].into());
    let store = holding([]);
    let url = serve_default(store.clone()).await;
    let forced = || client_with(&url, |options| options.dialect = Some(Dialect::CarMirror));
    forced().push(*fits.cid(), vec![], None, holding([&fits])).await.unwrap();
    let client = forced();
    let error = client.push(*large.cid(), vec![], None, holding([&large])).await.unwrap_err();
    let Error::PeerTakesLess { cid, bytes: 1_000_001, max: 1_000_000 } = error else {
        panic!("{error}")
    };
    assert_eq!((cid, client.progress().totals().requests, store.len()), (*large.cid(), 0, 1));
    assert!(error.to_string().contains("unixfs-v0-2015"), "{error}");
}

/// A server that stops reading at a held block, as car-mirror does: what it did not read is sent
/// again at once, and not level by level.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_before_an_early_answer_is_sent_again() {
    let shape = Shape { seed: 9, leaves: 400, leaf_size: 60_000, fanout: 6 };
    let dag = original(&shape);
    // The first half of the leaves is held, under nothing that the server knows of.
    let server = holding(dag.blocks.iter().filter(|block| block.data().len() > 50_000).take(200));
    let url = serve_default(server.clone()).await;
    let client = client_with(&url, |options| {
        (options.http2, options.dialect) = (true, Some(Dialect::CarMirror));
    });
    // An estimate that hides nothing: all of it goes out in the first request.
    let other = Block::new(codec::RAW, "other".into());
    let source = holding(dag.blocks.iter().chain([&other]));
    let report = client.push(dag.root, vec![*other.cid()], None, source).await.unwrap();
    assert!(holds_all(&server, &dag.blocks));
    assert!(report.totals.rounds <= 3, "{}", report.totals.rounds);
}
