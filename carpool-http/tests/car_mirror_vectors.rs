//! What car-mirror 0.1.0 writes is read, and what it expects is written, byte for byte.

mod common;

use carpool_core::{Block, Bytes, Cid, Limits, Unverified};
use carpool_http::message::{Dialect, Kind, decode, encode};
use common::{client_with, exchange, holding, serve_default};
use serde_json::Value;
use std::sync::Arc;

const CBOR: &str = "application/vnd.ipld.dag-cbor";

fn vector(name: &str) -> Value {
    let all: Value =
        serde_json::from_str(include_str!("vectors/car-mirror.json")).expect("a good vector");
    let found =
        all["vectors"].as_array().expect("a good vector").iter().find(|v| v["name"] == name);
    found.expect(name).clone()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("a good vector");
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("a good vector"))
        .collect()
}

fn cids(value: &Value) -> Vec<Cid> {
    value
        .as_array()
        .expect("a good vector")
        .iter()
        .map(|cid| cid.as_str().expect("a good vector").parse().expect("a good vector"))
        .collect()
}

fn verified(cid: Cid, data: Vec<u8>) -> Block {
    let block = Unverified { cid, data: data.into() };
    carpool_core::verify(vec![block])
        .into_iter()
        .next()
        .expect("a good vector")
        .expect("a good vector")
}

/// The blocks of the tiny DAG, breadth first.
fn tiny() -> Vec<Block> {
    let vector = vector("cold-pull-tiny");
    let blocks = vector["dag_bfs"].as_array().expect("a good vector").iter();
    let block = |block: &Value| {
        let cid = block["cid"].as_str().expect("a good vector").parse().expect("a good vector");
        verified(cid, hex(&block["hex"]))
    };
    blocks.map(block).collect()
}

#[test]
fn messages_are_those_of_the_peer() {
    for (name, kind, key) in [
        ("pullrequest-cold", Kind::PullRequest, "rs"),
        ("pullrequest-bloom", Kind::PullRequest, "rs"),
        ("pushresponse-finished", Kind::PushResponse, "sr"),
        ("pushresponse-continue", Kind::PushResponse, "sr"),
    ] {
        let (vector, limits) = (vector(name), Limits::default());
        let bytes = hex(&vector["dag_cbor_hex"]);
        let status = decode(Dialect::CarMirror, kind, &bytes, &limits).unwrap();
        assert_eq!(status.want, cids(&vector[key]), "{name}");
        let k = status.have.as_ref().map_or(3, carpool_bloom::Filter::k);
        assert_eq!(u64::from(k), vector["bk"].as_u64().unwrap(), "{name}");
        assert_eq!(encode(Dialect::CarMirror, kind, &status), bytes, "{name}");
    }
}

/// As lenient as the peer, but for a hash count of zero: it would hide everything.
#[test]
fn what_the_peer_reads_is_read_and_what_it_refuses_is_refused() {
    let vector = vector("pullrequest-decode-leniency");
    for case in vector["cases"].as_array().unwrap() {
        let bytes = hex(&case["dag_cbor_hex"]);
        let read = decode(Dialect::CarMirror, Kind::PullRequest, &bytes, &Limits::default());
        let name = case["case"].as_str().unwrap();
        let accepted = case["rs_0_1_0"] == "accepted" && name != "bk = 0";
        assert_eq!(read.is_ok(), accepted, "{name}: {read:?}");
    }
    let dr = hex(&self::vector("pushresponse-spec-dr-field")["dag_cbor_hex"]);
    for dialect in [Dialect::CarMirror, Dialect::Spec] {
        assert!(decode(dialect, Kind::PushResponse, &dr, &Limits::default()).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_pull_is_answered_as_the_peer_does() {
    let vector = vector("cold-pull-tiny");
    let url = serve_default(holding(&tiny())).await;
    let url = format!("{url}/dag/pull/{}", vector["root"].as_str().unwrap());
    for (method, body) in [("GET", vec![]), ("POST", hex(&vector["request_hex"]))] {
        let answer = exchange(method, url.clone(), CBOR, &body).await;
        assert_eq!((answer.status, answer.content_type), (200, None), "{method}");
        assert_eq!(answer.body, hex(&vector["car_hex"]), "{method}");
    }
}

/// The peer's request, and its answer, to a sink that holds the first four blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_resumed_as_the_peer_does() {
    let (vector, blocks) = (vector("resume-pull-tiny"), tiny());
    let url = serve_default(holding(&blocks)).await;
    let path = format!("{url}/dag/pull/{}", blocks[0].cid());
    let answer = exchange("POST", path, CBOR, &hex(&vector["request_hex"])).await;
    assert_eq!(answer.status, 200);
    let mut ours = sections(&answer.body);
    let mut theirs = sections(&hex(&vector["car_hex"]));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    let sink = holding(&blocks[..4]);
    let client = client_with(&url, |options| options.dialect = Some(Dialect::CarMirror));
    let report = client.pull(*blocks[0].cid(), vec![], Arc::clone(&sink)).await.unwrap();
    assert_eq!((report.totals.rounds, report.totals.blocks_received), (1, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_cut_is_answered_as_the_peer_does() {
    let (vector, blocks) = (vector("push-partial-tiny"), tiny());
    let url = serve_default(holding([])).await;
    let path = format!("{url}/dag/push/{}", blocks[0].cid());
    let answer = exchange("POST", path, CBOR, &hex(&vector["car_hex"])).await;
    assert_eq!((answer.status, answer.content_type.as_deref()), (202, Some(CBOR)));
    let limits = Limits::default();
    let read = |bytes: &[u8]| decode(Dialect::CarMirror, Kind::PushResponse, bytes, &limits);
    let (ours, theirs) =
        (read(&answer.body).unwrap(), read(&hex(&vector["response_hex"])).unwrap());
    assert_eq!(ours.want, theirs.want);
    // The same three blocks in both filters, with a hash count of each side's own.
    let (ours, theirs) = (ours.have.unwrap(), theirs.have.unwrap());
    assert_eq!(ours.bits(), theirs.bits());
    for block in &blocks[..3] {
        let key = block.cid().to_bytes();
        assert!(ours.contains(&key) && theirs.contains(&key));
    }
}

/// CIDs and bytes of a CAR's blocks.
fn sections(car: &[u8]) -> Vec<(Cid, Bytes)> {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_data(Bytes::copy_from_slice(car));
    decoder.handle_eof();
    let mut all = Vec::new();
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            all.push((section.cid, section.data));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_the_peers_and_a_malformed_request_is_never_a_cold_pull() {
    let blocks = tiny();
    let url = serve_default(holding(&blocks)).await;
    let (root, absent) = (blocks[0].cid(), Block::new(0x55, "absent".into()));
    let pull = |cid: &str| format!("{url}/dag/pull/{cid}");
    let table = [
        ("GET", pull(&root.to_string()), vec![], 200),
        ("GET", pull("no-cid"), vec![], 400),
        ("GET", pull(&absent.cid().to_string()), vec![], 404),
        ("POST", pull(&root.to_string()), vec![], 400),
        ("POST", pull(&root.to_string()), b"hello world".to_vec(), 400),
        ("GET", pull(&root.to_string()), b"hello world".to_vec(), 400),
        ("PUT", pull(&root.to_string()), vec![], 405),
        ("POST", format!("{url}/dag/push/no-cid"), vec![], 400),
        ("POST", format!("{url}/dag/push/{root}"), vec![], 400),
        ("GET", format!("{url}/dag/push/{root}"), vec![], 405),
        ("POST", format!("{url}/dag/nothing/{root}"), vec![], 404),
    ];
    for (method, url, body, status) in table {
        assert_eq!(
            exchange(method, url.clone(), CBOR, &body).await.status,
            status,
            "{method} {url}"
        );
    }
    let nothing_wanted = hex(&vector("pullrequest-decode-leniency")["cases"][9]["dag_cbor_hex"]);
    let answer = exchange("POST", pull(&root.to_string()), CBOR, &nothing_wanted).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "nothing to send, as the peer");
    let whole = exchange("GET", pull(&root.to_string()), CBOR, &[]).await.body;
    let done = exchange("POST", format!("{url}/dag/push/{root}"), CBOR, &whole).await;
    assert_eq!(done.status, 200);
    assert_eq!(done.body, hex(&vector("pushresponse-finished")["dag_cbor_hex"]));
}
