//! However many requests want one root, it is fetched once; and it goes on when they do not.

mod common;

use axum::{extract::Request, middleware::Next};
use carpool_http::{Server, ServerOptions};
use carpool_store::{BlockStore, MemoryStore};
use common::{Relay, client, holding, holds_all, serve, serve_default, serve_router};
use sim::dag::{Shape, original};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

const SHAPE: Shape = Shape { seed: 74, leaves: 200, leaf_size: 20_000, fanout: 16 };

#[tokio::test(flavor = "multi_thread")]
async fn twenty_requests_are_one_fill() {
    let dag = Arc::new(original(&SHAPE));
    let origin = serve_default(holding(&dag.blocks)).await;
    let relay = Relay::start(&origin, vec![]).await;
    let mut options = ServerOptions::default();
    options.peers = vec![relay.url.clone()];
    options.max_fills = 1;
    let url = serve(holding([]), options).await;
    let pull = |_| {
        let (url, dag) = (url.clone(), Arc::clone(&dag));
        tokio::spawn(async move {
            let sink = holding([]);
            client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
            assert!(holds_all(&sink, &dag.blocks));
        })
    };
    let pulls: Vec<_> = (0..20).map(pull).collect();
    for pulled in pulls {
        pulled.await.unwrap();
    }
    assert_eq!(relay.connections.load(Relaxed), 1);
    assert!(relay.down.load(Relaxed) < dag.block_bytes() * 11 / 10);
}

/// A server that says when it is asked, and answers when it is told.
async fn held_up(store: Arc<MemoryStore>) -> (String, Arc<Notify>, Arc<Notify>) {
    let (asked, go) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (asks, goes) = (Arc::clone(&asked), Arc::clone(&go));
    let hold = move |request: Request, next: Next| {
        let (asks, goes) = (Arc::clone(&asks), Arc::clone(&goes));
        async move {
            asks.notify_one();
            goes.notified().await;
            next.run(request).await
        }
    };
    let router = Server::new(store, ServerOptions::default()).router();
    (serve_router(router.layer(axum::middleware::from_fn(hold))).await, asked, go)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_a_fill_that_others_can_use() {
    let dag = original(&SHAPE);
    let (origin, asked, go) = held_up(holding(&dag.blocks)).await;
    let mut options = ServerOptions::default();
    options.peers = vec![origin];
    let store = holding([]);
    let url = serve(store.clone(), options).await;
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let head = format!("GET /dag/pull/{} HTTP/1.1\r\nhost: x\r\n\r\n", dag.root);
    stream.write_all(head.as_bytes()).await.unwrap();
    asked.notified().await;
    drop(stream);
    assert!(!store.has(&dag.root).unwrap());
    go.notify_one();
    let begun = Instant::now();
    while !holds_all(&store, &dag.blocks) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the fill goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
