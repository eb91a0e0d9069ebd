//! Whole sessions with car-mirror 0.1.0, recorded, and replayed without it: what its client asked is
//! asked of our server again, and what its server answered is answered to our client again. How
//! they were recorded: `recorded/README.md`.

mod common;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use carpool_core::{Block, Cid, Limits, Unverified, verify};
use carpool_http::message::{Dialect, Kind, decode};
use carpool_store::{BlockStore, MemoryStore};
use common::{client_with, holding, holds_all, serve_default};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Deserialize, Serialize};
use sim::dag::{Dag, Shape, generate, original};
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// The DAG of all sessions, a little more than one cold call, and the leaves of it that an older
/// version had otherwise.
const SHAPE: Shape = Shape { seed: 7, leaves: 64, leaf_size: 1400, fanout: 5 };
const CHANGED: [u64; 2] = [3, 40];

/// Whom the peer was: its client speaks to our server, its server to our client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Peer {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Push,
    Pull,
}

/// What the receiver held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Held {
    Cold,
    Incremental,
    Resumed,
    Complete,
}

const STATES: [Held; 4] = [Held::Cold, Held::Incremental, Held::Resumed, Held::Complete];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    peer: Peer,
    direction: Direction,
    http2: bool,
    /// Whether the bodies of requests were streamed, or of a length that was told.
    stream: bool,
    held: Held,
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Exchange {
    method: String,
    path: String,
    content_type: Option<String>,
    /// The name of a file in `recorded/bodies`.
    request: String,
    status: u16,
    answer_type: Option<String>,
    answer: String,
}

impl Session {
    fn new(peer: Peer, direction: Direction, http2: bool, stream: bool, held: Held) -> Self {
        Self { peer, direction, http2, stream, held, exchanges: Vec::new() }
    }

    fn name(&self) -> String {
        let Self { peer, direction, http2, stream, held, .. } = self;
        format!("{direction:?} {held:?}, http2: {http2}, stream: {stream}, peer: {peer:?}")
    }

    /// The store of the receiver before the session.
    fn receiver(&self) -> Arc<MemoryStore> {
        holding(&held(self.held))
    }
}

fn whole() -> Dag {
    generate(&SHAPE, &CHANGED.into_iter().collect())
}

fn held(state: Held) -> Vec<Block> {
    let whole = whole().blocks;
    match state {
        Held::Cold => Vec::new(),
        Held::Incremental => original(&SHAPE).blocks,
        Held::Resumed => whole[..whole.len() * 3 / 5].to_vec(),
        Held::Complete => whole,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

fn body(name: &str) -> Bytes {
    fs::read(folder().join("bodies").join(name)).expect("a recorded body").into()
}

fn sessions(peer: Peer, direction: Direction) -> Vec<Session> {
    let all = fs::read_to_string(folder().join("sessions.jsonl")).expect("recorded sessions");
    let all = all.lines().map(|line| serde_json::from_str(line).expect("a session"));
    all.filter(|s: &Session| s.peer == peer && s.direction == direction).collect()
}

/// The CIDs of a CAR, every block of it verified; an empty body has none.
fn blocks(car: &Bytes) -> Vec<Block> {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    if car.is_empty() {
        return Vec::new();
    }
    decoder.handle_data(car.clone());
    decoder.handle_eof();
    let mut batch = Vec::new();
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            batch.push(Unverified { cid: section.cid, data: section.data });
        }
    }
    verify(batch).into_iter().map(|block| block.expect("a good block")).collect()
}

fn cids(car: &Bytes) -> BTreeSet<Cid> {
    blocks(car).iter().map(|block| *block.cid()).collect()
}

fn wanted(kind: Kind, message: &[u8]) -> BTreeSet<Cid> {
    let status = decode(Dialect::CarMirror, kind, message, &Limits::default());
    status.expect("a message").want.into_iter().collect()
}

// ---- what carries a session ---------------------------------------------------------------------

type AnyBody = UnsyncBoxBody<Bytes, Infallible>;
type Http = Client<hyper_util::client::legacy::connect::HttpConnector, AnyBody>;

fn http(http2: bool) -> Http {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

/// A body whose length nobody is told.
struct Untold(Full<Bytes>);

impl http_body::Body for Untold {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(cx)
    }
}

/// Asks what was asked; the status, the type and the body of the answer.
async fn ask(
    http: &Http,
    url: &str,
    asked: &Exchange,
    stream: bool,
    body: Bytes,
) -> (u16, Option<String>, Bytes) {
    let mut request = http::Request::builder().method(&*asked.method);
    request = request.uri(format!("{url}{}", asked.path));
    if let Some(content_type) = &asked.content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let body = Full::new(body);
    let body = if stream { Untold(body).boxed_unsync() } else { body.boxed_unsync() };
    let answer = http.request(request.body(body).expect("good")).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    (head.status.as_u16(), content_type(&head.headers), body)
}

fn content_type(headers: &http::HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned())
}

async fn start(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn answered(status: u16, content_type: Option<&str>, body: Bytes) -> Response {
    let mut answer = Body::from(body).into_response();
    *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    answer.headers_mut().remove(CONTENT_TYPE);
    if let Some(value) = content_type {
        answer.headers_mut().insert(CONTENT_TYPE, value.parse().expect("good"));
    }
    answer
}

// ---- the peer's client, replayed to our server --------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn what_its_client_pushed_our_server_takes_and_answers_as_it_did() {
    let dag = whole();
    let sessions = sessions(Peer::Client, Direction::Push);
    assert_eq!(sessions.len(), 16, "two versions, streamed and not, four states");
    for session in sessions {
        let (store, name) = (session.receiver(), session.name());
        let (url, http) = (serve_default(store.clone()).await, http(session.http2));
        assert!(!session.exchanges.is_empty(), "{name}");
        for exchange in &session.exchanges {
            let sent = body(&exchange.request);
            let (status, kind, answer) = ask(&http, &url, exchange, session.stream, sent).await;
            assert_eq!((status, &kind), (exchange.status, &exchange.answer_type), "{name}");
            let expected = wanted(Kind::PushResponse, &body(&exchange.answer));
            assert_eq!(wanted(Kind::PushResponse, &answer), expected, "{name}");
        }
        assert!(holds_all(&store, &dag.blocks), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_client_asked_for_our_server_sends_as_it_did() {
    let dag = whole();
    let url = serve_default(holding(&dag.blocks)).await;
    let sessions = sessions(Peer::Client, Direction::Pull);
    assert_eq!(sessions.len(), 8, "two versions, four states");
    for session in sessions {
        let (store, name) = (session.receiver(), session.name());
        let http = http(session.http2);
        assert_eq!(session.exchanges.is_empty(), session.held == Held::Complete, "{name}");
        for exchange in &session.exchanges {
            let sent = body(&exchange.request);
            let (status, kind, answer) = ask(&http, &url, exchange, session.stream, sent).await;
            assert_eq!((status, &kind), (exchange.status, &exchange.answer_type), "{name}");
            assert_eq!(cids(&answer), cids(&body(&exchange.answer)), "{name}");
            store.put_many(&blocks(&answer)).expect("memory");
        }
        assert!(holds_all(&store, &dag.blocks), "{name}");
    }
}

// ---- the peer's server, replayed to our client --------------------------------------------------

/// How much of a request is read before it is answered: the peer answers a push at the first block
/// that it holds, and over HTTP/1.1 it closes then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    All,
    First,
}

/// A server that answers as the peer did, one exchange after another.
#[derive(Clone)]
struct Scripted {
    left: Arc<Mutex<VecDeque<Exchange>>>,
    reads: Reads,
}

async fn scripted(State(script): State<Scripted>, request: Request) -> Response {
    let next = script.left.lock().expect("no panic").pop_front();
    let Some(exchange) = next else { return answered(500, None, "one too many".into()) };
    let (head, mut asked) = request.into_parts();
    assert_eq!((head.method.as_str(), head.uri.path()), (&*exchange.method, &*exchange.path));
    if script.reads == Reads::First {
        let _ = asked.frame().await;
    } else {
        let asked = asked.collect().await.expect("a whole body").to_bytes();
        same_request(&head.uri.path()[..9], &asked, &body(&exchange.request));
    }
    answered(exchange.status, exchange.answer_type.as_deref(), body(&exchange.answer))
}

/// A recorded answer is one to the recorded request: when our client asks otherwise, the sessions
/// have to be recorded again.
fn same_request(route: &str, asked: &Bytes, recorded: &Bytes) {
    let again = "our client asks otherwise now: record again (recorded/README.md)";
    if route == "/dag/pull" {
        let want = |message| wanted(Kind::PullRequest, message);
        assert_eq!(want(asked), want(recorded), "{again}");
    } else {
        assert_eq!(cids(asked), cids(recorded), "{again}");
    }
}

/// Replays a session; which exchanges are left over.
async fn replay(session: &Session, reads: Reads) -> usize {
    let left = Arc::new(Mutex::new(session.exchanges.iter().cloned().collect()));
    let script = Scripted { left: Arc::clone(&left), reads };
    let url = start(Router::new().fallback(scripted).with_state(script)).await;
    run_ours(session, &url, &session.receiver()).await;
    left.lock().expect("no panic").len()
}

/// Our client's side of a session, against `url`.
async fn run_ours(session: &Session, url: &str, store: &Arc<MemoryStore>) {
    let (dag, name) = (whole(), session.name());
    let client = client_with(url, |options| {
        options.http2 = session.http2;
        options.dialect = Some(Dialect::CarMirror);
    });
    if session.direction == Direction::Push {
        let pushed = client.push(dag.root, vec![], None, holding(&dag.blocks)).await;
        pushed.expect(&name);
        return;
    }
    let seeds = match session.held {
        Held::Incremental => vec![original(&SHAPE).root],
        Held::Cold | Held::Resumed | Held::Complete => vec![],
    };
    let pulled = client.pull(dag.root, seeds, Arc::clone(store)).await;
    let pulled = pulled.expect(&name);
    assert_eq!(pulled.totals.duplicate, 0, "{name}");
    assert!(holds_all(store, &dag.blocks), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_server_answered_to_pushes_our_client_goes_by() {
    let sessions = sessions(Peer::Server, Direction::Push);
    assert_eq!(sessions.len(), 8, "two versions, four states");
    for session in sessions {
        assert!(!session.exchanges.is_empty(), "{}", session.name());
        for reads in [Reads::All, Reads::First] {
            assert_eq!(replay(&session, reads).await, 0, "{}, {reads:?}", session.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_server_sent_our_client_takes() {
    let sessions = sessions(Peer::Server, Direction::Pull);
    assert_eq!(sessions.len(), 8, "two versions, four states");
    for session in sessions {
        let complete = session.held == Held::Complete;
        assert_eq!(session.exchanges.is_empty(), complete, "{}", session.name());
        assert_eq!(replay(&session, Reads::All).await, 0, "{}", session.name());
    }
}

#[test]
fn no_recorded_body_is_left_over_or_lacks() {
    let mut named = BTreeSet::new();
    for peer in [Peer::Client, Peer::Server] {
        for direction in [Direction::Push, Direction::Pull] {
            for exchange in sessions(peer, direction).into_iter().flat_map(|s| s.exchanges) {
                named.extend([exchange.request, exchange.answer]);
            }
        }
    }
    let files = fs::read_dir(folder().join("bodies")).expect("a folder");
    let files = files.map(|file| file.expect("a file").file_name().into_string().expect("text"));
    assert_eq!(files.collect::<BTreeSet<_>>(), named);
}

// ---- the recorder -------------------------------------------------------------------------------

/// Passes requests on to `target`, and writes down what passes.
#[derive(Clone)]
struct Recorder {
    target: String,
    http2: bool,
    stream: bool,
    tape: Arc<Mutex<Vec<Exchange>>>,
}

async fn pass_on(State(recorder): State<Recorder>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    assert_eq!(head.version == http::Version::HTTP_2, recorder.http2, "the version that was told");
    let mut exchange = Exchange {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        content_type: content_type(&head.headers),
        request: keep(&body),
        status: 0,
        answer_type: None,
        answer: String::new(),
    };
    let stream = !head.headers.contains_key(CONTENT_LENGTH);
    assert_eq!(stream, recorder.stream, "streaming as was told: {:?}", head.headers);
    let http = http(recorder.http2);
    let (status, kind, answer) = ask(&http, &recorder.target, &exchange, stream, body).await;
    (exchange.status, exchange.answer_type, exchange.answer) = (status, kind, keep(&answer));
    let answer = answered(status, exchange.answer_type.as_deref(), answer);
    recorder.tape.lock().expect("no panic").push(exchange);
    answer
}

/// Writes a body down under a name that its bytes decide; the name.
fn keep(body: &Bytes) -> String {
    let digest = carpool_core::sha2_256(body);
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{name}.bin");
    fs::write(folder().join("bodies").join(&name), body).expect("the folder can be written");
    name
}

fn peer(program: &str) -> Command {
    let folder = std::env::var_os("CARPOOL_PEER_DIR").expect("CARPOOL_PEER_DIR names the peer");
    let mut command = Command::new(Path::new(&folder).join("target/release").join(program));
    command.stdout(Stdio::piped());
    command
}

/// A CAR file of `blocks` that names `root`.
fn car_file(name: &str, root: Cid, blocks: &[Block]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut car = carpool_car::header(&[root]).to_vec();
    for block in blocks {
        let prefix = carpool_car::section_prefix(block.cid(), block.data().len());
        car.extend_from_slice(prefix.as_ref());
        car.extend_from_slice(block.data());
    }
    fs::write(&path, car).expect("a temporary folder");
    path
}

/// Makes all of `recorded/` but its README.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the peer, and replaces what is recorded"]
async fn record() {
    let bodies = folder().join("bodies");
    let _ = fs::remove_dir_all(&bodies);
    fs::create_dir_all(&bodies).expect("the folder can be written");
    let mut lines = String::new();
    for session in cells() {
        let session = recorded(session).await;
        lines += &serde_json::to_string(&session).expect("plain data");
        lines.push('\n');
    }
    fs::write(folder().join("sessions.jsonl"), lines).expect("the folder can be written");
}

fn cells() -> Vec<Session> {
    let mut cells = Vec::new();
    for http2 in [false, true] {
        for held in STATES {
            for stream in [true, false] {
                cells.push(Session::new(Peer::Client, Direction::Push, http2, stream, held));
            }
            cells.push(Session::new(Peer::Client, Direction::Pull, http2, false, held));
            cells.push(Session::new(Peer::Server, Direction::Push, http2, true, held));
            cells.push(Session::new(Peer::Server, Direction::Pull, http2, false, held));
        }
    }
    cells
}

async fn recorded(mut session: Session) -> Session {
    let (http2, stream) = (session.http2, session.stream);
    let tape = Arc::new(Mutex::new(Vec::new()));
    let recorder = |target| Recorder { target, http2, stream, tape: Arc::clone(&tape) };
    let router = |target| Router::new().fallback(pass_on).with_state(recorder(target));
    match session.peer {
        Peer::Client => {
            let store = match session.direction {
                Direction::Push => session.receiver(),
                Direction::Pull => holding(&whole().blocks),
            };
            let url = start(router(serve_default(store).await)).await;
            let mut command = its_client(&session, &url);
            let done = tokio::task::spawn_blocking(move || command.output()).await;
            let done = done.expect("no panic").expect("the peer starts");
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(done.status.success(), "{}: {said}", session.name());
        }
        Peer::Server => {
            let (mut server, target) = its_server(&session);
            let url = start(router(target)).await;
            run_ours(&session, &url, &session.receiver()).await;
            server.kill().and_then(|()| server.wait()).expect("it ends");
        }
    }
    session.exchanges = std::mem::take(&mut *tape.lock().expect("no panic"));
    session
}

fn its_client(session: &Session, url: &str) -> Command {
    let (dag, held) = (whole(), held(session.held));
    let mut command = peer("peer-client");
    match session.direction {
        Direction::Push => {
            command.args(["push", "--url", &format!("{url}/dag"), "--car"]);
            command.arg(car_file("whole.car", dag.root, &dag.blocks));
            command.args(["--body", if session.stream { "stream" } else { "whole" }]);
        }
        Direction::Pull => {
            let root = dag.root.to_string();
            command.args(["pull", "--url", &format!("{url}/dag"), "--root", &root]);
            if !held.is_empty() {
                command.arg("--have").arg(car_file("held.car", dag.root, &held));
            }
        }
    }
    if session.http2 {
        command.arg("--http2");
    }
    command
}

/// The peer's server and where it listens.
fn its_server(session: &Session) -> (std::process::Child, String) {
    use std::io::{BufRead, BufReader};
    let (dag, held) = (whole(), held(session.held));
    let held = if session.direction == Direction::Pull { dag.blocks } else { held };
    let mut command = peer("peer-server");
    command.args(["--addr", "127.0.0.1:0"]);
    if !held.is_empty() {
        command.arg("--car").arg(car_file("held.car", dag.root, &held));
    }
    let mut child = command.spawn().expect("the peer starts");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = said.lines().map(|line| line.expect("text"));
    let listening = said.find_map(|line| line.strip_prefix("LISTENING ").map(str::to_owned));
    (child, format!("http://{}", listening.expect("it says where it listens")))
}
