//! What one request, and all of them, can make a server fetch: at each bound and one past it.

mod common;

use carpool_core::{Block, Cid};
use carpool_http::{ServerOptions, message};
use carpool_store::BlockStore;
use common::{client_with, exchange, holding, holds_all, post, serve, serve_default};
use sim::dag::{Dag, Shape, original};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const SHAPE: Shape = Shape { seed: 75, leaves: 20, leaf_size: 2000, fanout: 8 };

fn with_peer(peer: &str) -> ServerOptions {
    let mut options = ServerOptions::default();
    options.peers = vec![peer.to_owned()];
    options
}

/// A peer that reads requests, sends so much of an answer, and then nothing.
async fn frozen(sends: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sends = sends.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&sends).await;
                std::future::pending::<()>().await;
            });
        }
    });
    url
}

/// The beginning of an answer: some blocks of a CAR that does not end.
fn begun(root: Cid, blocks: &[Block]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.extend_from_slice(&carpool_car::header(&[root]));
    for block in blocks {
        answer.extend_from_slice(
            carpool_car::section_prefix(block.cid(), block.data().len()).as_ref(),
        );
        answer.extend_from_slice(block.data());
    }
    answer
}

fn wants(want: &[Cid]) -> Vec<u8> {
    let status = carpool_mirror::Status { want: want.to_vec(), have: None };
    message::encode(message::Dialect::Spec, message::Kind::PullRequest, &status).to_vec()
}

async fn ask(url: &str, want: &[Cid]) -> u16 {
    post(url, "/api/v0/dag/pull", &wants(want)).await
}

fn dags(n: u64) -> Vec<Dag> {
    (0..n).map(|n| original(&Shape { seed: 750 + n, ..SHAPE })).collect()
}

async fn metric(url: &str, series: &str) -> u64 {
    let answer = exchange("GET", format!("{url}/metrics"), "text/plain", b"").await;
    let page = String::from_utf8(answer.body).expect("text");
    let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.and_then(|value| value.parse().ok()).expect("a number")
}

async fn until(url: &str, series: &str, value: u64) {
    let begun = Instant::now();
    while metric(url, series).await != value {
        assert!(begun.elapsed() < Duration::from_secs(20), "{series} is not {value}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fills_at_a_time() {
    let mut options = with_peer(&frozen(vec![]).await);
    (options.max_fills, options.fill_wait) = (2, Duration::from_millis(300));
    let url = serve(holding([]), options).await;
    let dags = dags(3);
    for (at, dag) in dags[..2].iter().enumerate() {
        assert_eq!(ask(&url, &[dag.root]).await, 503, "waited for, and nothing came");
        assert_eq!(metric(&url, "carpool_fills_in_flight").await, at as u64 + 1);
    }
    let busy = "carpool_fills_not_begun_total{reason=\"busy\"}";
    assert_eq!(metric(&url, busy).await, 0);
    let begun = Instant::now();
    assert_eq!(ask(&url, &[dags[2].root]).await, 503);
    assert!(begun.elapsed() < Duration::from_secs(10), "there is nothing to wait for");
    assert_eq!((metric(&url, busy).await, metric(&url, "carpool_fills_in_flight").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_of_one_request() {
    let dags = dags(3);
    let origin = serve_default(holding(dags.iter().flat_map(|dag| &dag.blocks))).await;
    let too_many = "carpool_fills_not_begun_total{reason=\"too_many\"}";
    for (roots, fetched, refused) in [(1, 1, 0), (2, 2, 0), (3, 2, 1)] {
        let mut options = with_peer(&origin);
        options.max_fill_roots = 2;
        let store = holding([]);
        let url = serve(store.clone(), options).await;
        let want: Vec<Cid> = dags[..roots].iter().map(|dag| dag.root).collect();
        assert_eq!(ask(&url, &want).await, 200);
        assert_eq!(store.has_many(&want).unwrap().iter().filter(|held| **held).count(), fetched);
        assert_eq!(metric(&url, too_many).await, refused, "{roots}");
    }
}

/// What waits has a place among the transfers.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait() {
    let mut options = with_peer(&frozen(vec![]).await);
    (options.max_transfers, options.fill_wait) = (1, Duration::from_secs(60));
    let url = serve(holding([]), options).await;
    let dags = dags(2);
    let (waiting, body) = (url.clone(), wants(&[dags[0].root]));
    let waits = tokio::spawn(async move { post(&waiting, "/api/v0/dag/pull", &body).await });
    until(&url, "carpool_fills_in_flight", 1).await;
    assert_eq!(ask(&url, &[dags[1].root]).await, 503);
    assert_eq!(metric(&url, "carpool_fills_in_flight").await, 1);
    waits.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_waited_gets_what_has_come() {
    let dag = original(&SHAPE);
    let some = dag.blocks.len() - 3;
    let mut options = with_peer(&frozen(begun(dag.root, &dag.blocks[..some])).await);
    options.fill_wait = Duration::from_millis(300);
    // So that what came is stored while the rest is waited for.
    options.stall_timeout = Duration::from_millis(200);
    let url = serve(holding([]), options).await;
    let sink = holding([]);
    let client = client_with(&url, |options| options.retries = 2);
    let pulled = client.pull(dag.root, vec![], sink.clone()).await;
    assert!(pulled.is_err() && holds_all(&sink, &dag.blocks[..some]), "{pulled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_fill() {
    let dag = original(&SHAPE);
    let mut options = with_peer(&frozen(begun(dag.root, &dag.blocks[..3])).await);
    options.fill_timeout = Duration::from_millis(300);
    let store = holding([]);
    let url = serve(store.clone(), options).await;
    assert!([200, 503].contains(&ask(&url, &[dag.root]).await));
    assert_eq!(metric(&url, "carpool_fills_total{end=\"timed_out\"}").await, 1);
    assert_eq!(metric(&url, "carpool_fills_in_flight").await, 0);
    let begun = Instant::now();
    while !holds_all(&store, &dag.blocks[..3]) {
        assert!(begun.elapsed() < Duration::from_secs(20), "what came is kept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
