//! A server on loopback, DAGs to move, and a relay that counts and cuts.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod versions;

use carpool_core::{Block, Cid};
use carpool_http::{
    Client, ClientOptions, Server, ServerOptions, Totals,
    client::{Compress, Deltas},
};
use carpool_mirror::{
    extension::{HEADER, Offer},
    planner::Path,
};
use carpool_store::{BlockStore, MemoryStore, Store};
use sim::dag::Dag;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A store that holds `blocks`.
pub fn holding<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let blocks: Vec<Block> = blocks.into_iter().cloned().collect();
    store.put_many(&blocks).expect("memory takes blocks");
    Arc::new(store)
}

/// A server over `store`; it lives as long as the test.
pub async fn serve(store: Arc<dyn Store>, options: ServerOptions) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = Server::new(store, options);
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    url
}

pub async fn serve_default(store: Arc<MemoryStore>) -> String {
    serve(store, ServerOptions::default()).await
}

/// A client that moves blocks as they are, as one beside its server does while the machine is not busy.
pub fn client(url: &str) -> Client {
    client_with(url, as_blocks)
}

pub fn client_with(url: &str, change: impl FnOnce(&mut ClientOptions)) -> Client {
    let mut options = ClientOptions::default();
    change(&mut options);
    Client::new(url, options).expect("a good URL")
}

/// Blocks as they are: a machine that is busy makes the way look slow, and then they would be compressed.
pub fn as_blocks(options: &mut ClientOptions) {
    (options.deltas, options.compress) = (Deltas::Never, Compress::Never);
}

/// A way on which nothing is worth compressing, whatever this machine does at the moment.
pub fn fast(options: &mut ClientOptions) {
    options.path = Some(Path { rtt_micros: 100, bytes_per_second: 1_000_000_000 });
}

pub fn holds_all(store: &MemoryStore, blocks: &[Block]) -> bool {
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let got = store.get_many(&cids).expect("memory");
    got.iter().zip(blocks).all(|(data, block)| data.as_ref() == Some(block.data()))
}

/// Pulls a version where another is held, and says what that took: not what the client did before.
pub async fn pull_over(client: &Client, old: &Dag, new: &Dag, sink: &Arc<MemoryStore>) -> Totals {
    let before = client.progress().totals();
    let report = client.pull(new.root, vec![old.root], Arc::clone(sink)).await;
    let mut totals = report.expect("all is there").totals;
    assert!(holds_all(sink, &new.blocks));
    totals.bytes_sent -= before.bytes_sent;
    totals.requests -= before.requests;
    totals
}

/// A TCP relay: counts payload both ways and cuts each connection once `cut_after` bytes went down.
pub struct Relay {
    pub url: String,
    pub up: Arc<AtomicU64>,
    pub down: Arc<AtomicU64>,
    pub connections: Arc<AtomicU64>,
}

impl Relay {
    /// `cuts` holds, connection by connection, after how many bytes in either direction to cut;
    /// later connections are not cut.
    pub async fn start(target: &str, cuts: Vec<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let relay =
            Self { url, up: Arc::default(), down: Arc::default(), connections: Arc::default() };
        let target = target.trim_start_matches("http://").to_owned();
        let (up, down) = (Arc::clone(&relay.up), Arc::clone(&relay.down));
        let connections = Arc::clone(&relay.connections);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let n = connections.fetch_add(1, Relaxed);
                let cut = usize::try_from(n).ok().and_then(|n| cuts.get(n).copied());
                let far = TcpStream::connect(&target).await.expect("the server listens");
                let (up, down) = (Arc::clone(&up), Arc::clone(&down));
                tokio::spawn(forward(near, far, cut.unwrap_or(u64::MAX), up, down));
            }
        });
        relay
    }
}

async fn forward(
    near: TcpStream,
    far: TcpStream,
    cut: u64,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let left = Arc::new(AtomicU64::new(cut));
    tokio::select! {
        () = copy(near_read, far_write, up, Arc::clone(&left)) => {}
        () = copy(far_read, near_write, down, left) => {}
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    count: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let allowed = left.load(Relaxed).min(n as u64);
        left.fetch_sub(allowed, Relaxed);
        count.fetch_add(allowed, Relaxed);
        let allowed = usize::try_from(allowed).expect("at most n");
        if to.write_all(&buffer[..allowed]).await.is_err() || allowed < n {
            return;
        }
    }
}

/// Sends raw bytes and reads the answer's head and body until the server closes or falls silent.
pub async fn raw(url: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.expect("up");
    stream.write_all(request).await.expect("the server reads");
    let mut answer = Vec::new();
    let quiet = std::time::Duration::from_millis(500);
    let mut buffer = [0; 4096];
    while let Ok(Ok(n @ 1..)) = tokio::time::timeout(quiet, stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A `POST` of `body`, and the status code of the answer.
pub async fn post(url: &str, path: &str, body: &[u8]) -> u16 {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let answer = raw(url, &[head.as_bytes(), body].concat()).await;
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or(0)
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub extension: Option<String>,
    pub body: Vec<u8>,
}

/// One request and its answer, over HTTP/1.1.
pub async fn exchange(method: &str, url: String, content_type: &str, body: &[u8]) -> Answer {
    send(http::Request::builder().method(method).uri(url), content_type, body).await
}

/// The same with the header of the extension.
pub async fn exchange_offering(
    method: &str,
    url: String,
    content_type: &str,
    offer: &Offer,
    body: &[u8],
) -> Answer {
    let request = http::Request::builder().method(method).uri(url);
    send(request.header(HEADER, offer.encode()), content_type, body).await
}

/// A pull of what differs from an old root, by who takes these media types.
pub async fn exchange_taking(url: String, accept: &str, want: Cid, held: Cid) -> Answer {
    let offer = Offer { want: Some(want), held: vec![held], ..Offer::default() };
    exchange_offering_and_taking(url, accept, &offer).await
}

/// A pull by its header alone.
pub async fn exchange_offering_and_taking(url: String, accept: &str, offer: &Offer) -> Answer {
    let request = http::Request::post(url).header(HEADER, offer.encode());
    send(request.header("accept", accept), "application/vnd.ipld.dag-cbor", &[]).await
}

async fn send(request: http::request::Builder, content_type: &str, body: &[u8]) -> Answer {
    use http_body_util::{BodyExt, Full};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let request = request.header("content-type", content_type);
    let request = request.body(Full::new(bytes::Bytes::copy_from_slice(body))).expect("good");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("an answer");
    let content_type = answer.headers().get("content-type");
    let content_type = content_type.map(|value| value.to_str().expect("text").to_owned());
    let extension = answer.headers().get(HEADER);
    let extension = extension.map(|value| value.to_str().expect("text").to_owned());
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a whole body").to_bytes().to_vec();
    Answer { status, content_type, extension, body }
}

/// Serves these routes for as long as the test runs.
pub async fn serve_router(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A server that knows the routes of one dialect only.
pub async fn serve_only(store: Arc<dyn Store>, prefix: &'static str) -> String {
    use axum::{extract::Request, middleware::Next, response::IntoResponse};
    let only = move |request: Request, next: Next| async move {
        if request.uri().path().starts_with(prefix) {
            return next.run(request).await;
        }
        http::StatusCode::NOT_FOUND.into_response()
    };
    let router = Server::new(store, ServerOptions::default()).router();
    serve_router(router.layer(axum::middleware::from_fn(only))).await
}

/// A server that answers the first pull with `body`, as a delta, and is honest from then on.
pub async fn lie_once(store: Arc<dyn Store>, body: Vec<u8>) -> String {
    use axum::{extract::Request, middleware::Next, response::IntoResponse};
    let left = Arc::new(AtomicU64::new(1));
    let lie = move |request: Request, next: Next| {
        let (left, body) = (Arc::clone(&left), body.clone());
        async move {
            if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
                return next.run(request).await;
            }
            let kind = [("content-type", "application/vnd.carpool.delta.v1")];
            (kind, [(HEADER, "v=1; used=held")], body).into_response()
        }
    };
    let router = Server::new(store, ServerOptions::default()).router();
    serve_router(router.layer(axum::middleware::from_fn(lie))).await
}

/// A store that says that it holds a block, and cannot give it.
#[derive(Debug)]
pub struct Losing {
    inner: Arc<MemoryStore>,
    lost: Cid,
}

impl Losing {
    pub fn new(inner: Arc<MemoryStore>, lost: Cid) -> Self {
        Self { inner, lost }
    }

    pub fn inner(&self) -> &MemoryStore {
        &self.inner
    }
}

impl BlockStore for Losing {
    fn get_many(&self, cids: &[Cid]) -> carpool_store::Result<Vec<Option<carpool_core::Bytes>>> {
        let mut got = self.inner.get_many(cids)?;
        for (cid, data) in cids.iter().zip(&mut got) {
            if *cid == self.lost {
                *data = None;
            }
        }
        Ok(got)
    }

    fn has_many(&self, cids: &[Cid]) -> carpool_store::Result<Vec<bool>> {
        self.inner.has_many(cids)
    }

    fn put_many(&self, blocks: &[Block]) -> carpool_store::Result<()> {
        self.inner.put_many(blocks)
    }

    fn flush(&self) -> carpool_store::Result<()> {
        self.inner.flush()
    }
}

/// A server that knows nothing of the extension.
pub async fn serve_plain(store: Arc<dyn Store>) -> String {
    use axum::{extract::Request, middleware::Next};
    let plain = |mut request: Request, next: Next| async move {
        request.headers_mut().remove(HEADER);
        let mut response = next.run(request).await;
        response.headers_mut().remove(HEADER);
        response
    };
    let router = Server::new(store, ServerOptions::default()).router();
    serve_router(router.layer(axum::middleware::from_fn(plain))).await
}
