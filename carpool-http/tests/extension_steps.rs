//! The steps of the extension over loopback: each in a pull and in a push, what it costs, and that
//! what goes wrong costs rounds alone.

mod common;

use carpool_core::CidSet;
use carpool_http::{ServerOptions, Totals};
use carpool_mirror::planner::{Path, Step};
use carpool_store::{MemoryStore, Names};
use common::{Relay, client_with, holding, holds_all, pull_over, serve, serve_default, serve_only};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::sync::Arc;

const SHAPE: Shape = Shape { seed: 7, leaves: 16_384, leaf_size: 64, fanout: 64 };
const DEPTH: u64 = 3;
const INTERIOR: u64 = 256 + 4 + 1;
const CHANGED: u64 = 1000;
/// Bytes of the heads of a request and of what surrounds a message, at most.
const HEADS: f64 = 300.0;

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, CHANGED)))
}

fn missing(old: &Dag, new: &Dag) -> u64 {
    let mut held = CidSet::with_seed(0);
    old.blocks.iter().for_each(|block| {
        held.insert(block.cid());
    });
    new.blocks.iter().filter(|block| !held.contains(block.cid())).count() as u64
}

/// log2 C(n, d) / 8: the least that has to be said.
fn bound(n: u64, d: u64) -> f64 {
    (0..d).map(|i| ((n - i) as f64 / (d - i) as f64).log2()).sum::<f64>() / 8.0
}

/// A pull of the new version where the old one is held, without a root in common. The names are read
/// first, so that the server is known to read the extension.
async fn pull(url: &str, step: Step, sink: &Arc<MemoryStore>) -> Totals {
    let (old, new) = versions();
    let client = client_with(url, |options| options.strategy = Some(step));
    client.names().await.expect("a list");
    pull_over(&client, &old, &new, sink).await
}

/// A push of the new version to a server that completed the old one.
async fn push(url: &str, step: Step) -> Totals {
    let (_, new) = versions();
    let client = client_with(url, |options| options.strategy = Some(step));
    let source = holding(&new.blocks);
    client.push(new.root, vec![], None, source).await.expect("it is taken").totals
}

fn server_with_the_old_root() -> Arc<MemoryStore> {
    let (old, _) = versions();
    let store = holding(&old.blocks);
    store.note_root(&old.root).expect("memory");
    store
}

/// What each step costs: rounds, and bytes of messages beside their heads.
fn costs() -> [(Step, u64, f64); 2] {
    let least = bound(SHAPE.leaves, CHANGED);
    let deferral = 2.0 * least + 1024.0 + 0.7 * INTERIOR as f64;
    [
        (Step::InteriorFilter, 3, deferral),
        (Step::Bitmaps, DEPTH + 1, 1.35 * least + 17.0 * DEPTH as f64 + 50.0),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    for (step, rounds, bytes) in costs() {
        let totals = pull(&url, step, &holding(&old.blocks)).await;
        assert_eq!(totals.blocks_received, missing(&old, &new), "{step}");
        assert_eq!(totals.duplicate, 0, "{step}");
        assert!(totals.rounds <= rounds, "{step}: {totals:?}");
        let most = bytes + HEADS * totals.rounds as f64;
        assert!((totals.bytes_sent as f64) < most, "{step}: {} of {most}", totals.bytes_sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes() {
    let (old, new) = versions();
    for (step, rounds, bytes) in costs() {
        let server = server_with_the_old_root();
        let url = serve(server.clone(), ServerOptions::default()).await;
        let totals = push(&url, step).await;
        assert!(holds_all(&server, &new.blocks));
        assert_eq!(totals.blocks_sent, missing(&old, &new), "{step}");
        // The root goes first, unasked.
        assert!(totals.rounds <= rounds + 1, "{step}: {totals:?}");
        let most = bytes + HEADS * totals.rounds as f64;
        let received = totals.bytes_received as f64;
        assert!(received < most, "{step}: {received} of {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_no_trails_is_asked_by_name() {
    let (old, new) = versions();
    let mut options = ServerOptions::default();
    options.max_trail_bytes = 0;
    let url = serve(holding(&new.blocks), options).await;
    for step in [Step::InteriorFilter, Step::Bitmaps, Step::Filter] {
        let totals = pull(&url, step, &holding(&old.blocks)).await;
        assert_eq!(totals.blocks_received, missing(&old, &new), "{step}");
        assert!(totals.rounds <= 2 * DEPTH + 2, "{step}: {totals:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_rest_comes_and_nothing_twice() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    for step in [Step::InteriorFilter, Step::Bitmaps] {
        let whole = pull(&url, step, &holding(&old.blocks)).await.bytes_received;
        for tenth in [1, 5, 9] {
            let relay = Relay::start(&url, vec![whole * tenth / 10]).await;
            let sink = holding(&old.blocks);
            let totals = pull(&relay.url, step, &sink).await;
            assert_eq!(totals.blocks_received, missing(&old, &new), "{step}, {tenth}");
            assert_eq!(totals.duplicate, 0, "{step}, {tenth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_cut_goes_on() {
    let (_, new) = versions();
    for (step, after) in [(Step::InteriorFilter, 30_000), (Step::Bitmaps, 60_000)] {
        let server = server_with_the_old_root();
        let url = serve(server.clone(), ServerOptions::default()).await;
        let relay = Relay::start(&url, vec![after]).await;
        push(&relay.url, step).await;
        assert!(holds_all(&server, &new.blocks), "{step}");
    }
}

/// The dialect of car-mirror knows no extension: whatever is asked for, it is a filter.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_extension_is_asked_as_ever() {
    let (old, new) = versions();
    let url = serve_only(holding(&new.blocks), "/dag").await;
    for step in [Step::InteriorFilter, Step::Bitmaps] {
        let sink = holding(&old.blocks);
        let client = client_with(&url, |options| options.strategy = Some(step));
        let report =
            client.pull(new.root, vec![old.root], sink.clone()).await.expect("it is there");
        assert!(holds_all(&sink, &new.blocks));
        assert_eq!(report.plan.expect("it is planned").first(), Step::Filter);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_follows_what_is_known() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    let far = Path { rtt_micros: 50_000, bytes_per_second: 125_000 };
    let plan = |knows: bool, path| {
        let (url, sink) = (url.clone(), holding(&old.blocks));
        async move {
            let client = client_with(&url, |options| options.path = Some(path));
            if knows {
                client.names().await.expect("a list");
            }
            let report = client.pull(new.root, vec![], sink).await.expect("it is there");
            report.plan.expect("it is planned").first()
        }
    };
    assert_eq!(plan(true, far).await, Step::Everything, "nothing is known to be held");
    let near = Path { rtt_micros: 100, ..far };
    let held = |path| {
        let (url, sink, old) = (url.clone(), holding(&old.blocks), old.root);
        async move {
            let client = client_with(&url, |options| options.path = Some(path));
            client.names().await.expect("a list");
            // The server lacks the old root, so it is the step after that which is taken.
            let report = client.pull(new.root, vec![old], sink).await.expect("it is there");
            let plan = report.plan.expect("it is planned");
            assert_eq!(plan.first(), Step::HeldRoots);
            plan.steps[1].step
        }
    };
    assert_eq!(held(near).await, Step::Bitmaps, "rounds cost nothing");
    assert_eq!(held(far).await, Step::Sketch, "the names brought a key");
}
