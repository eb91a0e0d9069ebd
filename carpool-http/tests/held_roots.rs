//! The extension: a sink says which roots it holds, and gets the difference.

mod common;

use carpool_core::Block;
use carpool_http::{
    Totals,
    message::{self, Dialect, Kind},
};
use carpool_store::MemoryStore;
use common::{Relay, client, holding, pull_over, raw, serve_default};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::sync::Arc;

const SHAPE: Shape = Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 64 };

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, 16)))
}

fn missing(old: &Dag, new: &Dag) -> u64 {
    new.blocks.iter().filter(|block| !old.blocks.contains(block)).count() as u64
}

/// Reads the names first, as `pull URL#name` does, where `knows`.
async fn pull(url: &str, new: &Dag, old: &Dag, sink: &Arc<MemoryStore>, knows: bool) -> Totals {
    let client = client(url);
    if knows {
        client.names().await.expect("a list");
    }
    pull_over(&client, old, new, sink).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_holds_the_old_root_sends_the_difference() {
    let (old, new) = versions();
    let server = holding(old.blocks.iter().chain(&new.blocks));
    let url = serve_default(server).await;
    for (knows, most) in [(true, 400), (false, 17_000)] {
        let sink = holding(&old.blocks);
        let totals = pull(&url, &new, &old, &sink, knows).await;
        assert_eq!((totals.rounds, totals.duplicate), (1, 0), "{knows}");
        assert_eq!(totals.blocks_received, missing(&old, &new), "{knows}");
        assert!(totals.bytes_sent <= most, "{} bytes of request", totals.bytes_sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_says_so_and_goes_by_the_next_step() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    // One that is known to read the extension is asked in another way at once: the refusal is a round.
    for (knows, most) in [(true, 3), (false, 1)] {
        let sink = holding(&old.blocks);
        let totals = pull(&url, &new, &old, &sink, knows).await;
        assert!(totals.rounds <= most && totals.duplicate == 0, "{knows}: {totals:?}");
        assert_eq!(totals.blocks_received, missing(&old, &new), "{knows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_lacks_a_block_of_its_old_root_does_not_name_it() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let lost = new.blocks.iter().rev().find(|block| old.blocks.contains(block));
    let lost = lost.expect("most leaves stay");
    let sink = holding(old.blocks.iter().filter(|block| *block != lost));
    let totals = pull(&url, &new, &old, &sink, true).await;
    assert_eq!(totals.blocks_received, missing(&old, &new) + 1);
}

/// Wants other CIDs than the root, then.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_rest_comes_and_nothing_twice() {
    let (old, new) = versions();
    let server = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let whole = pull(&server, &new, &old, &holding(&old.blocks), true).await.bytes_received;
    for tenth in [1, 5, 9] {
        let relay = Relay::start(&server, vec![whole * tenth / 10]).await;
        let sink = holding(&old.blocks);
        let totals = pull(&relay.url, &new, &old, &sink, true).await;
        assert_eq!(totals.duplicate, 0, "{tenth}");
        assert_eq!(totals.blocks_received, missing(&old, &new), "{tenth}");
        assert!(totals.rounds > 1, "{tenth}: it was cut");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_understood() {
    let root = Block::new(carpool_core::codec::DAG_CBOR, vec![0x80].into());
    let url = serve_default(holding([&root])).await;
    let cid = root.cid().to_bytes();
    let body = [b"\xa1\x61r\x58\x24", &cid[..]].concat();
    let kind = "application/vnd.carpool.mirror.v1+cbor";
    for (body, kind, status, header) in [
        (&body[..], kind, "200", Some("car-mirror-ext: v=1; takes=delta; key=")),
        (&body[..5], kind, "400", None),
        (&body[..], "application/vnd.ipld.dag-cbor", "400", None),
        (b"\xa0", kind, "400", None),
    ] {
        let head = format!(
            "POST /api/v0/dag/pull HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let answer = raw(&url, &[head.as_bytes(), body].concat()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(answer.contains("car-mirror-ext"), header.is_some(), "{answer}");
        assert!(header.is_none_or(|header| answer.contains(header)), "{answer}");
    }
}

/// As in the cleanup without a filter: beside a message of the specification roots are an offer.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_without_a_filter_is_answered() {
    let root = Block::new(carpool_core::codec::DAG_CBOR, vec![0x80].into());
    let other = Block::new(carpool_core::codec::DAG_CBOR, vec![0xa0].into());
    let url = serve_default(holding([&root])).await;
    let status = carpool_mirror::Status { want: vec![*root.cid()], have: None };
    let body = message::encode(Dialect::Spec, Kind::PullRequest, &status);
    let head = format!(
        "POST /api/v0/dag/pull HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         car-mirror-ext: v=1; held={}\r\ncontent-length: {}\r\n\r\n",
        other.cid(),
        body.len()
    );
    let answer = raw(&url, &[head.as_bytes(), &body].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_offer_hears_nothing_of_it() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    let client = client(&url);
    client.pull(new.root, vec![], holding(&old.blocks)).await.expect("all is there");
    let lines = "POST /api/v0/dag/pull HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert!(!raw(&url, lines.as_bytes()).await.contains("car-mirror-ext"));
}
