//! Servers that share a pool and talk to each other: what another promises is left out, what nobody promises is
//! sent in its place, what is lacking is said, and nobody else is heard.

mod common;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::post,
};
use carpool_core::{Cid, Limits, Unverified, may_link, verify};
use carpool_http::{
    Server, ServerOptions,
    message::{Dialect, Kind, encode},
};
use carpool_mirror::{
    Status,
    extension::{Gossips, HEADER, Offer},
};
use carpool_pool::{Gossip, Plan, Promises, Provided};
use carpool_store::MemoryStore;
use common::{holding, serve, serve_router};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sim::dag::{Dag, Shape, original};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;

const SESSION: [u8; 16] = [9; 16];

/// Larger than what waits between a server and a client that does not read.
const LARGE: Shape = Shape { seed: 11, leaves: 2048, leaf_size: 16 << 10, fanout: 64 };

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

fn plan(me: u8) -> Plan {
    Plan::new(SESSION, 0, me, 0, vec![1, 1]).expect("a good plan")
}

/// The head of the answer to a pull that may gossip.
async fn pull(url: &str, root: Cid, plan: &Plan) -> http::Response<Incoming> {
    pull_as(url, root, plan, Gossips::TakesOver).await
}

async fn pull_as(url: &str, root: Cid, plan: &Plan, gossips: Gossips) -> http::Response<Incoming> {
    let body = encode(Dialect::Spec, Kind::PullRequest, &Status { want: vec![root], have: None });
    let offer = Offer { pool: Some(plan.encode()), gossips, ..Offer::default() };
    let request = http::Request::post(format!("{url}/api/v0/dag/pull"))
        .header("content-type", "application/vnd.ipld.dag-cbor")
        .header(HEADER, offer.encode())
        .body(Full::new(body));
    http().request(request.expect("good")).await.expect("an answer")
}

async fn blocks(answer: http::Response<Incoming>) -> Vec<Cid> {
    let car = answer.into_body().collect().await.expect("a whole body").to_bytes();
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_data(car);
    decoder.handle_eof();
    let mut claims = Vec::new();
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            claims.push(Unverified { cid: section.cid, data: section.data });
        }
    }
    let verdicts = verify(claims).into_iter();
    verdicts.map(|verdict| *verdict.expect("a good block").cid()).collect()
}

/// Says something to a server in a session.
async fn say(url: &str, message: Vec<u8>) -> u16 {
    let id = u128::from_be_bytes(*Gossip::session_of(&message).expect("it names one"));
    let request = http::Request::post(format!("{url}/api/v0/pool/{id:032x}"));
    let request = request.body(Full::new(message.into())).expect("good");
    http().request(request).await.expect("an answer").status().as_u16()
}

/// A peer that listens.
async fn listener() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (to, heard) = mpsc::unbounded_channel();
    let hear = |State(to): State<mpsc::UnboundedSender<Bytes>>,
                Path(_): Path<String>,
                body: Bytes| async move {
        let _ = to.send(body);
    };
    let router = Router::new().route("/api/v0/pool/{session}", post(hear)).with_state(to);
    (serve_router(router).await, heard)
}

async fn gossiping(store: Arc<MemoryStore>, peer: String) -> String {
    let mut options = ServerOptions::default();
    options.peers = vec![peer];
    serve(store, options).await
}

fn leaves(dag: &Dag) -> Vec<Cid> {
    let all = dag.blocks.iter().map(|block| *block.cid());
    all.filter(|cid| !may_link(cid)).collect()
}

fn cids(dag: &Dag) -> BTreeSet<Cid> {
    dag.blocks.iter().map(|block| *block.cid()).collect()
}

/// Here it is the test that is the other source, and says what it likes while the server waits for its reader.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_promises_is_left_out_and_what_nobody_promises_is_sent() {
    let dag = original(&LARGE);
    let (peer, mut heard) = listener().await;
    let url = gossiping(holding(&dag.blocks), peer).await;
    let answer = pull(&url, dag.root, &plan(0)).await;
    let (mut view, mut theirs) = (Provided::new(&SESSION), Promises::new(1, 0));
    let far: Vec<Cid> = leaves(&dag).into_iter().rev().filter(|cid| plan(0).is_mine(cid)).collect();
    for cid in &far[..100] {
        theirs.promise(&mut view, cid).expect("few");
    }
    // Of its own as well: it is at work on these.
    let near: Vec<Cid> =
        leaves(&dag).into_iter().filter(|cid| plan(1).is_mine(cid)).take(50).collect();
    for cid in &near {
        theirs.promise(&mut view, cid).expect("few");
    }
    let said = theirs.take(&view).expect("promises").encode(view.key());
    assert_eq!(say(&url, said.clone()).await, 204);
    assert_eq!(say(&url, said).await, 204, "twice is once");
    let came = blocks(answer).await;
    let sent: BTreeSet<Cid> = came.iter().copied().collect();
    assert_eq!(sent.len(), came.len(), "nothing twice");
    let promised: BTreeSet<Cid> = far[..100].iter().chain(&near).copied().collect();
    let nodes_of_theirs = |cid: &Cid| may_link(cid) && plan(1).is_mine(cid);
    let expected =
        cids(&dag).into_iter().filter(|cid| !promised.contains(cid) && !nodes_of_theirs(cid));
    assert_eq!(sent, expected.collect());
    // What it told: that it is there, that its share is sent, and what it promised beyond.
    let mut ours = Provided::new(&SESSION);
    let stolen: Vec<Cid> = sent.iter().filter(|cid| plan(1).is_mine(cid)).copied().collect();
    while !stolen.iter().all(|cid| ours.is_provided(cid)) || !ours.is_done(0, 0) {
        let message = heard.recv().await.expect("more is told");
        let gossip = Gossip::decode(ours.key(), &message).expect("a good message");
        assert_eq!((gossip.source(), gossip.epoch()), (0, 0));
        ours.apply(&gossip).expect("within the limits");
    }
    assert!(promised.iter().all(|cid| !ours.is_provided(cid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_heard_of_is_left_alone() {
    let dag = original(&LARGE);
    let (peer, _heard) = listener().await;
    let url = gossiping(holding(&dag.blocks), peer).await;
    let sent = blocks(pull(&url, dag.root, &plan(0)).await).await;
    assert!(sent.iter().all(|cid| plan(0).is_mine(cid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_done_is_left_alone_but_for_what_it_lacks() {
    let dag = original(&LARGE);
    let (peer, _heard) = listener().await;
    let url = gossiping(holding(&dag.blocks), peer).await;
    let answer = pull(&url, dag.root, &plan(0)).await;
    let (mut view, mut theirs) = (Provided::new(&SESSION), Promises::new(1, 0));
    let lacking: Vec<Cid> =
        leaves(&dag).into_iter().filter(|cid| plan(1).is_mine(cid)).step_by(40).collect();
    for cid in &lacking {
        theirs.lack(&mut view, cid).expect("few");
    }
    theirs.finish(&mut view).expect("few");
    let said = theirs.take(&view).expect("misses").encode(view.key());
    assert_eq!(say(&url, said).await, 204);
    let sent: BTreeSet<Cid> = blocks(answer).await.into_iter().collect();
    let own = cids(&dag).into_iter().filter(|cid| plan(0).is_mine(cid));
    assert_eq!(sent, own.chain(lacking).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_lacks_itself_it_says() {
    let dag = original(&LARGE);
    let (peer, mut heard) = listener().await;
    let lost: BTreeSet<Cid> =
        leaves(&dag).into_iter().filter(|cid| plan(0).is_mine(cid)).step_by(50).collect();
    let held = dag.blocks.iter().filter(|block| !lost.contains(block.cid()));
    let url = gossiping(holding(held), peer).await;
    let sent = blocks(pull(&url, dag.root, &plan(0)).await).await;
    assert!(sent.iter().all(|cid| !lost.contains(cid)));
    let mut ours = Provided::new(&SESSION);
    while !lost.iter().all(|cid| ours.is_lacked_by(0, cid)) {
        let message = heard.recv().await.expect("more is told");
        ours.apply(&Gossip::decode(ours.key(), &message).expect("good")).expect("few");
    }
    assert!(sent.iter().all(|cid| !ours.is_lacked_by(0, cid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_heard() {
    let dag = original(&LARGE);
    let (peer, _heard) = listener().await;
    let url = gossiping(holding(&dag.blocks), peer).await;
    let hello =
        |session: [u8; 16], source| Gossip::hello(source, 0).encode(Provided::new(&session).key());
    assert_eq!(say(&url, hello(SESSION, 1)).await, 404, "no sink opened it");
    let answer = pull(&url, dag.root, &plan(0)).await;
    assert_eq!(say(&url, hello(SESSION, 1)).await, 204);
    assert_eq!(say(&url, hello([8; 16], 1)).await, 404, "another session");
    let mut forged = hello(SESSION, 1);
    *forged.last_mut().expect("a MAC") ^= 1;
    assert_eq!(say(&url, forged).await, 403);
    let mut late = Promises::new(1, 7);
    let mut view = Provided::new(&SESSION);
    late.finish(&mut view).expect("the last that may be open");
    assert_eq!(say(&url, late.take(&view).expect("it").encode(view.key())).await, 204);
    view.close(0, []).expect("the first");
    let mut later = Promises::new(1, 8);
    later.finish(&mut view).expect("it may be open here");
    let later = later.take(&view).expect("it").encode(view.key());
    assert_eq!(say(&url, later).await, 413, "not there");
    drop(answer);
}

/// Without peers it tells nobody by itself, and hears who knows the session, such as its sink.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_peers_sends_its_share_and_hears() {
    let dag = original(&LARGE);
    let url = serve(holding(&dag.blocks), ServerOptions::default()).await;
    let sent = blocks(pull(&url, dag.root, &plan(0)).await).await;
    assert!(sent.iter().all(|cid| plan(0).is_mine(cid)), "nobody else was heard");
    let url = serve(holding(&dag.blocks), ServerOptions::default()).await;
    let answer = pull(&url, dag.root, &plan(0)).await;
    let hello = Gossip::hello(1, 0).encode(Provided::new(&SESSION).key());
    assert_eq!(say(&url, hello).await, 204);
    let sent: BTreeSet<Cid> = blocks(answer).await.into_iter().collect();
    let mine = |cid: &Cid| plan(0).is_mine(cid) || !may_link(cid);
    assert_eq!(sent, cids(&dag).into_iter().filter(mine).collect());
}

/// It leaves out what is promised, says what it lacks, and takes over nothing, though there is enough.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_minds_takes_over_nothing() {
    let dag = original(&LARGE);
    let (peer, mut heard) = listener().await;
    let mine: Vec<Cid> = leaves(&dag).into_iter().filter(|cid| plan(0).is_mine(cid)).collect();
    let lost: BTreeSet<Cid> = mine.iter().rev().step_by(50).copied().collect();
    let held = dag.blocks.iter().filter(|block| !lost.contains(block.cid()));
    let url = gossiping(holding(held), peer).await;
    let answer = pull_as(&url, dag.root, &plan(0), Gossips::Minds).await;
    let (mut view, mut theirs) = (Provided::new(&SESSION), Promises::new(1, 0));
    let far = mine.iter().rev().filter(|cid| !lost.contains(cid)).take(100);
    let promised: BTreeSet<Cid> = far.copied().collect();
    for cid in &promised {
        theirs.promise(&mut view, cid).expect("few");
    }
    assert_eq!(say(&url, theirs.take(&view).expect("promises").encode(view.key())).await, 204);
    let sent: BTreeSet<Cid> = blocks(answer).await.into_iter().collect();
    let share = cids(&dag).into_iter().filter(|cid| plan(0).is_mine(cid));
    let left = share.filter(|cid| !lost.contains(cid) && !promised.contains(cid));
    assert_eq!(sent, left.collect());
    let mut ours = Provided::new(&SESSION);
    while !ours.is_done(0, 0) || !lost.iter().all(|cid| ours.is_lacked_by(0, cid)) {
        let message = heard.recv().await.expect("more is told");
        ours.apply(&Gossip::decode(ours.key(), &message).expect("good")).expect("few");
    }
    assert!(dag.blocks.iter().all(|block| !ours.is_provided(block.cid())));
}

/// What a server said in a session, as its sink reads it.
async fn listen(url: &str, path: &str) -> (u16, Bytes) {
    let request = http::Request::get(format!("{url}/api/v0/pool/{path}"));
    let answer = http().request(request.body(Full::default()).expect("good")).await;
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.expect("a whole body").to_bytes())
}

/// As `docs/pool-session.md` has it, and not as the code does.
fn messages(mut body: &[u8]) -> (u64, Vec<&[u8]>) {
    let (next, rest) = body.split_first_chunk().expect("a number");
    let mut messages = Vec::new();
    body = rest;
    while let Some((length, rest)) = body.split_first_chunk() {
        let (message, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        messages.push(message);
        body = rest;
    }
    assert!(body.is_empty());
    (u64::from_le_bytes(*next), messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_hears_what_a_server_says() {
    let dag = original(&LARGE);
    let url = serve(holding(&dag.blocks), ServerOptions::default()).await;
    let id = format!("{:032x}", u128::from_be_bytes(*Provided::new(&SESSION).key().id()));
    assert_eq!(listen(&url, &format!("{id}/0")).await.0, 404, "no sink opened it");
    let answer = pull(&url, dag.root, &plan(0)).await;
    let (status, hello) = listen(&url, &format!("{id}/0")).await;
    assert_eq!((status, messages(&hello).0), (200, 1));
    // It waits for its reader, and then says that it is done.
    let path = format!("{id}/1");
    let ((status, body), sent) = tokio::join!(listen(&url, &path), blocks(answer));
    assert!(!sent.is_empty());
    let (next, told) = messages(&body);
    assert_eq!((status, next, told.len()), (200, 2, 1));
    let mut view = Provided::new(&SESSION);
    view.apply(&Gossip::decode(view.key(), told[0]).expect("sealed")).expect("few");
    assert!(view.is_done(0, 0));
    let table = [
        (format!("{id}/-1"), 400),
        (format!("{id}/+1"), 400),
        (format!("{id}/x"), 400),
        (format!("{id}/18446744073709551616"), 400),
        (format!("{id}/18446744073709551615"), 200),
        (format!("{}/0", &id[1..]), 404),
        (format!("{:032x}/0", 1), 404),
    ];
    for (path, expected) in table {
        assert_eq!(listen(&url, &path).await.0, expected, "{path}");
    }
}

/// However their messages go, all of it comes.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_talk_send_the_whole() {
    let dag = original(&LARGE);
    let mut listeners = Vec::new();
    for _ in 0..2 {
        listeners.push(tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback"));
    }
    let urls: Vec<String> = listeners
        .iter()
        .map(|listener| format!("http://{}", listener.local_addr().expect("bound")))
        .collect();
    for (me, listener) in listeners.into_iter().enumerate() {
        let mut options = ServerOptions::default();
        options.peers = vec![urls[1 - me].clone()];
        let server = Server::new(holding(&dag.blocks), options);
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    }
    let (first, second) =
        (pull(&urls[0], dag.root, &plan(0)).await, pull(&urls[1], dag.root, &plan(1)).await);
    // The second is read when the first has come to its end.
    let first = blocks(first).await;
    let second = blocks(second).await;
    let sent: BTreeSet<Cid> = first.iter().chain(&second).copied().collect();
    assert_eq!(sent, cids(&dag));
    println!(
        "{} and {} blocks, {} of them twice",
        first.len(),
        second.len(),
        first.len() + second.len() - sent.len()
    );
}
