//! Peers that are gone, stand still, lie, or want something: they are left alone for a while, the next is
//! asked, and nothing wrong is stored.

mod common;

use axum::{Router, extract::Request, routing::any};
use carpool_core::Block;
use carpool_http::{Error, ServerOptions};
use carpool_store::BlockStore;
use common::{client, holding, holds_all, serve, serve_default, serve_router};
use sim::dag::{Dag, Shape, original};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

const SHAPE: Shape = Shape { seed: 76, leaves: 40, leaf_size: 2000, fanout: 8 };

fn with_peers(peers: &[&str]) -> ServerOptions {
    let mut options = ServerOptions::default();
    options.peers = peers.iter().map(|&peer| peer.to_owned()).collect();
    options
}

async fn pulls(url: &str, dag: &Dag) -> Result<(), Error> {
    let sink = holding([]);
    client(url).pull(dag.root, vec![], sink.clone()).await?;
    assert!(holds_all(&sink, &dag.blocks));
    Ok(())
}

/// A peer that accepts and says nothing, and how many connections came.
async fn silent() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let count = Arc::<AtomicU64>::default();
    let to = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            to.fetch_add(1, Relaxed);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                std::future::pending::<()>().await;
            });
        }
    });
    (url, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_gone_and_one_that_says_nothing_are_passed_over_and_left_alone() {
    let dag = original(&SHAPE);
    let other = original(&Shape { seed: 77, ..SHAPE });
    let good = serve_default(holding(dag.blocks.iter().chain(&other.blocks))).await;
    let (still, connections) = silent().await;
    let mut options = with_peers(&["http://127.0.0.1:1", &still, &good]);
    options.stall_timeout = Duration::from_millis(300);
    options.peer_pause = Duration::from_secs(3600);
    let url = serve(holding([]), options).await;
    pulls(&url, &dag).await.unwrap();
    let asked = connections.load(Relaxed);
    assert!(asked >= 1, "it was asked");
    pulls(&url, &other).await.unwrap();
    assert_eq!(connections.load(Relaxed), asked, "it is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_failed_is_asked_again_after_its_pause() {
    let dag = original(&SHAPE);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut options = with_peers(&[&format!("http://{address}")]);
    options.peer_pause = Duration::from_millis(100);
    let url = serve(holding([]), options).await;
    pulls(&url, &dag).await.unwrap_err();
    let listener = TcpListener::bind(address).await.unwrap();
    let server = carpool_http::Server::new(holding(&dag.blocks), ServerOptions::default());
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let begun = Instant::now();
    while pulls(&url, &dag).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A CAR in which a block's bytes are another's.
fn lie(dag: &Dag) -> Vec<u8> {
    let mut car = carpool_car::header(&[dag.root]).to_vec();
    let mut section = |block: &Block, data: &[u8]| {
        car.extend_from_slice(carpool_car::section_prefix(block.cid(), data.len()).as_ref());
        car.extend_from_slice(data);
    };
    section(&dag.blocks[0], dag.blocks[0].data());
    section(&dag.blocks[1], b"something else");
    car
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_lie_is_stored_or_passed_on() {
    let dag = original(&SHAPE);
    let body = lie(&dag);
    let liar = any(move || {
        let body = body.clone();
        async move { ([("content-type", "application/vnd.ipld.car; version=1")], body) }
    });
    let liar = serve_router(Router::new().fallback(liar)).await;
    let store = holding([]);
    let url = serve(store.clone(), with_peers(&[&liar])).await;
    pulls(&url, &dag).await.unwrap_err();
    assert!(!store.has(dag.blocks[1].cid()).unwrap());
    let good = serve_default(holding(&dag.blocks)).await;
    let url = serve(store.clone(), with_peers(&[&liar, &good])).await;
    pulls(&url, &dag).await.unwrap();
}

/// A server connects to those that its configuration names, and to nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_names_another_is_not_believed() {
    let dag = original(&SHAPE);
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    let elsewhere = any(move || {
        count.fetch_add(1, Relaxed);
        async { http::StatusCode::NOT_FOUND }
    });
    let elsewhere = serve_router(Router::new().fallback(elsewhere)).await;
    for status in [301, 302, 307, 308] {
        let to = elsewhere.clone();
        let sends = any(move |request: Request| {
            let location = format!("{to}{}", request.uri());
            let status = http::StatusCode::from_u16(status).unwrap();
            async move { (status, [("location", location)]) }
        });
        let sends = serve_router(Router::new().fallback(sends)).await;
        let url = serve(holding([]), with_peers(&[&sends])).await;
        pulls(&url, &dag).await.unwrap_err();
        assert_eq!(asked.load(Relaxed), 0, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_get_their_token_and_not_that_of_clients() {
    let dag = original(&SHAPE);
    let heard = Arc::<Mutex<Vec<Option<String>>>>::default();
    let to = Arc::clone(&heard);
    let listens = any(move |request: Request| {
        let sent = request.headers().get("authorization");
        to.lock().unwrap().push(sent.map(|sent| sent.to_str().unwrap().to_owned()));
        async { http::StatusCode::NOT_FOUND }
    });
    let peer = serve_router(Router::new().fallback(listens)).await;
    for (peer_token, sent) in [(None, None), (Some("for-peers"), Some("Bearer for-peers"))] {
        let mut options = with_peers(&[&peer]);
        options.token = Some("for-clients".into());
        options.peer_token = peer_token.map(str::to_owned);
        let url = serve(holding([]), options).await;
        let client = common::client_with(&url, |options| {
            options.headers.push(("authorization".into(), "Bearer for-clients".into()));
        });
        client.pull(dag.root, vec![], holding([])).await.unwrap_err();
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert!(!heard.is_empty() && heard.iter().all(|it| it.as_deref() == sent), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_fills_nothing() {
    let dag = original(&SHAPE);
    let good = serve_default(holding(&dag.blocks)).await;
    let mut options = with_peers(&[&good]);
    options.token = Some("for-clients".into());
    let store = holding([]);
    let url = serve(store.clone(), options).await;
    let refused = client(&url).pull(dag.root, vec![], holding([])).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert!(!store.has(&dag.root).unwrap());
}
