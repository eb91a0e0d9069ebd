//! Pushes of which blocks go as what differs from those below a root that the server has.

mod common;

use carpool_core::{Block, Bytes, Cid, Limits, codec};
use carpool_delta::{Encoder, Options, Sending};
use carpool_http::{
    Client, ClientOptions, Error, ServerOptions, Totals,
    client::{Acquaintances, Compress, Deltas},
};
use carpool_mirror::extension::Offer;
use carpool_store::{BlockStore, Expect, MemoryStore, Names, SetName};
use common::{
    Answer, Relay, client_with, exchange_offering, holding, holds_all, serve, serve_default,
    versions::{Version, text, version, versions},
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

const DELTA: &str = "application/vnd.carpool.delta.v1";

fn always(options: &mut ClientOptions) {
    options.deltas = Deltas::Always;
}

/// A client that has spoken to the server before.
async fn acquainted(url: &str, change: impl FnOnce(&mut ClientOptions)) -> Client {
    let known = Acquaintances::default();
    let first = client_with(url, |options| options.acquaintances = known.clone());
    first.names().await.expect("it answers");
    client_with(url, |options| {
        always(options);
        options.acquaintances = known;
        change(options);
    })
}

async fn push(client: &Client, old: &Version, new: &Version) -> Totals {
    let source = holding(old.blocks.iter().chain(&new.blocks));
    let report = client.push(new.root, vec![old.root], None, source).await;
    report.expect("it is taken").totals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shifted_file_takes_what_was_inserted() {
    let (old, new) = versions();
    for http2 in [false, true] {
        let sink = holding(&old.blocks);
        let url = serve_default(Arc::clone(&sink)).await;
        let client = acquainted(&url, |options| options.http2 = http2).await;
        let totals = push(&client, &old, &new).await;
        assert!(holds_all(&sink, &new.blocks));
        assert_eq!((totals.rounds, totals.duplicate), (1, 0), "HTTP/2: {http2}");
        assert_eq!(totals.blocks_sent, new.blocks.len() as u64);
        assert!(totals.bytes_sent < 2_000, "{} B, HTTP/2: {http2}", totals.bytes_sent);
        assert!(totals.encodings.all().blocks == new.blocks.len() as u64);
    }
}

/// What a server takes is learned from any answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_push_to_an_unknown_server_is_a_car() {
    let (old, new) = versions();
    let url = serve_default(holding(&old.blocks)).await;
    let client = client_with(&url, always);
    assert!(push(&client, &old, &new).await.bytes_sent > 1 << 20);
    let newer = version(&[&text(1 << 20)[..], b"more"].concat());
    let before = client.progress().totals().bytes_sent;
    let after = push(&client, &new, &newer).await.bytes_sent;
    assert!(after - before < 2_000, "{}", after - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_one_who_does_not_take_it() {
    let (old, new) = versions();
    let mut options = ServerOptions::default();
    options.deltas = false;
    let sink = holding(&old.blocks);
    let url = serve(Arc::clone(&sink) as _, options).await;
    let client = acquainted(&url, |options| options.compress = Compress::Never).await;
    assert!(push(&client, &old, &new).await.bytes_sent > 1 << 20);
    // One that took them before, and does not any more.
    let taking = serve_default(holding(&old.blocks)).await;
    let known = Acquaintances::default();
    let client = client_with(&taking, |options| options.acquaintances = known.clone());
    client.names().await.expect("it answers");
    let text = String::from_utf8(known.encode()).expect("JSON").replace(&taking, &url);
    let client = client_with(&url, |options| {
        always(options);
        options.acquaintances = Acquaintances::decode(text.as_bytes());
    });
    let newer = version(b"something else");
    let totals = push(&client, &new, &newer).await;
    assert_eq!(totals.rounds, 2, "the first one was refused");
    let before = totals.encodings.all().blocks;
    assert!(holds_all(&sink, &newer.blocks));
    let newest = version(b"something new");
    let totals = push(&client, &newer, &newest).await;
    assert_eq!(totals.encodings.all().blocks, before);
}

/// The server says so before it reads the body, and is sent a CAR.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_the_server_has_not_costs_a_round() {
    let (old, new) = versions();
    for held in [&[][..], &old.blocks[1..]] {
        let sink = holding(held);
        let url = serve_default(Arc::clone(&sink)).await;
        let client = acquainted(&url, |_| {}).await;
        let totals = push(&client, &old, &new).await;
        assert!(holds_all(&sink, &new.blocks));
        assert_eq!(totals.rounds, 3, "a delta, the cold call, the rest");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_rest_goes_as_deltas() {
    let old = version(&text(8 << 20));
    let changed: Vec<u8> =
        text(8 << 20).chunks(40_000).flat_map(|part| [part, b"and more"].concat()).collect();
    let new = version(&changed);
    let url = serve_default(holding(&old.blocks)).await;
    let whole = push(&acquainted(&url, |_| {}).await, &old, &new).await;
    for tenth in [1, 5, 9] {
        let sink = holding(&old.blocks);
        let url = serve_default(Arc::clone(&sink)).await;
        let relay = Relay::start(&url, vec![u64::MAX, whole.bytes_sent * tenth / 10]).await;
        let totals = push(&acquainted(&relay.url, |_| {}).await, &old, &new).await;
        assert!(holds_all(&sink, &new.blocks));
        assert!(totals.rounds > 1, "{tenth}: it was cut");
        let most = whole.bytes_sent + whole.bytes_sent * tenth / 10 + 8_000;
        let up = relay.up.load(Relaxed);
        assert!(up < most, "{tenth}: {up} B");
        let (car, all) = (totals.blocks_sent - totals.encodings.all().blocks, totals.blocks_sent);
        assert!(car < 10, "{tenth}: {car} of {all} as they are");
    }
}

/// What copies from it is asked for, and goes as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_lost_costs_a_round() {
    let (old, new) = versions();
    let lost = *old.blocks[3].cid();
    let sink = holding(old.blocks.iter().filter(|block| *block.cid() != lost));
    sink.note_root(&old.root).expect("memory");
    let url = serve_default(Arc::clone(&sink)).await;
    let totals = push(&acquainted(&url, |_| {}).await, &old, &new).await;
    assert!(holds_all(&sink, &new.blocks));
    assert_eq!(totals.rounds, 2);
    assert!(totals.bytes_sent < 100_000, "{} B", totals.bytes_sent);
}

async fn push_named(
    client: &Client,
    root: Cid,
    store: &Arc<MemoryStore>,
    force: bool,
) -> Result<u64, Error> {
    let before = client.progress().totals().requests;
    client.push_named(root, "name", force, Arc::clone(store), |_| {}).await?;
    Ok(client.progress().totals().requests - before)
}

/// A name is not asked for before: who moved it meanwhile is found out by the push.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_has_moved_is_a_conflict() {
    let (old, new) = versions();
    let other = version(b"of another writer");
    let here = holding(old.blocks.iter().chain(&new.blocks).chain(&other.blocks));
    let sink = holding(&[]);
    let url = serve_default(Arc::clone(&sink)).await;
    let known = Acquaintances::default();
    let client = || {
        client_with(&url, |options| {
            always(options);
            options.acquaintances = known.clone();
        })
    };
    push_named(&client(), old.root, &here, false).await.expect("it is new");
    assert_eq!(push_named(&client(), old.root, &here, false).await.expect("nothing"), 1);
    assert_eq!(push_named(&client(), new.root, &here, false).await.expect("a change"), 2);
    let points_to = || sink.name("name").expect("memory").expect("it is set").root;
    assert_eq!(points_to(), new.root);
    // Another writer knows nothing, and takes what is there for what is known.
    let stranger = client_with(&url, always);
    stranger.push_named(other.root, "name", false, Arc::clone(&here), |_| {}).await.expect("taken");
    for root in [old.root, new.root] {
        let error = push_named(&client(), root, &here, false).await.expect_err("it moved");
        assert!(
            matches!(error, Error::Conflict { current: Some(it) } if it == other.root),
            "{error}"
        );
    }
    assert_eq!(points_to(), other.root);
    push_named(&client(), old.root, &here, true).await.expect("by force");
    assert_eq!(points_to(), old.root);
}

/// A body of `block` as copies of `base`, which is named by its CID.
fn body_against(root: Cid, held: Cid, block: &Block, base: &Block) -> Vec<u8> {
    let mut encoder = Encoder::new([root], [held], &Limits::default(), Options::default(), 0);
    encoder.handle_block(block.clone(), &[*base.cid()]);
    let mut body = Vec::new();
    while let Some(sending) = encoder.poll() {
        match sending {
            Sending::Load(cid) => encoder.handle_load(&cid, Some(base.data().clone())),
            Sending::Data(data) => body.extend_from_slice(&data),
        }
    }
    encoder.finish();
    while let Some(Sending::Data(data)) = encoder.poll() {
        body.extend_from_slice(&data);
    }
    body
}

async fn exchange(url: &str, root: Cid, held: &[Cid], body: &[u8]) -> Answer {
    let offer = Offer { root: Some(root), held: held.to_vec(), ..Offer::default() };
    exchange_offering("POST", format!("{url}/api/v0/dag/push"), DELTA, &offer, body).await
}

/// A base that does not lie below a root that was named, and may be told of to others only, is answered as one
/// that is absent.
#[tokio::test(flavor = "multi_thread")]
async fn bases_lie_below_roots_that_were_named() {
    let (old, _) = versions();
    let secret = Block::new(codec::RAW, Bytes::from(text(4_000)));
    let guess = Block::new(codec::RAW, Bytes::from([&text(4_000)[..], b"?"].concat()));
    let body = body_against(*guess.cid(), old.root, &guess, &secret);
    assert!(body.len() < 200, "it copies");
    let mut answers = Vec::new();
    for there in [false, true] {
        let sink = holding(old.blocks.iter().chain(Some(&secret).filter(|_| there)));
        let url = serve_default(Arc::clone(&sink)).await;
        let answer = exchange(&url, *guess.cid(), &[old.root], &body).await;
        assert!(sink.get(guess.cid()).expect("memory").is_none());
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, 202);
    assert_eq!(answers[0], answers[1]);
    // One that does is taken.
    let base = &old.blocks[2];
    let guess = Block::new(codec::RAW, Bytes::from([&base.data()[..], b"?"].concat()));
    let sink = holding(&old.blocks);
    let url = serve_default(Arc::clone(&sink)).await;
    let body = body_against(*guess.cid(), *base.cid(), &guess, base);
    assert_eq!(exchange(&url, *guess.cid(), &[*base.cid()], &body).await.status, 200);
    assert!(sink.get(guess.cid()).expect("memory").is_some());
}

/// A few bytes stand for megabytes, and are held to what a CAR may have.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_body_decodes_to_is_bounded() {
    let (old, new) = versions();
    let source = holding(old.blocks.iter().chain(&new.blocks));
    let all: u64 = new.blocks.iter().map(|block| block.data().len() as u64).sum();
    for (max, taken) in [(all, true), (all - 1, false)] {
        let mut options = ServerOptions::default();
        options.limits.max_car_bytes = max;
        let url = serve(holding(&old.blocks), options).await;
        let client = acquainted(&url, |options| options.retries = 0).await;
        let pushed = client.push(new.root, vec![old.root], None, Arc::clone(&source)).await;
        match pushed {
            Ok(_) => assert!(taken, "{max}"),
            Err(Error::Status { status, .. }) => assert_eq!((status.as_u16(), taken), (413, false)),
            Err(error) => unreachable!("{max}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none_are_answered() {
    let (old, new) = versions();
    let sink = holding(&old.blocks);
    let url = serve_default(Arc::clone(&sink)).await;
    for body in [&[][..], &[0xff; 100], &[1, 0, 0, 0], &[1, 5, 0, 0, 1, 2, 3, 4, 5]] {
        assert_eq!(exchange(&url, new.root, &[old.root], body).await.status, 202, "{body:?}");
    }
    assert_eq!(exchange(&url, new.root, &[], &[1, 0, 0, 0]).await.status, 400);
    assert_eq!(exchange(&url, new.root, &[new.root], &[1, 0, 0, 0]).await.status, 412);
    let set = sink.set_name("name", Expect::Any, &old.root).expect("memory");
    assert!(matches!(set, SetName::Set(_)));
    let push = format!("{url}/api/v0/dag/push?diff=name");
    for (held, status) in [(old.root, 202), (*old.blocks[1].cid(), 409)] {
        let (root, expects_name) = (Some(new.root), true);
        let offer = Offer { root, held: vec![held], expects_name, ..Offer::default() };
        let answer = exchange_offering("POST", push.clone(), DELTA, &offer, &[1, 0, 0, 0]).await;
        assert_eq!(answer.status, status);
    }
}
