//! What no peer has is not asked for again, for a while.

mod common;

use carpool_core::{Block, Cid, codec};
use carpool_http::{ServerOptions, message};
use carpool_store::BlockStore;
use common::{Relay, client, holding, holds_all, serve, serve_default};
use sim::dag::{Shape, original};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

const SHAPE: Shape = Shape { seed: 73, leaves: 40, leaf_size: 2000, fanout: 8 };

/// The status of a pull of one root.
async fn ask(url: &str, root: Cid) -> u16 {
    let status = carpool_mirror::Status { want: vec![root], have: None };
    let kind = message::Kind::PullRequest;
    let body = message::encode(message::Dialect::Spec, kind, &status);
    common::post(url, "/api/v0/dag/pull", &body).await
}

/// A server in front of a way to `peer`.
async fn edge(peer: &str, change: impl FnOnce(&mut ServerOptions)) -> (String, Relay) {
    let relay = Relay::start(peer, vec![]).await;
    let mut options = ServerOptions::default();
    options.peers = vec![relay.url.clone()];
    change(&mut options);
    (serve(holding([]), options).await, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_no_peer_has_is_asked_for_once() {
    let (url, relay) = edge(&serve_default(holding([])).await, |_| {}).await;
    let root = original(&SHAPE).root;
    for _ in 0..5 {
        assert_eq!(ask(&url, root).await, 404);
        assert_eq!(relay.connections.load(Relaxed), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_again_when_the_time_is_over() {
    let dag = original(&SHAPE);
    let origin = holding([]);
    let (url, relay) = edge(&serve_default(origin.clone()).await, |options| {
        options.remember_roots = Duration::from_millis(200);
    })
    .await;
    assert_eq!(ask(&url, dag.root).await, 404);
    origin.put_many(&dag.blocks).unwrap();
    let begun = Instant::now();
    while ask(&url, dag.root).await == 404 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is there now");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(relay.connections.load(Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_beats_what_is_remembered() {
    let dag = original(&SHAPE);
    let (url, _relay) = edge(&serve_default(holding([])).await, |_| {}).await;
    assert_eq!(ask(&url, dag.root).await, 404);
    client(&url).push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
    let sink = holding([]);
    client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
    assert!(holds_all(&sink, &dag.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_that_are_remembered_at_the_limit_and_one_past_it() {
    let roots: Vec<Cid> =
        (0..5).map(|n| *Block::new(codec::RAW, vec![n; 9].into()).cid()).collect();
    for (remembered, asked_again) in [(5, 0), (4, 1), (0, 5)] {
        let (url, relay) = edge(&serve_default(holding([])).await, |options| {
            options.max_remembered_roots = remembered;
        })
        .await;
        for root in &roots {
            assert_eq!(ask(&url, *root).await, 404);
        }
        assert_eq!(relay.connections.load(Relaxed), 5);
        // The newest first, so that none drives out another that is asked for later.
        for root in roots.iter().rev() {
            assert_eq!(ask(&url, *root).await, 404);
        }
        assert_eq!(relay.connections.load(Relaxed), 5 + asked_again, "{remembered}");
    }
}
