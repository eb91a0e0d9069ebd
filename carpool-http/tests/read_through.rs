//! A server with peers fetches what a pull asks for and it does not hold, and answers then as if it had
//! held it.

mod common;

use carpool_core::Cid;
use carpool_http::{Error, ServerOptions, message::Dialect};
use carpool_store::{BlockStore, MemoryStore, Names};
use common::{
    Relay, client, client_with, exchange, holding, holds_all, pull_over, serve, serve_default,
    serve_only, serve_plain,
};
use sim::dag::{Dag, Shape, generate, original};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

const SHAPE: Shape = Shape { seed: 71, leaves: 120, leaf_size: 2000, fanout: 8 };

fn with_peers(peers: &[&str]) -> ServerOptions {
    let mut options = ServerOptions::default();
    options.peers = peers.iter().map(|&peer| peer.to_owned()).collect();
    options
}

/// A server without a block in front of one that has `dag`, and the way between them.
async fn edge(dag: &Dag) -> (String, Arc<MemoryStore>, Relay) {
    let origin = serve_default(holding(&dag.blocks)).await;
    let relay = Relay::start(&origin, vec![]).await;
    let store = holding([]);
    let url = serve(store.clone(), with_peers(&[&relay.url])).await;
    (url, store, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_of_both_dialects_are_answered_and_the_second_asks_nobody() {
    let dag = original(&SHAPE);
    for dialect in [Dialect::Spec, Dialect::CarMirror] {
        let (url, store, relay) = edge(&dag).await;
        for time in 1..=2 {
            let (client, sink) = (client_with(&url, |it| it.dialect = Some(dialect)), holding([]));
            let pulled = client.pull(dag.root, vec![], sink.clone()).await.unwrap();
            assert!(holds_all(&sink, &dag.blocks), "{dialect} {time}");
            assert_eq!(pulled.totals.rounds, 1, "it is whole before it is answered");
            assert_eq!(relay.connections.load(Relaxed), 1, "{dialect} {time}");
        }
        assert!(holds_all(&store, &dag.blocks));
        assert_eq!(
            store.recent_roots(1).unwrap(),
            [dag.root],
            "a pull that is told nothing is told of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_of_car_mirror_is_filled_too() {
    let dag = original(&SHAPE);
    let (url, store, _relay) = edge(&dag).await;
    let answer = exchange("GET", format!("{url}/dag/pull/{}", dag.root), "x/y", b"").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() as u64 > dag.block_bytes());
    assert!(holds_all(&store, &dag.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extended_pull_brings_the_difference_on_both_ways() {
    let (old, new) = (original(&SHAPE), generate(&SHAPE, &BTreeSet::from([17])));
    let origin = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let relay = Relay::start(&origin, vec![]).await;
    let store = holding([]);
    let url = serve(store.clone(), with_peers(&[&relay.url])).await;
    let sink = holding([]);
    let client = client(&url);
    client.pull(old.root, vec![], sink.clone()).await.unwrap();
    let before = relay.down.load(Relaxed);
    let totals = pull_over(&client, &old, &new, &sink).await;
    assert!(totals.bytes_sent < 600, "a root is named, and no filter: {totals:?}");
    let came = relay.down.load(Relaxed) - before;
    assert!(came < 20_000, "of {} bytes {came} came to the server", new.block_bytes());
    assert!(holds_all(&store, &new.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_is_fetched_and_not_what_is_held() {
    let dag = original(&SHAPE);
    let origin = serve_default(holding(&dag.blocks)).await;
    let relay = Relay::start(&origin, vec![]).await;
    let (held, _) = dag.blocks.split_at(dag.blocks.len() - 10);
    let store = holding(held);
    let url = serve(store.clone(), with_peers(&[&relay.url])).await;
    let sink = holding([]);
    client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
    assert!(holds_all(&sink, &dag.blocks));
    let came = relay.down.load(Relaxed);
    assert!((20_000..30_000).contains(&came), "ten leaves of 2,000 bytes: {came}");
}

/// The next peer is asked for what the first one lacks.
#[tokio::test(flavor = "multi_thread")]
async fn peers_supply_what_others_lack() {
    let dag = original(&SHAPE);
    let half = dag.blocks.len() / 2;
    let first = serve_default(holding(&dag.blocks[..half])).await;
    let second = serve_default(holding(&dag.blocks)).await;
    let url = serve(holding([]), with_peers(&[&first, &second])).await;
    let sink = holding([]);
    client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
    assert!(holds_all(&sink, &dag.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_need_not_be_carpool() {
    let dag = original(&SHAPE);
    let plain = serve_plain(holding(&dag.blocks)).await;
    let car_mirror = serve_only(holding(&dag.blocks), "/dag/").await;
    for peer in [plain, format!("{car_mirror}/dag"), car_mirror] {
        let url = serve(holding([]), with_peers(&[&peer])).await;
        let sink = holding([]);
        client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
        assert!(holds_all(&sink, &dag.blocks), "{peer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_roots_of_one_request_are_fetched() {
    let dags = [3, 4, 5].map(|seed| original(&Shape { seed, ..SHAPE }));
    let origin = serve_default(holding(dags.iter().flat_map(|dag| &dag.blocks))).await;
    let store = holding([]);
    let url = serve(store.clone(), with_peers(&[&origin])).await;
    let want: Vec<Cid> = dags.iter().map(|dag| dag.root).collect();
    let status = carpool_mirror::Status { want, have: None };
    let kind = carpool_http::message::Kind::PullRequest;
    let body = carpool_http::message::encode(Dialect::Spec, kind, &status);
    assert_eq!(common::post(&url, "/api/v0/dag/pull", &body).await, 200);
    for dag in &dags {
        assert!(holds_all(&store, &dag.blocks));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nothing_from_clients_is_filled_all_the_same() {
    let dag = original(&SHAPE);
    let origin = serve_default(holding(&dag.blocks)).await;
    let mut options = with_peers(&[&origin]);
    options.read_only = true;
    let store = holding([]);
    let url = serve(store.clone(), options).await;
    client(&url).pull(dag.root, vec![], holding([])).await.unwrap();
    assert!(holds_all(&store, &dag.blocks));
    let pushed = client(&url).push(dag.root, vec![], None, holding(&dag.blocks)).await;
    assert!(matches!(pushed, Err(Error::Refused { .. })), "{pushed:?}");
}

/// A push is about what the client holds, and a name about what this server was told.
#[tokio::test(flavor = "multi_thread")]
async fn neither_pushes_nor_names_ask_peers() {
    let dag = original(&SHAPE);
    let (url, store, relay) = edge(&dag).await;
    assert_eq!(client(&url).name("photos").await.unwrap(), None);
    let pushed = client(&url).push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
    assert_eq!(pushed.totals.blocks_sent, dag.blocks.len() as u64);
    assert_eq!(relay.connections.load(Relaxed), 0);
    assert!(store.has(&dag.root).unwrap());
}

#[test]
fn urls_of_peers_are_checked() {
    for (peers, good) in [
        (&["http://127.0.0.1:1", "https://host/path"][..], true),
        (&[], true),
        (&["http://127.0.0.1:1", "127.0.0.1:1"], false),
        (&["ftp://host"], false),
        (&["http://host/?query"], false),
    ] {
        assert_eq!(with_peers(peers).check().is_ok(), good, "{peers:?}");
    }
}
