//! What an operator sees: one line per request with the right numbers, metrics that Prometheus
//! reads, and what a client tells whoever listens.

mod common;

use carpool_core::{Block, Cid, codec};
use carpool_http::{
    ServerOptions,
    client::{Call, End, Event, Listener},
    message::{self, Dialect, Kind},
};
use carpool_mirror::Status;
use common::{client_with, exchange, holding, post, raw, serve, serve_default, serve_only};
use serde_json::Value;
use sim::dag::{Dag, Shape, original};
use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::MutexGuard,
};

/// What was logged; tests take turns, because there is one log in a process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics in it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    async fn turn() -> (Self, MutexGuard<'static, ()>) {
        static LOG: OnceLock<Log> = OnceLock::new();
        static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let turn = TURN.lock().await;
        let log = LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter("carpool::request=info")
                .with_writer(move || writer.clone())
                .json()
                .flatten_event(true);
            subscriber.init();
            log
        });
        log.0.lock().expect("no test panics in it").clear();
        (log.clone(), turn)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics in it").clone()).expect("it is text")
    }

    /// The lines, once there are as many; they come after the answers.
    async fn lines(&self, n: usize) -> Vec<Value> {
        let begun = Instant::now();
        while self.text().lines().count() < n {
            assert!(begun.elapsed() < Duration::from_secs(20), "{n} lines: {}", self.text());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        let text = self.text();
        assert_eq!(text.lines().count(), n, "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    async fn line(&self) -> Value {
        self.lines(1).await.remove(0)
    }
}

/// Compares some fields; `null` stands for one that is left out.
#[track_caller]
fn says(line: &Value, fields: Value) {
    for (field, expected) in fields.as_object().expect("an object") {
        assert_eq!(&line[field], expected, "{field} of {line}");
    }
}

fn dag() -> Dag {
    original(&Shape { seed: 8, leaves: 60, leaf_size: 3000, fanout: 12 })
}

fn wants(root: Cid) -> Vec<u8> {
    let status = Status { want: vec![root], have: None };
    message::encode(Dialect::Spec, Kind::PullRequest, &status).to_vec()
}

const ROUTES: [(Dialect, &str, &str); 2] = [
    (Dialect::Spec, "/api/v0/dag/pull", "/api/v0/dag/push"),
    (Dialect::CarMirror, "/dag/pull/{root}", "/dag/push/{root}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_one_line_in_both_dialects() {
    let (log, _turn) = Log::turn().await;
    let dag = dag();
    let bytes: u64 = dag.blocks.iter().map(|block| block.data().len() as u64).sum();
    let url = serve_default(holding(&dag.blocks)).await;
    for (dialect, pull, _) in ROUTES {
        log.0.lock().unwrap().clear();
        let client = client_with(&url, |options| {
            common::as_blocks(options);
            options.dialect = Some(dialect);
        });
        client.pull(dag.root, vec![], holding([])).await.unwrap();
        let line = log.line().await;
        let status = Status { want: vec![dag.root], have: None };
        let asked = message::encode(dialect, Kind::PullRequest, &status).len();
        says(
            &line,
            serde_json::json!({
                "level": "INFO", "target": "carpool::request", "message": "request",
                "method": "POST", "route": pull, "dialect": dialect.to_string(),
                "version": "HTTP/1.1", "status": 200, "root": dag.root.to_string(), "wants": 1,
                "rounds": 1, "bytes_in": asked, "blocks_in": 0, "blocks_out": dag.blocks.len(),
                "duplicates": 0, "complete": true, "reason": null, "name": null,
            }),
        );
        let out = line["bytes_out"].as_u64().unwrap();
        assert!(out > bytes && out < bytes + bytes / 10, "{out} of {bytes}");
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        assert!((0.0..20.0).contains(&line["seconds"].as_f64().unwrap()), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_a_line_for_each_round_in_both_dialects() {
    let (log, _turn) = Log::turn().await;
    let dag = dag();
    for (dialect, _, push) in ROUTES {
        log.0.lock().unwrap().clear();
        let url = serve_default(holding([])).await;
        let client = client_with(&url, |options| {
            (options.dialect, options.http2) = (Some(dialect), true);
        });
        let pushed = client.push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
        let rounds = usize::try_from(pushed.totals.rounds).unwrap();
        let lines = log.lines(rounds).await;
        let sum = |field: &str| lines.iter().map(|line| line[field].as_u64().unwrap()).sum::<u64>();
        assert!(rounds >= 2, "a cold call, and the rest");
        assert_eq!(sum("blocks_in"), dag.blocks.len() as u64);
        assert_eq!((sum("blocks_out"), sum("duplicates")), (0, pushed.totals.duplicate));
        assert!(sum("bytes_in") > pushed.totals.block_bytes);
        let common = serde_json::json!({
            "route": push, "dialect": dialect.to_string(), "version": "HTTP/2.0",
            "root": dag.root.to_string(), "wants": 1, "rounds": 1, "reason": null,
        });
        lines.iter().for_each(|line| says(line, common.clone()));
        says(&lines[0], serde_json::json!({"status": 202, "complete": false}));
        says(&lines[rounds - 1], serde_json::json!({"status": 200, "complete": true}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_why() {
    let (log, _turn) = Log::turn().await;
    let dag = dag();
    let mut options = ServerOptions::default();
    options.read_only = true;
    let url = serve(holding([]), options).await;
    let refused =
        client_with(&url, |_| {}).push(dag.root, vec![], None, holding(&dag.blocks)).await;
    refused.unwrap_err();
    log.line().await;
    let by_path = format!("/dag/push/{}", dag.root);
    assert_eq!(post(&url, &by_path, b"body").await, 403);
    assert_eq!(post(&url, "/api/v0/dag/pull", b"\xa3garbage").await, 400);
    assert_eq!(post(&url, &format!("/dag/pull/{}", dag.root), b"\xa3garbage").await, 400);
    assert_eq!(post(&url, "/api/v0/dag/pull", &wants(dag.root)).await, 404);
    assert_eq!(post(&url, "/no/such/route", b"").await, 404);
    assert_eq!(post(&url, "/api/v0/names", b"").await, 405);
    let lines = log.lines(7).await;
    let read_only = "this server is read-only";
    let expected = [
        (403, Some("spec"), Some(0), read_only),
        (403, Some("car-mirror"), Some(0), read_only),
        (400, Some("spec"), Some(0), "message: "),
        (400, Some("car-mirror"), Some(0), "message: "),
        (404, Some("spec"), Some(1), "none of the roots is held here"),
        (404, None, None, "Not Found"),
        (405, None, None, "Method Not Allowed"),
    ];
    // A line is written when the last thread of its request has ended, so their order is open.
    let of = |status: u16, dialect: Option<&str>| {
        let is = |line: &&Value| line["status"] == status && line["dialect"].as_str() == dialect;
        lines.iter().find(is).expect("a line of each request")
    };
    for (status, dialect, rounds, reason) in expected {
        let line = of(status, dialect);
        let complete = dialect.map(|_| false);
        says(
            line,
            serde_json::json!({
                "status": status, "dialect": dialect, "rounds": rounds, "complete": complete,
            }),
        );
        assert!(line["reason"].as_str().unwrap().starts_with(reason), "{line}");
    }
    let by_path = of(403, Some("car-mirror"));
    assert_eq!(by_path["root"], dag.root.to_string(), "the path says it");
    says(by_path, serde_json::json!({"bytes_in": 4}));
    assert_eq!(of(404, None)["route"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_peers_words_do_not_get_into_the_log() {
    let (log, _turn) = Log::turn().await;
    let mut options = ServerOptions::default();
    options.token = Some("open-sesame".into());
    let url = serve(holding([]), options).await;
    let long = "n".repeat(1000);
    let get = |path: &str, rest: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}\r\n")
    };
    let right = "authorization: Bearer open-sesame\r\nx-other: open-sesame\r\n";
    let wrong = "authorization: Bearer let-me-in\r\n";
    for request in [
        get("/api/v0/names?token=open-sesame", right),
        get("/api/v0/names", wrong),
        get("/open-sesame%0aINFO", right),
        get("/api/v0/names/a%0d%0aINFO%1b[2J", right),
        get(&format!("/api/v0/names/{long}"), right),
        format!("BREW{long} /metrics HTTP/1.1\r\nhost: x\r\n{right}\r\n"),
    ] {
        raw(&url, request.as_bytes()).await;
    }
    let lines = log.lines(6).await;
    let text = log.text();
    for secret in ["sesame", "let-me-in", "BREW"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    says(&lines[1], serde_json::json!({"status": 401, "reason": "this server wants a token"}));
    assert_eq!(lines[3]["name"], "a%0d%0aINFO%1b[2J", "as it came, which is one line");
    assert_eq!(lines[4]["name"].as_str().unwrap().chars().count(), 201);
    says(&lines[5], serde_json::json!({"method": "other", "status": 405}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_told_of() {
    let (log, _turn) = Log::turn().await;
    let large: Vec<Block> =
        (0..16).map(|n| Block::new(codec::RAW, vec![n; 2 << 20].into())).collect();
    let url = serve_default(holding(&large)).await;
    let want = large.iter().map(|block| *block.cid()).collect();
    let status = Status { want, have: None };
    let body = message::encode(Dialect::Spec, Kind::PullRequest, &status);
    let head = format!(
        "POST /api/v0/dag/pull HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    stream.read_exact(&mut [0; 100_000]).await.unwrap();
    drop(stream);
    let line = log.line().await;
    says(&line, serde_json::json!({"status": 200, "wants": 16, "complete": false}));
    assert!(line["reason"].is_string(), "{line}");
    assert!(line["bytes_out"].as_u64().unwrap() < 32 << 20, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lacks_a_block_does_not_call_the_transfer_complete() {
    let (log, _turn) = Log::turn().await;
    let dag = dag();
    let url = serve_default(holding(&dag.blocks[..dag.blocks.len() - 1])).await;
    assert_eq!(post(&url, "/api/v0/dag/pull", &wants(dag.root)).await, 200);
    let line = log.line().await;
    let sent = dag.blocks.len() - 1;
    says(
        &line,
        serde_json::json!({"status": 200, "blocks_out": sent, "complete": false, "reason": null}),
    );
}

async fn scrape(url: &str) -> String {
    let answer = exchange("GET", format!("{url}/metrics"), "text/plain", b"").await;
    assert_eq!(answer.status, 200);
    let format = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.content_type.as_deref(), Some(format));
    String::from_utf8(answer.body).expect("it is text")
}

/// The value of one series.
#[track_caller]
fn value(page: &str, series: &str) -> f64 {
    let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    assert!(found.is_some(), "no {series} in {page}");
    found.and_then(|value| value.parse().ok()).expect("a number")
}

fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(rest)
}

/// Holds a page to the text format, and returns its series.
fn series(page: &str) -> BTreeSet<String> {
    let (mut all, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    assert!(page.ends_with('\n'));
    let mut family = String::new();
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            assert!(is_name(words[1]) && !words[2].is_empty(), "{line}");
            match words[0] {
                "HELP" => family = words[1].to_owned(),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&words[2]), "{line}");
                    assert!(words[1] == family && kinds.insert(family.clone()), "{line}");
                    assert_eq!(words[2] == "counter", family.ends_with("_total"), "{line}");
                }
                other => unreachable!("{other}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        value.parse::<f64>().expect("a number");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(is_name(name) && name.starts_with(&family), "{line}");
        let labels = labels.strip_suffix('}').expect("a brace");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once("=\"").expect("a label");
            let value = value.strip_suffix('"').expect("a quote");
            assert!(is_name(label) && !value.contains(['"', '\\']), "{line}");
        }
        assert!(all.insert(series.to_owned()), "twice: {line}");
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_valid_move_and_stay_bounded() {
    let (log, _turn) = Log::turn().await;
    let dag = dag();
    let url = serve_default(holding([])).await;
    let before = scrape(&url).await;
    let client = client_with(&url, |_| {});
    client.push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
    client.pull(dag.root, vec![], holding([])).await.unwrap();
    assert_eq!(post(&url, "/api/v0/dag/pull", b"garbage").await, 400);
    for n in 0..20 {
        assert_eq!(post(&url, &format!("/dag/pull/{n}"), b"").await, 400);
        assert_eq!(post(&url, &format!("/{n}"), b"").await, 404);
    }
    log.lines(2 + 1 + 1 + 40).await;
    let after = scrape(&url).await;
    assert_eq!(series(&before), series(&after), "no peer makes a series");
    let rose = |series: &str| value(&after, series) - value(&before, series);
    let blocks = dag.blocks.len() as f64;
    let of = |route: &str, dialect: &str, status: &str| {
        let labels = format!("{{route=\"{route}\",dialect=\"{dialect}\",status=\"{status}\"}}");
        rose(&format!("carpool_http_requests_total{labels}"))
    };
    assert_eq!(of("/api/v0/dag/push", "spec", "2xx"), 2.0);
    assert_eq!(of("/api/v0/dag/pull", "spec", "2xx"), 1.0);
    assert_eq!(of("/api/v0/dag/pull", "spec", "4xx"), 1.0);
    assert_eq!(of("/dag/pull/{root}", "car-mirror", "4xx"), 20.0);
    assert_eq!(of("unknown", "none", "4xx"), 20.0);
    assert_eq!(rose("carpool_http_refusals_total{reason=\"malformed\"}"), 21.0);
    assert_eq!(rose("carpool_http_refusals_total{reason=\"not_found\"}"), 20.0);
    assert_eq!(rose("carpool_blocks_received_total"), blocks);
    assert_eq!(rose("carpool_blocks_sent_total"), blocks);
    assert_eq!(rose("carpool_rounds_total"), 3.0);
    assert!(rose("carpool_http_received_bytes_total") > 180_000.0);
    assert!(rose("carpool_http_sent_bytes_total") > 180_000.0);
    let pulls = "carpool_http_request_duration_seconds";
    assert_eq!(rose(&format!("{pulls}_count{{route=\"/api/v0/dag/pull\"}}")), 2.0);
    assert_eq!(rose(&format!("{pulls}_bucket{{route=\"/api/v0/dag/pull\",le=\"+Inf\"}}")), 2.0);
    assert_eq!(value(&after, "carpool_transfers_in_flight"), 0.0);
    assert_eq!(value(&after, "carpool_http_requests_in_flight"), 1.0, "the scrape itself");
    assert!(value(&after, "carpool_http_connections_open") >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_from_peers_is_counted_apart() {
    let (_log, _turn) = Log::turn().await;
    let (dag, unknown) = (dag(), original(&Shape { seed: 9, leaves: 9, leaf_size: 9, fanout: 3 }));
    let mut options = ServerOptions::default();
    options.peers = vec![serve_default(holding(&dag.blocks)).await];
    let url = serve(holding([]), options).await;
    let before = scrape(&url).await;
    client_with(&url, |_| {}).pull(dag.root, vec![], holding([])).await.unwrap();
    for _ in 0..2 {
        assert_eq!(post(&url, "/api/v0/dag/pull", &wants(unknown.root)).await, 404);
    }
    let after = scrape(&url).await;
    assert_eq!(series(&before), series(&after), "no peer makes a series");
    let rose = |series: &str| value(&after, series) - value(&before, series);
    assert_eq!(rose("carpool_fills_total{end=\"complete\"}"), 1.0);
    assert_eq!(rose("carpool_fills_total{end=\"lacking\"}"), 1.0);
    assert_eq!(rose("carpool_fills_not_begun_total{reason=\"remembered\"}"), 1.0);
    assert_eq!(value(&after, "carpool_fills_in_flight"), 0.0);
    assert_eq!(rose("carpool_fill_blocks_total"), dag.blocks.len() as f64);
    assert!(rose("carpool_fill_received_bytes_total") > 180_000.0);
    assert_eq!(rose("carpool_blocks_received_total"), 0.0, "clients brought nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_want_the_token_and_can_be_left_out() {
    let (_log, _turn) = Log::turn().await;
    let mut options = ServerOptions::default();
    options.token = Some("open-sesame".into());
    let url = serve(holding([]), options.clone()).await;
    assert_eq!(exchange("GET", format!("{url}/metrics"), "x/y", b"").await.status, 401);
    options.token = None;
    options.metrics = false;
    let url = serve(holding([]), options).await;
    assert_eq!(exchange("GET", format!("{url}/metrics"), "x/y", b"").await.status, 404);
}

/// What a client of `url` is told while `work` is done.
fn listening(url: &str) -> (carpool_http::Client, Arc<Mutex<Vec<Event>>>) {
    let heard = Arc::<Mutex<Vec<Event>>>::default();
    let to = Arc::clone(&heard);
    let client = client_with(url, |options| {
        let listener = Listener::new(move |event| {
            to.lock().expect("no test panics in it").push(event.clone())
        });
        options.listener = Some(listener);
    });
    (client, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_of_each_round() {
    let (_log, _turn) = Log::turn().await;
    let dag = dag();
    let blocks = dag.blocks.len() as u64;
    let url = serve_default(holding([])).await;
    let (client, heard) = listening(&url);
    client.push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
    let events = heard.lock().unwrap().clone();
    let [Event::Plans(_), speaks, Event::Round(cold), Event::Round(rest)] = &events[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(*speaks, Event::Speaks(Dialect::Spec));
    assert_eq!(
        (cold.number, &cold.call, rest.number, &rest.call),
        (1, &Call::Cold, 2, &Call::Answer)
    );
    assert_eq!(cold.blocks + rest.blocks, blocks);
    assert!(matches!(&cold.end, End::Wants(wants) if wants.bitmap.is_some()), "{cold:?}");
    assert!(matches!(&rest.end, End::Wants(wants) if wants.roots == 0), "{rest:?}");
    assert!(matches!(&rest.end, End::Wants(wants) if wants.bitmap.is_none()), "{rest:?}");
    let (client, heard) = listening(&url);
    let half = holding(&dag.blocks[dag.blocks.len() / 2..]);
    client.pull(dag.root, vec![], half).await.unwrap();
    let [Event::Plans(_), _, Event::Round(pulled), ..] = &heard.lock().unwrap()[..] else {
        panic!("{heard:?}")
    };
    assert!(matches!(&pulled.call, Call::Request(wants) if wants.roots == 1), "{pulled:?}");
    assert!(pulled.blocks > 0 && pulled.bytes > 0 && pulled.end == End::Missing(0), "{pulled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_of_the_other_dialect_and_of_failures() {
    let (_log, _turn) = Log::turn().await;
    let dag = dag();
    let url = serve_only(holding(&dag.blocks), "/dag").await;
    let (client, heard) = listening(&url);
    client.pull(dag.root, vec![], holding([])).await.unwrap();
    let events: Vec<Event> = heard.lock().unwrap().clone();
    let planned = |event: &&Event| !matches!(event, Event::Plans(_));
    let events: Vec<&Event> = events.iter().filter(planned).collect();
    let [Event::Round(first), turns, speaks, Event::Round(second)] = events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(&first.end, End::Failed(reason) if reason.contains("404")), "{first:?}");
    assert_eq!(*turns, Event::Turns(Dialect::CarMirror));
    assert_eq!(*speaks, Event::Speaks(Dialect::CarMirror));
    assert_eq!((second.number, &second.end), (2, &End::Missing(0)));
}
