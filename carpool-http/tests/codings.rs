//! CARs travel in zstd or gzip where a client asks for it, or a server has said that it takes it, and
//! where that saves bytes.

mod common;

use bytes::Bytes;
use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, codec};
use carpool_http::{
    Client, ServerOptions,
    client::{Acquaintances, Compress, Deltas},
};
use carpool_store::{BlockStore, Expect, MemoryStore, NameEntry, Names, SetName};
use common::{Relay, client_with, holding, holds_all, serve, serve_default};
use http::{HeaderMap, header as name};
use http_body_util::{BodyExt, Full};
use ipld_core::ipld::Ipld;
use sim::dag::mix;
use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::Receiver,
    },
};

/// A root over leaves of `leaf` bytes of text, or of noise; the root comes first.
fn tree(leaves: u64, leaf: usize, noise: bool) -> (Cid, Vec<Block>) {
    let data = |n: u64| {
        let words = (0..).map(|i| mix(n << 32 | i));
        let text = |word: u64| format!("{} brown foxes, ", word % 1000).into_bytes();
        let of = |word: u64| if noise { word.to_le_bytes().to_vec() } else { text(word) };
        words.flat_map(of).take(leaf).collect::<Vec<u8>>()
    };
    let leaves: Vec<_> = (0..leaves).map(|n| Block::new(codec::RAW, data(n).into())).collect();
    let links: Vec<_> = leaves.iter().map(|leaf| Ipld::Link(*leaf.cid())).collect();
    let root = serde_ipld_dagcbor::to_vec(&links).expect("a list of links");
    let root = Block::new(codec::DAG_CBOR, root.into());
    (*root.cid(), [root].into_iter().chain(leaves).collect())
}

fn car(root: Cid, blocks: &[Block]) -> Vec<u8> {
    let sections = blocks.iter().flat_map(|block| {
        [section_prefix(block.cid(), block.data().len()).as_ref(), block.data()].concat()
    });
    header(&[root]).iter().copied().chain(sections).collect()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: name::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        match self.header(name::CONTENT_ENCODING) {
            None => plain = self.body.to_vec(),
            Some("zstd") => plain = zstd::decode_all(&self.body[..]).expect("whole"),
            Some("gzip") => {
                let mut decoder = flate2::read::GzDecoder::new(&self.body[..]);
                decoder.read_to_end(&mut plain).expect("whole");
            }
            Some(other) => unreachable!("{other} was not asked for"),
        }
        plain
    }
}

async fn exchange(request: http::request::Builder, body: Vec<u8>) -> Answer {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let request = request.body(Full::new(Bytes::from(body))).expect("good");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
    Answer { status, headers, body }
}

/// A pull of everything below the root, in car-mirror's way, which needs no body.
async fn pull(url: &str, root: Cid, accept: Option<&str>) -> Answer {
    let mut request = http::Request::get(format!("{url}/dag/pull/{root}"));
    if let Some(accept) = accept {
        request = request.header(name::ACCEPT_ENCODING, accept);
    }
    exchange(request, Vec::new()).await
}

async fn push(url: &str, coding: &str, body: Vec<u8>) -> Answer {
    let request = http::Request::post(format!("{url}/api/v0/dag/push"));
    exchange(request.header(name::CONTENT_ENCODING, coding), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_answered_in_what_was_asked_for() {
    let (root, blocks) = tree(40, 20_000, false);
    let url = serve_default(holding(&blocks)).await;
    let plain = pull(&url, root, None).await;
    assert_eq!(plain.header(name::CONTENT_ENCODING), None);
    for (accept, coding) in [
        ("zstd", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip", Some("gzip")),
        ("zstd;q=0.1, gzip;q=0.2", Some("gzip")),
        ("*", Some("zstd")),
        ("zstd;q=0, *;q=0.1", Some("gzip")),
        ("br", None),
        ("identity", None),
        ("zstd;q=0", None),
        ("", None),
    ] {
        let answer = pull(&url, root, Some(accept)).await;
        assert_eq!(answer.header(name::CONTENT_ENCODING), coding, "{accept}");
        assert_eq!(answer.header(name::VARY), Some("accept-encoding"), "{accept}");
        assert!(answer.plain() == plain.body, "{accept}: the same CAR");
        assert_eq!(answer.body.len() * 3 < plain.body.len(), coding.is_some(), "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_compress_is_left_alone_unless_it_has_to_be() {
    for (leaves, leaf) in [(40, 20_000), (3, 1000), (1, 100)] {
        let (root, blocks) = tree(leaves, leaf, true);
        let url = serve_default(holding(&blocks)).await;
        for (accept, coding) in [
            ("zstd, gzip", None),
            ("identity;q=0, zstd", Some("zstd")),
            ("gzip, *;q=0", Some("gzip")),
        ] {
            let answer = pull(&url, root, Some(accept)).await;
            assert_eq!(answer.header(name::CONTENT_ENCODING), coding, "{accept}, {leaves}");
            assert!(answer.plain() == pull(&url, root, None).await.body, "{accept}, {leaves}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_can_be_told_to_leave_all_alone() {
    let (root, blocks) = tree(40, 20_000, false);
    let mut options = ServerOptions::default();
    options.compress = false;
    let url = serve(holding(&blocks), options).await;
    let answer = pull(&url, root, Some("zstd, gzip")).await;
    assert_eq!(answer.header(name::CONTENT_ENCODING), None);
    assert_eq!(answer.header(name::VARY), None);
    let answer = push(&url, "zstd", zstd(&car(root, &blocks))).await;
    assert_eq!((answer.status, answer.header(name::ACCEPT_ENCODING)), (415, None));
    let answer = push(&url, "identity", car(root, &blocks)).await;
    assert_eq!((answer.status, answer.header(name::ACCEPT_ENCODING)), (200, None));
}

/// Bytes down and up of a transfer over a relay that counts them, which are those of TCP.
async fn counted(url: &str, compress: Compress, transfer: impl AsyncFn(Client)) -> (u64, u64) {
    let relay = Relay::start(url, vec![]).await;
    let client = client_with(&relay.url, |options| {
        if compress == Compress::Auto {
            common::fast(options);
        }
        options.compress = compress;
        options.deltas = Deltas::Never;
    });
    let progress = client.progress();
    transfer(client).await;
    let totals = progress.totals();
    let (down, up) = (relay.down.load(Relaxed), relay.up.load(Relaxed));
    assert!(totals.bytes_received <= down, "of TCP, not of CARs");
    assert!(totals.bytes_sent >= up, "of TCP, not of CARs");
    (totals.bytes_received, totals.bytes_sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_pulls_what_it_asks_for_compressed() {
    for (noise, saves) in [(false, true), (true, false)] {
        let (root, blocks) = tree(40, 50_000, noise);
        let url = serve_default(holding(&blocks)).await;
        let whole = car(root, &blocks).len() as u64;
        for (compress, saves) in
            [(Compress::Always, saves), (Compress::Never, false), (Compress::Auto, false)]
        {
            let (down, _) = counted(&url, compress, async |client| {
                let sink = holding([]);
                let report = client.pull(root, vec![], sink.clone()).await.expect("it is there");
                assert_eq!(report.totals.blocks_received, blocks.len() as u64);
                assert!(holds_all(&sink, &blocks));
            })
            .await;
            assert_eq!(down * 3 < whole, saves, "{compress:?}, noise: {noise}: {down} of {whole}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_pushes_compressed_once_the_server_has_said_that_it_takes_it() {
    for (noise, saves) in [(false, true), (true, false)] {
        let (root, blocks) = tree(40, 50_000, noise);
        let whole = car(root, &blocks).len() as u64;
        for (compress, named, saves) in [
            (Compress::Always, false, saves),
            (Compress::Always, true, saves),
            (Compress::Never, true, false),
            (Compress::Auto, true, false),
        ] {
            let store = holding([]);
            let url = serve_default(store.clone()).await;
            let (_, up) = counted(&url, compress, async |client| {
                if named {
                    assert!(client.name("none").await.expect("an answer").is_none());
                }
                client.push(root, vec![], None, holding(&blocks)).await.expect("it is taken");
            })
            .await;
            assert!(holds_all(&store, &blocks));
            assert_eq!(up * 3 < whole, saves, "{compress:?}, noise: {noise}: {up} of {whole}");
        }
    }
}

/// What was learned of a server is known to the next client.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_met_before_is_sent_compressed_at_once() {
    let (root, blocks) = tree(40, 50_000, false);
    let whole = car(root, &blocks).len() as u64;
    let url = serve_default(holding([])).await;
    let known = Acquaintances::default();
    let client = |compress| {
        client_with(&url, |options| {
            options.acquaintances = Acquaintances::decode(&known.encode());
            options.compress = compress;
        })
    };
    let before = client_with(&url, |options| options.acquaintances = known.clone());
    assert!(before.name("none").await.expect("an answer").is_none());
    let pushed = client(Compress::Always).push(root, vec![], None, holding(&blocks)).await;
    let totals = pushed.expect("it is taken").totals;
    assert!(totals.bytes_sent * 3 < whole, "{} of {whole}", totals.bytes_sent);
}

/// A router that says one thing and does another, such as a proxy before a server.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_take_what_it_said_is_sent_it_as_it_is() {
    let (root, blocks) = tree(40, 20_000, false);
    let store = holding([]);
    let mut options = ServerOptions::default();
    options.compress = false;
    let server = carpool_http::Server::new(store.clone(), options);
    let says = |mut response: axum::response::Response| async {
        let zstd = http::HeaderValue::from_static("zstd");
        response.headers_mut().insert(name::ACCEPT_ENCODING, zstd);
        response
    };
    let router = server.router().layer(axum::middleware::map_response(says));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = client_with(&url, |options| {
        options.compress = Compress::Always;
        options.deltas = Deltas::Never;
    });
    assert!(client.name("none").await.expect("an answer").is_none());
    client.push(root, vec![], None, holding(&blocks)).await.expect("the second try is plain");
    assert!(holds_all(&store, &blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_what_it_takes_and_takes_it() {
    let (root, blocks) = tree(40, 20_000, false);
    let plain = car(root, &blocks);
    for (coding, body) in [("zstd", zstd(&plain)), ("gzip", gzip(&plain)), ("x-gzip", gzip(&plain))]
    {
        let store = holding([]);
        let url = serve_default(store.clone()).await;
        let names = exchange(http::Request::get(format!("{url}/api/v0/names")), vec![]).await;
        assert_eq!(names.header(name::ACCEPT_ENCODING), Some("zstd, gzip"));
        let cut = push(&url, coding, body[..body.len() / 2].to_vec()).await;
        assert_eq!(cut.status, 408, "a stream without its end is cut");
        assert!(!store.is_empty() && store.len() < blocks.len(), "what came is kept");
        let answer = push(&url, coding, body.clone()).await;
        assert_eq!(answer.status, 200, "{coding}");
        assert_eq!(answer.header(name::ACCEPT_ENCODING), Some("zstd, gzip"));
        assert!(holds_all(&store, &blocks));
    }
    let url = serve_default(holding([])).await;
    let refused = push(&url, "br", plain).await;
    assert_eq!((refused.status, refused.header(name::ACCEPT_ENCODING)), (415, Some("zstd, gzip")));
}

/// What counts is what comes out of the coding, to the byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_unfolds_to_the_limit_and_past_it() {
    let (root, blocks) = tree(40, 20_000, false);
    let plain = car(root, &blocks);
    for (coding, body) in [("zstd", zstd(&plain)), ("gzip", gzip(&plain))] {
        for (max, status) in [(plain.len() as u64, 200), (plain.len() as u64 - 1, 413)] {
            let mut options = ServerOptions::default();
            options.limits.max_car_bytes = max;
            let url = serve(holding([]), options).await;
            assert_eq!(push(&url, coding, body.clone()).await.status, status, "{coding}");
        }
    }
}

/// The same for what a client pulls.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_unfolds_to_the_limit_and_past_it() {
    let (root, blocks) = tree(40, 20_000, false);
    let url = serve_default(holding(&blocks)).await;
    let bytes = car(root, &blocks).len() as u64;
    for (max, fits) in [(bytes, true), (bytes - 1, false)] {
        let client = client_with(&url, |options| {
            options.compress = Compress::Always;
            options.deltas = Deltas::Never;
            options.limits.max_car_bytes = max;
        });
        let pulled = client.pull(root, vec![], holding([])).await;
        let past = matches!(pulled, Err(carpool_http::Error::TooLarge { .. }));
        assert_eq!((pulled.is_ok(), past), (fits, !fits), "{pulled:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_at_a_time_at_the_limit_and_past_it() {
    let (root, blocks) = tree(40, 20_000, false);
    for (max, status, coding) in [(1, 200, Some("zstd")), (0, 503, None)] {
        let mut options = ServerOptions::default();
        options.max_coded = max;
        let url = serve(holding(&blocks), options).await;
        let answer = push(&url, "zstd", zstd(&car(root, &blocks))).await;
        assert_eq!(answer.status, status);
        let answer = pull(&url, root, Some("zstd")).await;
        assert_eq!((answer.status, answer.header(name::CONTENT_ENCODING)), (200, coding));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_pull_goes_on_where_it_was_cut() {
    let (root, blocks) = tree(300, 20_000, false);
    let url = serve_default(holding(&blocks)).await;
    let (whole, _) = counted(&url, Compress::Always, async |client| {
        client.pull(root, vec![], holding([])).await.map(drop).expect("all is there");
    })
    .await;
    let relay = Relay::start(&url, vec![whole / 4, whole / 4]).await;
    let client = client_with(&relay.url, |options| {
        options.compress = Compress::Always;
        options.deltas = Deltas::Never;
    });
    let sink = holding([]);
    let report = client.pull(root, vec![], sink.clone()).await.expect("all came in the end");
    assert!(holds_all(&sink, &blocks));
    assert_eq!(report.totals.blocks_received, blocks.len() as u64, "none came twice");
    assert_eq!(report.totals.duplicate, 0);
    assert!(report.totals.bytes_received < whole * 3 / 2, "{whole}");
}

/// A store that gives no more once it has given this many bytes.
struct Pausing {
    store: Arc<MemoryStore>,
    left: AtomicUsize,
    given: AtomicUsize,
    go: Mutex<Receiver<()>>,
}

impl BlockStore for Pausing {
    fn get_many(&self, cids: &[Cid]) -> carpool_store::Result<Vec<Option<Bytes>>> {
        let data = self.store.get_many(cids)?;
        let bytes = data.iter().flatten().map(Bytes::len).sum();
        if self.left.load(Relaxed) < bytes {
            let _ = self.go.lock().expect("no panic").recv();
            self.left.store(usize::MAX, Relaxed);
        }
        self.left.fetch_sub(bytes, Relaxed);
        self.given.fetch_add(bytes, Relaxed);
        Ok(data)
    }

    fn has_many(&self, cids: &[Cid]) -> carpool_store::Result<Vec<bool>> {
        self.store.has_many(cids)
    }

    fn put_many(&self, blocks: &[Block]) -> carpool_store::Result<()> {
        self.store.put_many(blocks)
    }

    fn flush(&self) -> carpool_store::Result<()> {
        self.store.flush()
    }
}

impl Names for Pausing {
    fn name(&self, name: &str) -> carpool_store::Result<Option<NameEntry>> {
        self.store.name(name)
    }

    fn names(&self) -> carpool_store::Result<Vec<(String, NameEntry)>> {
        self.store.names()
    }

    fn history(&self, name: &str) -> carpool_store::Result<Vec<NameEntry>> {
        self.store.history(name)
    }

    fn set_name(&self, name: &str, expect: Expect, new: &Cid) -> carpool_store::Result<SetName> {
        self.store.set_name(name, expect, new)
    }

    fn note_root(&self, root: &Cid) -> carpool_store::Result<()> {
        self.store.note_root(root)
    }

    fn recent_roots(&self, n: usize) -> carpool_store::Result<Vec<Cid>> {
        self.store.recent_roots(n)
    }
}

/// What may be on its way: a block of zstd, what has to gather before a flush, and small sections
/// that are put together.
const BEHIND: usize = (128 + 64 + 64) << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_not_kept_waiting_while_the_walk_pauses() {
    let (root, blocks) = tree(100, 100_000, false);
    let (go, wait) = std::sync::mpsc::channel();
    let (store, go_on) = (holding(&blocks), Mutex::new(wait));
    let (left, given) = (AtomicUsize::new(5_000_000), AtomicUsize::new(0));
    let pausing = Arc::new(Pausing { store, left, given, go: go_on });
    let url = serve(Arc::<Pausing>::clone(&pausing), ServerOptions::default()).await;
    let request = http::Request::get(format!("{url}/dag/pull/{root}"));
    let request = request.header(name::ACCEPT_ENCODING, "zstd").body(Full::new(Bytes::new()));
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let answer = client.build_http().request(request.expect("good")).await.expect("an answer");
    let mut body = answer.into_body();
    let mut decoder = zstd::stream::write::Decoder::new(Vec::new()).expect("memory");
    let quiet = std::time::Duration::from_secs(2);
    // Until it falls silent, which is when the store does.
    while let Ok(Some(frame)) = tokio::time::timeout(quiet, body.frame()).await {
        decoder.write_all(&frame.expect("good").into_data().expect("data")).expect("zstd");
    }
    decoder.flush().expect("memory");
    let (came, given) = (decoder.get_ref().len(), pausing.given.load(Relaxed));
    assert!(given > 1_000_000, "{given}");
    assert!(came + BEHIND >= given, "{came} of {given}");
    go.send(()).expect("the store waits");
    let rest = body.collect().await.expect("the rest").to_bytes();
    decoder.write_all(&rest).expect("zstd");
    decoder.flush().expect("memory");
    assert_eq!(decoder.get_ref().len(), car(root, &blocks).len());
}
