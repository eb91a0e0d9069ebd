//! A pull from several servers at once: each sends what the others do not, and who fails or lies is done without.

mod common;

use axum::{Router, extract::Request, middleware::Next, response::IntoResponse};
use carpool_core::Block;
use carpool_http::{ClientOptions, Error, Pool, client::Deltas, pool::PoolReport};
use carpool_store::MemoryStore;
use common::{
    holding, holds_all, serve_default, serve_only, serve_plain, serve_router, versions::versions,
};
use sim::dag::{Dag, Shape, generate, original};
use std::{sync::Arc, time::Duration};

const SHAPE: Shape = Shape { seed: 12, leaves: 1200, leaf_size: 2000, fanout: 20 };

fn options() -> ClientOptions {
    let mut options = ClientOptions::default();
    common::as_blocks(&mut options);
    options
}

async fn pull(urls: &[String], dag: &Dag, sink: &Arc<MemoryStore>) -> Result<PoolReport, Error> {
    let pool = Pool::new(urls, &options()).expect("good URLs").with_stall(Duration::from_secs(1));
    pool.pull(dag.root, vec![], Arc::clone(sink)).await
}

/// A pull that gets everything.
async fn whole(urls: &[String], dag: &Dag) -> PoolReport {
    let sink = holding([]);
    let report = pull(urls, dag, &sink).await.expect("all is there");
    assert!(holds_all(&sink, &dag.blocks));
    let blocks: u64 = report.sources.iter().map(|source| source.blocks).sum();
    assert_eq!(blocks, dag.blocks.len() as u64, "{:?}", report.sources);
    report
}

fn kinds(report: &PoolReport) -> Vec<&str> {
    report.sources.iter().map(|source| source.kind).collect()
}

async fn servers(count: usize, blocks: &[Block]) -> Vec<String> {
    let mut urls = Vec::new();
    for _ in 0..count {
        urls.push(serve_default(holding(blocks)).await);
    }
    urls
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_four_sends_its_share_and_nothing_comes_twice() {
    let dag = original(&SHAPE);
    let report = whole(&servers(4, &dag.blocks).await, &dag).await;
    assert_eq!(kinds(&report), ["gossiping"; 4]);
    for source in &report.sources {
        assert!(source.blocks > 0 && source.state == "ready", "{source:?}");
        assert!(source.trouble.is_none(), "{source:?}");
    }
    let twice: u64 = report.sources.iter().map(|source| source.duplicate_bytes).sum();
    assert!(twice * 20 < dag.car_bytes(), "{twice} B came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_know_nothing_of_pools_take_part() {
    let dag = original(&SHAPE);
    let store = || holding(&dag.blocks);
    let urls = [
        serve_only(store(), "/dag").await,
        serve_plain(store()).await,
        serve_default(store()).await,
        format!("{}/dag", serve_only(store(), "/dag").await),
    ];
    let report = whole(&urls, &dag).await;
    assert_eq!(kinds(&report)[0], "named", "car-mirror is asked for single blocks");
    assert_eq!(kinds(&report)[2..], ["gossiping", "named"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_a_pool_too() {
    let dag = original(&SHAPE);
    let report = whole(&servers(1, &dag.blocks).await, &dag).await;
    assert_eq!(report.sources[0].requests, 1, "{:?}", report.sources);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_lacks_comes_from_others() {
    let dag = original(&SHAPE);
    let part = |keep: usize| {
        let nodes_and =
            |(place, block): &(usize, &Block)| block.cid().codec() != 0x55 || place % 3 == keep;
        let blocks = dag.blocks.iter().enumerate().filter(nodes_and);
        holding(blocks.map(|(_, block)| block))
    };
    let mut urls = Vec::new();
    for keep in 0..3 {
        urls.push(serve_default(part(keep)).await);
    }
    let report = whole(&urls, &dag).await;
    assert!(report.sources.iter().all(|source| source.blocks > 300), "{:?}", report.sources);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_is_said() {
    let dag = original(&SHAPE);
    let lost = dag.blocks.last().expect("a leaf");
    let rest: Vec<Block> = dag.blocks.iter().filter(|block| *block != lost).cloned().collect();
    let sink = holding([]);
    let failed = pull(&servers(2, &rest).await, &dag, &sink).await;
    let Err(Error::Incomplete { missing: 1, example, .. }) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(example, Some(*lost.cid()));
    assert!(holds_all(&sink, &rest), "what came is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_done_without() {
    let dag = original(&SHAPE);
    let mut urls = servers(2, &dag.blocks).await;
    urls.insert(0, "http://127.0.0.1:1".into());
    let report = whole(&urls, &dag).await;
    assert_eq!((report.sources[0].state, report.sources[0].blocks), ("failed", 0));
    assert!(report.sources[0].trouble.is_some());
    let nobody = pull(&urls[..1], &dag, &holding([])).await;
    assert!(matches!(nobody, Err(Error::Connect(_))), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_midway_cost_nothing_but_time() {
    let dag = original(&SHAPE);
    let mut urls = servers(2, &dag.blocks).await;
    let dying = serve_default(holding(&dag.blocks)).await;
    // The greeting gets through.
    let relay = common::Relay::start(&dying, vec![100_000, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    urls.push(relay.url.clone());
    let report = whole(&urls, &dag).await;
    assert!(report.sources[2].failures > 0, "{:?}", report.sources[2]);
}

/// A server whose answers to pulls are this body.
async fn saying(body: Vec<u8>) -> String {
    let dag = original(&Shape { leaves: 1, ..SHAPE });
    let honest =
        carpool_http::Server::new(holding(&dag.blocks), carpool_http::ServerOptions::default());
    let lie = move |request: Request, next: Next| {
        let body = body.clone();
        async move {
            if request.uri().path().ends_with("/pull") {
                body.into_response()
            } else {
                next.run(request).await
            }
        }
    };
    let router: Router = honest.router().layer(axum::middleware::from_fn(lie));
    serve_router(router).await
}

/// A CAR whose only block hashes to something else.
fn wrong_block(dag: &Dag) -> Vec<u8> {
    let block = &dag.blocks[1];
    let mut car = carpool_car::header(&[dag.root]).to_vec();
    car.extend_from_slice(carpool_car::section_prefix(block.cid(), 3).as_ref());
    car.extend_from_slice(b"lie");
    car
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_is_dropped_and_its_work_done_by_others() {
    let dag = original(&SHAPE);
    for lie in [vec![b'n'; 4096], wrong_block(&dag)] {
        let mut urls = servers(2, &dag.blocks).await;
        urls.insert(0, saying(lie).await);
        let report = whole(&urls, &dag).await;
        assert_eq!((report.sources[0].state, report.sources[0].blocks), ("lied", 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let dag = original(&SHAPE);
    let honest =
        carpool_http::Server::new(holding(&dag.blocks), carpool_http::ServerOptions::default());
    let silent = |request: Request, next: Next| async move {
        if request.uri().path().ends_with("/pull") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        next.run(request).await
    };
    let mut urls = servers(2, &dag.blocks).await;
    urls.push(serve_router(honest.router().layer(axum::middleware::from_fn(silent))).await);
    let begun = std::time::Instant::now();
    let report = whole(&urls, &dag).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", report.sources[2]);
    assert_eq!(report.sources[2].blocks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_new_version_only_the_difference_comes() {
    let old = original(&SHAPE);
    let new = generate(&SHAPE, &sim::dag::run(SHAPE.leaves, 100));
    let both: Vec<Block> = old.blocks.iter().chain(&new.blocks).cloned().collect();
    for urls in [servers(3, &both).await, servers(3, &new.blocks).await] {
        let sink = holding(&old.blocks);
        let pool = Pool::new(&urls, &options()).expect("good URLs");
        let report = pool.pull(new.root, vec![old.root], sink.clone()).await.expect("all is there");
        assert!(holds_all(&sink, &new.blocks));
        let blocks: u64 = report.sources.iter().map(|source| source.blocks).sum();
        assert!((100..120).contains(&blocks), "{blocks}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_comes_as_deltas_against_the_old_root() {
    let (old, new) = versions();
    let both: Vec<Block> = old.blocks.iter().chain(&new.blocks).cloned().collect();
    for (count, deltas) in [(3, Deltas::Always), (1, Deltas::Always), (3, Deltas::Never)] {
        let urls = servers(count, &both).await;
        let sink = holding(&old.blocks);
        let options = {
            let mut options = options();
            options.deltas = deltas;
            options
        };
        let pool = Pool::new(&urls, &options).expect("good URLs");
        let report = pool.pull(new.root, vec![old.root], sink.clone()).await.expect("all is there");
        assert!(holds_all(&sink, &new.blocks));
        let came = report.totals.bytes_received;
        let small = deltas == Deltas::Always;
        assert_eq!(came < 40_000, small, "{count} sources, {deltas:?}: {came} B");
    }
}

#[test]
fn a_pool_has_one_to_sixty_four_sources_each_once() {
    let urls = |count: u16| (0..count).map(|n| format!("http://127.0.0.1:{}", n + 1)).collect();
    let new = |urls: Vec<String>| Pool::new(&urls, &ClientOptions::default());
    assert!(new(urls(64)).is_ok());
    for bad in [urls(0), urls(65), [urls(1), urls(1)].concat(), vec!["ftp://x".into()]] {
        assert!(matches!(new(bad), Err(Error::Usage(_))));
    }
}
