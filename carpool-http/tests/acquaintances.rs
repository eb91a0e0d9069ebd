//! What a client knows of a server from a process before.

mod common;

use axum::{extract::Request, middleware::Next, response::IntoResponse};
use carpool_core::{Block, Cid};
use carpool_http::{
    ClientOptions, PullReport, Server, ServerOptions, Totals,
    client::{Acquaintances, Call, Event, Listener, Wants},
};
use carpool_mirror::{extension, planner::Step};
use carpool_store::{MemoryStore, Names};
use common::{client_with, holding, holds_all, serve_default, serve_router};
use serde_json::{Value, json};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

const SHAPE: Shape = Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 64 };

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, 16)))
}

fn missing(old: &Dag, new: &Dag) -> u64 {
    let held: BTreeSet<&Cid> = old.blocks.iter().map(Block::cid).collect();
    new.blocks.iter().filter(|block| !held.contains(block.cid())).count() as u64
}

/// What a process knows that begins now.
fn next_process(known: &Acquaintances) -> Acquaintances {
    Acquaintances::decode(&known.encode())
}

/// Knowledge of one server, as it is written.
fn knowing(url: &str, fields: &Value) -> Acquaintances {
    let mut server = json!({ "url": url, "last_changes": [] });
    for (name, value) in fields.as_object().expect("fields") {
        server[name] = value.clone();
    }
    let text = json!({ "version": 1, "servers": [server] }).to_string();
    Acquaintances::decode(text.as_bytes())
}

/// The only server that is known.
fn written(known: &Acquaintances) -> Value {
    let text: Value = serde_json::from_slice(&known.encode()).expect("JSON");
    assert_eq!(text["servers"].as_array().map(Vec::len), Some(1), "{text}");
    text["servers"][0].clone()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Pulls a root, of which nobody was asked before, and says what it took.
async fn pull(
    url: &str,
    (old, new): (&Dag, &Dag),
    known: &Acquaintances,
    change: impl FnOnce(&mut ClientOptions),
) -> PullReport {
    let sink = holding(&old.blocks);
    let client = client_with(url, |options| {
        options.acquaintances = known.clone();
        change(options);
    });
    let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
    assert!(holds_all(&sink, &new.blocks));
    report.expect("all is there")
}

/// As [`pull`], with what each request had.
async fn overheard(
    url: &str,
    versions: (&Dag, &Dag),
    known: &Acquaintances,
    change: impl FnOnce(&mut ClientOptions),
) -> (PullReport, Vec<Wants>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    let listener = Listener::new(move |event| {
        if let Event::Round(round) = event
            && let Call::Request(wants) = &round.call
        {
            hear.lock().expect("nobody panics").push(*wants);
        }
    });
    let report = pull(url, versions, known, |options| {
        options.listener = Some(listener);
        change(options);
    });
    let report = report.await;
    let heard = heard.lock().expect("nobody panics").clone();
    (report, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_known_to_read_the_extension_is_sent_no_filter() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let known = Acquaintances::default();
    let (_, first) = overheard(&url, (&old, &new), &known, |_| {}).await;
    assert!(first[0].filter.is_some(), "it may be a server that needs one");
    let (report, second) = overheard(&url, (&old, &new), &next_process(&known), |_| {}).await;
    assert_eq!((second.len(), second[0].filter), (1, None));
    let Totals { bytes_sent, duplicate, .. } = report.totals;
    assert!(bytes_sent <= 400 && duplicate == 0, "{bytes_sent} bytes of a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_serves_the_next_process_in_its_first_message() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    let known = Acquaintances::default();
    pull(&url, (&old, &new), &known, |_| {}).await;
    let sketching = |options: &mut ClientOptions| options.strategy = Some(Step::Sketch);
    let (report, heard) = overheard(&url, (&old, &new), &next_process(&known), sketching).await;
    assert_eq!(heard[0].cells, Some(256));
    let Totals { requests, bytes_sent, duplicate, .. } = report.totals;
    assert_eq!((requests, duplicate), (1, 0));
    assert!(bytes_sent <= 2_560 + 400, "{bytes_sent} bytes of a request");
}

/// A server of the specification, which knows nothing of the extension and answers with `status` to what
/// it cannot read.
async fn serve_plain(store: Arc<MemoryStore>, status: http::StatusCode) -> String {
    let plain = move |mut request: Request, next: Next| async move {
        let kind = request.headers().get("content-type");
        if kind.is_some_and(|kind| kind == extension::CONTENT_TYPE) {
            return status.into_response();
        }
        request.headers_mut().remove(extension::HEADER);
        let mut answer = next.run(request).await;
        answer.headers_mut().remove(extension::HEADER);
        answer
    };
    let router = Server::new(store, ServerOptions::default()).router();
    serve_router(router.layer(axum::middleware::from_fn(plain))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_reads_it_no_more_costs_a_round_once() {
    let (old, new) = versions();
    for status in [400, 415, 422] {
        let status = http::StatusCode::from_u16(status).expect("a status");
        let url = serve_plain(holding(&new.blocks), status).await;
        let known = knowing(&url, &json!({ "reads_extension": [true, seconds()] }));
        let wrong = pull(&url, (&old, &new), &known, |_| {}).await.totals;
        assert_eq!(written(&known)["reads_extension"][0], false, "{status}");
        let right = pull(&url, (&old, &new), &next_process(&known), |_| {}).await.totals;
        assert_eq!((wrong.rounds, wrong.duplicate), (right.rounds + 1, 0), "{status}: {right:?}");
        let stranger = Acquaintances::default();
        pull(&url, (&old, &new), &stranger, |_| {}).await;
        assert_eq!(written(&stranger)["reads_extension"][0], false, "its answers do not say so");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_instead_fails_once() {
    let (old, new) = versions();
    let url = serve_plain(holding(&new.blocks), http::StatusCode::INTERNAL_SERVER_ERROR).await;
    let known = knowing(&url, &json!({ "reads_extension": [true, seconds()] }));
    let client = client_with(&url, |options| {
        (options.acquaintances, options.retries) = (known.clone(), 0);
    });
    let pulled = client.pull(new.root, vec![old.root], holding(&old.blocks)).await;
    assert!(pulled.is_err(), "{pulled:?}");
    pull(&url, (&old, &new), &next_process(&known), |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_is_that_of_the_last_time_until_it_is_measured() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    for (since, reason) in
        [(seconds(), "7 ms round trip, 12345 B/s"), (1, "50 ms round trip, 12500000 B/s")]
    {
        let path =
            json!({ "round_trip_micros": [7_000, since], "bytes_per_second": [12_345, since] });
        let known = knowing(&url, &path);
        let plan = pull(&url, (&old, &new), &known, |_| {}).await.plan.expect("a plan");
        assert!(plan.reason.contains(reason), "{plan}");
        let measured = written(&known)["round_trip_micros"].clone();
        assert!(measured[1].as_u64() >= Some(since) && measured[0] != 7_000, "{measured}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_tells_the_rate() {
    let shape = Shape { leaves: 64, leaf_size: 32_768, ..SHAPE };
    let (old, new) = (original(&SHAPE), original(&shape));
    let url = serve_default(holding(&new.blocks)).await;
    let known = Acquaintances::default();
    pull(&url, (&old, &new), &known, |_| {}).await;
    assert!(written(&known)["bytes_per_second"][0].as_u64() > Some(0));
    let (server, known) = (serve_default(Arc::default()).await, Acquaintances::default());
    let client = client_with(&server, |options| options.acquaintances = known.clone());
    client.push(new.root, vec![], None, holding(&new.blocks)).await.expect("it is taken");
    assert!(written(&known)["bytes_per_second"][0].as_u64() > Some(0));
}

const AS_BEFORE: &str = "a change as after the last change";

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_expects_a_change_like_the_last_one_under_the_name() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let known = Acquaintances::default();
    let under = async |name: Option<&str>| {
        let name = name.map(str::to_owned);
        let pulled = pull(&url, (&old, &new), &known, |options| options.name = name).await;
        pulled.plan.expect("a plan").reason
    };
    assert!(!under(Some("photos")).await.contains(AS_BEFORE));
    assert_eq!(written(&known)["last_changes"], json!([["photos", missing(&old, &new)]]));
    let reason = under(Some("photos")).await;
    // Of 16, which have fewer parents than the model gives them.
    assert!(reason.contains(&format!("{AS_BEFORE} (15 leaves)")), "{reason}");
    assert!(!under(None).await.contains(AS_BEFORE), "another name is another thing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_transfer_of_all_is_no_change() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let known = Acquaintances::default();
    let client = client_with(&url, |options| options.acquaintances = known.clone());
    client.pull(old.root, vec![], Arc::<MemoryStore>::default()).await.expect("all is there");
    assert_eq!(written(&known)["last_changes"], json!([["", old.blocks.len()]]));
    let plan = pull(&url, (&old, &new), &known, |_| {}).await.plan.expect("a plan");
    assert!(!plan.reason.contains(AS_BEFORE), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_expects_a_change_like_the_last_one() {
    let (old, new) = versions();
    let known = Acquaintances::default();
    let push = async |server: &str, url_known: &Acquaintances| {
        let client = client_with(server, |options| options.acquaintances = url_known.clone());
        let pushed = client.push(new.root, vec![], None, holding(&new.blocks)).await;
        pushed.expect("it is taken").plan.expect("a plan").reason
    };
    let server = holding(&old.blocks);
    server.note_root(&old.root).expect("memory");
    let url = serve_default(server).await;
    assert!(!push(&url, &known).await.contains(AS_BEFORE));
    let change = written(&known)["last_changes"][0][1].as_u64().expect("a number");
    let (least, all) = (missing(&old, &new), new.blocks.len() as u64);
    assert!((least..all / 2).contains(&change), "{change} of {least}");
    assert!(push(&url, &next_process(&known)).await.contains(AS_BEFORE));
}
