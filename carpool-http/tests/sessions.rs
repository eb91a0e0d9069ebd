//! What a server remembers under a session's name: it is not sent again, a body that was not read to
//! its end is forgotten, and all of it stays within bounds.

mod common;

use bytes::Bytes;
use carpool_core::{Block, Cid, Limits};
use carpool_http::{
    ServerOptions,
    message::{Dialect, Kind, encode},
};
use carpool_mirror::{
    Status,
    extension::{Answer, HEADER, Memory, Offer, Request},
};
use common::{Relay, client_with, exchange, holding, holds_all, serve, serve_default};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sim::dag::{Dag, Shape, original};
use std::time::Duration;

const SMALL: Shape = Shape { seed: 5, leaves: 27, leaf_size: 100, fanout: 3 };
const LARGE: Shape = Shape { seed: 6, leaves: 1000, leaf_size: 16_384, fanout: 20 };

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A pull under a session's name: the head of the answer.
async fn ask(
    http: &Http,
    url: &str,
    want: &[Cid],
    name: u8,
) -> (Memory, http::Response<hyper::body::Incoming>) {
    let status = Status { want: want.to_vec(), have: None };
    let body = encode(Dialect::Spec, Kind::PullRequest, &status);
    let offer = Offer { session: Some([name; 16]), ..Offer::default() };
    let request = http::Request::post(format!("{url}/api/v0/dag/pull"))
        .header("content-type", "application/vnd.ipld.dag-cbor")
        .header(HEADER, offer.encode())
        .body(Full::new(body));
    let answer = http.request(request.expect("good")).await.expect("an answer");
    let said = answer.headers().get(HEADER).expect("the extension is known").to_str();
    let said = Answer::decode(said.expect("text")).expect("version 1");
    (said.memory, answer)
}

/// How many blocks a CAR has.
fn count(car: Bytes) -> usize {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_data(car);
    decoder.handle_eof();
    let mut blocks = 0;
    while let Some(item) = decoder.poll().expect("a good CAR") {
        blocks += usize::from(matches!(item, carpool_car::Item::Section(_)));
    }
    blocks
}

async fn pull(http: &Http, url: &str, want: &Block, name: u8) -> (Memory, usize) {
    let (memory, answer) = ask(http, url, &[*want.cid()], name).await;
    let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
    (memory, count(body))
}

/// A sample of `/metrics`.
async fn sample(url: &str, name: &str) -> u64 {
    let page = exchange("GET", format!("{url}/metrics"), "text/plain", b"").await.body;
    let page = String::from_utf8(page).expect("text");
    let line = page.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    line.trim().parse().expect("a number")
}

/// Waits until the server has seen what its peers did.
async fn until_sample(url: &str, name: &str, value: u64) {
    for _ in 0..500 {
        if sample(url, name).await == value {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("{name} is {}, not {value}", sample(url, name).await);
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again() {
    let dag = original(&SMALL);
    let (url, http) = (serve_default(holding(&dag.blocks)).await, http());
    // One of three subtrees, then all of it: 40 blocks, 13 of which are in the subtree.
    assert_eq!(pull(&http, &url, &dag.blocks[1], 1).await, (Memory::Begun, 13));
    assert_eq!(pull(&http, &url, &dag.blocks[0], 1).await, (Memory::Kept, 27));
    assert_eq!(pull(&http, &url, &dag.blocks[0], 2).await, (Memory::Begun, 40), "another's");
    // It is wanted although it was sent, so nobody knows what arrived.
    assert_eq!(pull(&http, &url, &dag.blocks[0], 1).await, (Memory::Kept, 40));
    assert_eq!(sample(&url, "carpool_sessions_open").await, 2);
}

#[tokio::test]
async fn an_extended_request_has_a_session_too() {
    let dag = original(&SMALL);
    let url = serve_default(holding(&dag.blocks)).await;
    for (want, blocks) in [(&dag.blocks[1], 13), (&dag.blocks[0], 27)] {
        let (want, session) = (vec![*want.cid()], Some([3; 16]));
        let request = Request { root: Some(dag.root), want, session, ..Request::default() };
        let kind = carpool_mirror::extension::CONTENT_TYPE;
        let path = format!("{url}/api/v0/dag/pull");
        let answer = exchange("POST", path, kind, &request.encode()).await;
        assert_eq!((answer.status, count(answer.body.into())), (200, blocks));
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_to_its_end_is_forgotten() {
    let dag = original(&LARGE);
    let (url, http) = (serve_default(holding(&dag.blocks)).await, http());
    assert_eq!(pull(&http, &url, &dag.blocks[1], 1).await.0, Memory::Begun);
    let (memory, mut answer) = ask(&http, &url, &[dag.root], 1).await;
    assert_eq!(memory, Memory::Kept);
    answer.body_mut().frame().await.expect("a frame").expect("bytes");
    assert_eq!(sample(&url, "carpool_sessions_open").await, 1);
    drop(answer);
    until_sample(&url, "carpool_sessions_open", 0).await;
    assert_eq!(pull(&http, &url, &dag.blocks[0], 1).await, (Memory::Begun, dag.blocks.len()));
}

#[tokio::test]
async fn of_two_requests_at_a_time_one_has_the_session() {
    let dag = original(&LARGE);
    let (url, http) = (serve_default(holding(&dag.blocks)).await, http());
    let (first, slow) = ask(&http, &url, &[dag.root], 1).await;
    assert_eq!(first, Memory::Begun);
    let second = pull(&http, &url, &dag.blocks[0], 1).await;
    assert_eq!(second, (Memory::None, dag.blocks.len()), "it is not made to wait");
    slow.into_body().collect().await.expect("a whole body");
    assert_eq!(pull(&http, &url, &dag.blocks[1], 1).await.0, Memory::Kept);
}

#[tokio::test]
async fn sessions_by_the_thousand_stay_within_the_limit() {
    let dag = original(&SMALL);
    let mut options = ServerOptions::default();
    options.max_sessions_bytes = 20_000;
    let (url, http) = (serve(holding(&dag.blocks), options).await, http());
    for n in 0..2_000_u32 {
        let name = u8::try_from(n % 251).expect("small");
        let (memory, blocks) = pull(&http, &url, &dag.blocks[30], name).await;
        assert_eq!((memory, blocks), (Memory::Begun, 1), "251 of them have no room");
    }
    let (open, bytes) =
        (sample(&url, "carpool_sessions_open").await, sample(&url, "carpool_sessions_bytes").await);
    assert!(bytes <= 20_000 && open > 10, "{open} of {bytes} bytes");
    assert_eq!(sample(&url, "carpool_sessions_evicted_total").await, 2_000 - open);
}

#[tokio::test]
async fn without_room_there_are_no_sessions() {
    let dag = original(&SMALL);
    let mut options = ServerOptions::default();
    options.max_sessions_bytes = 0;
    let (url, http) = (serve(holding(&dag.blocks), options).await, http());
    assert_eq!(pull(&http, &url, &dag.blocks[1], 1).await, (Memory::None, 13));
    assert_eq!(sample(&url, "carpool_sessions_open").await, 0);
}

/// Where the body of a cold pull ends behind each of its blocks, and the head before it.
fn ends(dag: &Dag) -> Vec<u64> {
    let mut at = 300 + carpool_car::header(&[dag.root]).len() as u64;
    let section = |block: &Block| carpool_car::section_len(block.cid(), block.data().len()) as u64;
    dag.blocks
        .iter()
        .map(|block| {
            at += section(block);
            at
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_cut_after_every_block_completes() {
    let dag = original(&SMALL);
    let url = serve_default(holding(&dag.blocks)).await;
    let pulls: Vec<_> = ends(&dag)
        .into_iter()
        .map(|at| {
            let (dag, url) = (dag.clone(), url.clone());
            tokio::spawn(async move {
                let relay = Relay::start(&url, vec![at, at + 300]).await;
                let sink = holding([]);
                let client = client_with(&relay.url, |_| {});
                let report =
                    client.pull(dag.root, vec![], sink.clone()).await.expect("it completes");
                assert!(holds_all(&sink, &dag.blocks), "{at}");
                assert_eq!(report.totals.duplicate, 0, "{at}");
                assert!(report.totals.rounds <= 4, "{at}: {} rounds", report.totals.rounds);
            })
        })
        .collect();
    for pull in pulls {
        pull.await.expect("no panic");
    }
}
