use bytes::Bytes;
use carpool_core::{Block, Unverified, verify};
use carpool_http::{NameRecord, Server, ServerOptions, SetNameRequest, routes};
use carpool_store::{BlockStore, MemoryStore, Names};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use sim::dag::{self, Shape};
use std::{
    io::Write,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

use crate::choices::Choices;

/// The token of a server that wants one.
const TOKEN: &str = "open sesame";

/// Whatever request gets past hyper is answered with one of the statuses that the book names, and
/// the store holds nothing that is not what its CID says.
pub fn http_request(data: &[u8]) {
    let mut choices = Choices::new(data);
    let store = store();
    let mut options = ServerOptions::default();
    let flags = choices.byte();
    options.read_only = flags & 7 == 1;
    options.token = (flags >> 3 & 7 == 1).then(|| TOKEN.to_owned());
    (options.limits.max_message_bytes, options.limits.max_car_bytes) = (2000, 3000);
    (options.limits.max_wanted, options.drain_bytes) = (20, 500);
    options.stall_timeout = Duration::from_secs(2);
    let server = Server::new(Arc::<MemoryStore>::clone(&store), options);
    let Some(request) = request(&mut choices).and_then(|it| coded(it, flags >> 6)) else { return };
    let body = request.body().clone();
    let request = request.map(Full::new);
    let (status, answer) = runtime().block_on(async {
        let Ok(response) = server.router().call(request).await;
        collected(response).await
    });
    check_answer(status, answer.as_deref());
    check_store(&store);
    check_json(&body);
}

/// Threads are started once: a fuzzer runs a million requests.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_current_thread();
        let builder = builder.enable_time().max_blocking_threads(2);
        builder.thread_keep_alive(Duration::from_secs(3600)).build().expect("a runtime")
    })
}

/// A store with a small DAG, and a name that points to it.
fn store() -> Arc<MemoryStore> {
    static DAG: OnceLock<dag::Dag> = OnceLock::new();
    let shape = Shape { seed: 7, leaves: 4, leaf_size: 8, fanout: 2 };
    let dag = DAG.get_or_init(|| dag::original(&shape));
    let store = MemoryStore::new();
    store.put_many(&dag.blocks).expect("memory takes blocks");
    let _ = store.set_name("main", None.into(), &dag.root).expect("memory takes names");
    Arc::new(store)
}

fn request(choices: &mut Choices<'_>) -> Option<Request<Bytes>> {
    let method = match choices.below(8) {
        0..=2 => Method::POST,
        3 | 4 => Method::PUT,
        5 | 6 => Method::GET,
        _ => Method::from_bytes(field(choices)).ok()?,
    };
    let mut target = match choices.below(8) {
        0 | 1 => routes::PULL.as_bytes().to_vec(),
        2 | 3 => routes::PUSH.as_bytes().to_vec(),
        4 => routes::NAMES.as_bytes().to_vec(),
        5 | 6 => [routes::NAMES.as_bytes(), b"/", field(choices)].concat(),
        _ => field(choices).to_vec(),
    };
    match choices.below(4) {
        0 => target.extend([b"?diff=", field(choices)].concat()),
        1 => target.extend([b"?", field(choices)].concat()),
        _ => {}
    }
    let mut request = Request::builder().method(method).uri(&target[..]);
    for _ in 0..choices.below(4) {
        let (name, value) = (field(choices), field(choices));
        request = match choices.below(8) {
            0 => request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}")),
            1 => request.header(header::AUTHORIZATION, value),
            2 => request.header(header::CONTENT_TYPE, routes::CAR),
            3 => request.header(header::CONTENT_TYPE, routes::DAG_CBOR),
            4 => request.header(header::CONTENT_TYPE, value),
            5 => request.header(header::ACCEPT, value),
            6 => request.header(header::CONTENT_LENGTH, value),
            _ => request.header(name, value),
        };
    }
    request.body(Bytes::copy_from_slice(choices.bytes(usize::MAX))).ok()
}

/// The request with its body in a coding, or with one that is only claimed; asks for one in any case.
fn coded(request: Request<Bytes>, how: u8) -> Option<Request<Bytes>> {
    let (mut head, body) = request.into_parts();
    let (coding, body) = match how {
        1 => ("zstd", zstd::encode_all(&body[..], 1).ok()?.into()),
        2 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body).ok()?;
            ("gzip", encoder.finish().ok()?.into())
        }
        3 => ("zstd", body),
        _ => return Some(Request::from_parts(head, body)),
    };
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity;q=0, *"));
    Some(Request::from_parts(head, body))
}

fn field<'a>(choices: &mut Choices<'a>) -> &'a [u8] {
    let len = choices.below(80);
    choices.bytes(len)
}

async fn collected<B>(response: Response<B>) -> (StatusCode, Option<Vec<u8>>)
where
    B: http_body::Body<Data = Bytes>,
{
    let status = response.status();
    let body = response.into_body().collect().await.ok();
    (status, body.map(|body| body.to_bytes().to_vec()))
}

/// A body that breaks off is allowed only where an answer had begun.
fn check_answer(status: StatusCode, body: Option<&[u8]>) {
    const NAMED: [u16; 14] = [200, 202, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 507];
    assert!(NAMED.contains(&status.as_u16()), "{status}: {:?}", body.map(String::from_utf8_lossy));
    assert!(body.is_some() || status == StatusCode::OK, "{status} without its body");
}

fn check_store(store: &MemoryStore) {
    let cids = store.cids();
    let data = store.get_many(&cids).expect("memory");
    let held =
        cids.into_iter().zip(data).filter_map(|(cid, data)| Some(Unverified { cid, data: data? }));
    let verdicts: Vec<Result<Block, _>> = verify(held.collect());
    assert!(verdicts.iter().all(Result::is_ok), "an unverified block is stored");
}

/// The JSON of the names, which both ends read: what is read is written so that it reads the same.
fn check_json(body: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<SetNameRequest>(body) {
        let written = serde_json::to_vec(&request).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<SetNameRequest>(&written).ok(), Some(request));
    }
    if let Ok(record) = serde_json::from_slice::<NameRecord>(body) {
        let written = serde_json::to_vec(&record).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<NameRecord>(&written).ok(), Some(record));
    }
}
