//! Peers of each other do not ask in circles, and do not wait for each other.

mod common;

use axum::{extract::Request, middleware::Next, response::IntoResponse};
use carpool_core::Cid;
use carpool_http::{Error, Server, ServerOptions, message};
use carpool_store::{MemoryStore, Store};
use common::{client_with, holding, holds_all, serve_default};
use sim::dag::{Dag, Shape, original};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

const SHAPE: Shape = Shape { seed: 72, leaves: 40, leaf_size: 2000, fanout: 8 };

/// Pulls that came to a server, and the way that each had come.
type Heard = Arc<Mutex<Vec<Option<String>>>>;

/// Servers each of which has some of the others as its peers, by their numbers.
struct Cluster {
    urls: Vec<String>,
    heard: Vec<Heard>,
}

impl Cluster {
    async fn start(
        stores: Vec<Arc<MemoryStore>>,
        peers: impl Fn(usize) -> Vec<usize>,
        change: impl Fn(&mut ServerOptions),
    ) -> Self {
        let mut listeners = Vec::new();
        for _ in &stores {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.expect("loopback"));
        }
        let url =
            |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("bound"));
        let urls: Vec<String> = listeners.iter().map(url).collect();
        let mut heard = Vec::new();
        for (at, (listener, store)) in listeners.into_iter().zip(stores).enumerate() {
            let mut options = ServerOptions::default();
            options.peers = peers(at).into_iter().map(|peer| urls[peer].clone()).collect();
            change(&mut options);
            heard.push(listen(listener, store, options));
        }
        Self { urls, heard }
    }

    fn heard(&self, at: usize) -> Vec<Option<String>> {
        self.heard[at].lock().expect("no test panics in it").clone()
    }

    /// Pulls at one, in the one dialect.
    async fn pull(&self, at: usize, root: Cid) -> Result<Arc<MemoryStore>, Error> {
        let client = client_with(&self.urls[at], |options| {
            options.dialect = Some(message::Dialect::Spec);
        });
        let sink = holding([]);
        client.pull(root, vec![], sink.clone()).await.map(|_| sink)
    }
}

fn listen(listener: TcpListener, store: Arc<dyn Store>, options: ServerOptions) -> Heard {
    let heard = Heard::default();
    let to = Arc::clone(&heard);
    let hear = move |request: Request, next: Next| {
        let via = request.headers().get("car-mirror-via");
        let via = via.map(|via| via.to_str().expect("text").to_owned());
        to.lock().expect("no test panics in it").push(via);
        async move { next.run(request).await.into_response() }
    };
    let router = Server::new(store, options).router().layer(axum::middleware::from_fn(hear));
    tokio::spawn(async move { axum::serve(listener, router).await });
    heard
}

fn nothing(n: usize) -> Vec<Arc<MemoryStore>> {
    (0..n).map(|_| holding([])).collect()
}

fn others(n: usize) -> impl Fn(usize) -> Vec<usize> {
    move |at| (0..n).filter(|other| *other != at).collect()
}

fn hops(via: &str) -> usize {
    via.rsplit_once("by=").expect("a list").1.split(',').count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_of_each_other_say_soon_that_they_have_nothing() {
    let (cluster, dag) = (Cluster::start(nothing(2), others(2), |_| {}).await, original(&SHAPE));
    let begun = Instant::now();
    let failed = cluster.pull(0, dag.root).await;
    assert!(matches!(failed, Err(Error::Incomplete { missing: 1, .. })), "{failed:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for itself");
    let (first, second) = (cluster.heard(0), cluster.heard(1));
    let of_peers = first.iter().flatten().count();
    assert!(of_peers <= 3 && second.len() <= 3, "as often as a dialect is guessed: {first:?}");
    assert!(first.iter().flatten().all(|via| hops(via) == 2), "{first:?}");
    assert!(second.iter().all(|via| via.as_ref().is_some_and(|via| hops(via) == 1)), "{second:?}");
}

/// Each is asked by each once at each distance from the client, and not once for each way.
#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_is_asked_in_proportion_to_its_edges() {
    const SERVERS: usize = 6;
    const GUESSES: usize = 3;
    let mesh = Cluster::start(nothing(SERVERS), others(SERVERS), |_| {}).await;
    let root = original(&SHAPE).root;
    mesh.pull(0, root).await.unwrap_err();
    let heard: usize = (0..SERVERS).map(|at| mesh.heard(at).len()).sum();
    let most = 1 + GUESSES * 3 * SERVERS * (SERVERS - 1);
    assert!(heard <= most, "{heard} of at most {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_are_asked_at_once_do_not_wait_for_each_other() {
    let dag = original(&SHAPE);
    for _ in 0..5 {
        let cluster = Cluster::start(nothing(3), others(3), |_| {}).await;
        let begun = Instant::now();
        let pulls =
            (cluster.pull(0, dag.root), cluster.pull(1, dag.root), cluster.pull(2, dag.root));
        let (a, b, c) = tokio::join!(pulls.0, pulls.1, pulls.2);
        assert!([a, b, c].iter().all(Result::is_err));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_of_a_mesh_has_all_have() {
    let dag = original(&SHAPE);
    let mut stores = nothing(4);
    stores[3] = holding(&dag.blocks);
    let mesh = Cluster::start(stores, others(4), |_| {}).await;
    let pulls = (mesh.pull(0, dag.root), mesh.pull(1, dag.root), mesh.pull(2, dag.root));
    let (a, b, c) = tokio::join!(pulls.0, pulls.1, pulls.2);
    for sink in [a, b, c] {
        assert!(holds_all(&sink.unwrap(), &dag.blocks));
    }
}

/// A line of servers, of which the last has it.
async fn line(dag: &Dag, servers: usize, max_hops: usize) -> Cluster {
    let mut stores = nothing(servers);
    stores[servers - 1] = holding(&dag.blocks);
    let next = move |at| if at + 1 < servers { vec![at + 1] } else { vec![] };
    Cluster::start(stores, next, |options| options.max_hops = max_hops).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hops_at_the_limit_and_one_past_it() {
    let dag = original(&SHAPE);
    for (max_hops, servers) in [(1, 2), (2, 3), (3, 4), (8, 9)] {
        let cluster = line(&dag, servers, max_hops).await;
        let sink = cluster.pull(0, dag.root).await.unwrap();
        assert!(holds_all(&sink, &dag.blocks), "{max_hops}");
        let via = cluster.heard(servers - 1)[0].clone().unwrap();
        assert_eq!(hops(&via), max_hops, "{via}");
        let longer = line(&dag, servers + 1, max_hops).await;
        longer.pull(0, dag.root).await.unwrap_err();
        assert_eq!(longer.heard(servers), [], "{max_hops}");
    }
    let none = line(&dag, 2, 0).await;
    none.pull(0, dag.root).await.unwrap_err();
    assert_eq!(none.heard(1), []);
    let beyond = line(&dag, 10, 100).await;
    beyond.pull(0, dag.root).await.unwrap_err();
    assert_eq!(beyond.heard(9), [], "8 is the most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_not_understood_is_not_passed_on() {
    let dag = original(&SHAPE);
    let peer = serve_default(holding(&dag.blocks)).await;
    let forged = format!("v=1; fill={}; by={}", "0".repeat(32), vec!["1".repeat(32); 9].join(","));
    for via in ["", "v=2", &forged] {
        let mut options = ServerOptions::default();
        options.peers = vec![peer.clone()];
        let url = common::serve(holding([]), options).await;
        let client = client_with(&url, |options| {
            options.headers.push(("car-mirror-via".into(), via.to_owned()));
        });
        client.pull(dag.root, vec![], holding([])).await.unwrap_err();
        client_with(&url, |_| {}).pull(dag.root, vec![], holding([])).await.unwrap();
    }
}
