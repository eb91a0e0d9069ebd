//! Requests that lie about lengths, counts and hashes are refused with a status that says so; the
//! store keeps what it held, and the next client is served.

mod common;

use carpool_bloom::{Filter, Params};
use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, Multihash, codec};
use carpool_http::{
    ServerOptions,
    message::{Dialect, Kind, encode},
};
use carpool_mirror::Status;
use common::{client, exchange, holding, holds_all, serve};
use sim::dag::{Dag, Shape, original};

const CBOR: &str = "application/vnd.ipld.dag-cbor";

fn dag() -> Dag {
    original(&Shape { seed: 2, leaves: 30, leaf_size: 500, fanout: 5 })
}

fn absent(n: u32) -> Cid {
    *Block::new(codec::RAW, n.to_be_bytes().to_vec().into()).cid()
}

/// A status of so many wants that nobody has.
fn wants(n: u32) -> Status {
    Status { want: (0..n).map(absent).collect(), have: None }
}

fn pull(status: &Status) -> [(Dialect, Vec<u8>); 2] {
    [Dialect::Spec, Dialect::CarMirror]
        .map(|dialect| (dialect, encode(dialect, Kind::PullRequest, status).to_vec()))
}

/// A request for `root` with these bytes as filter and as hash count, for both dialects.
fn with_filter(root: Cid, bb: &[u8], bk: &[u8]) -> [(Dialect, Vec<u8>); 2] {
    let status = Status { want: vec![root], have: None };
    pull(&status).map(|(dialect, good)| {
        let (filter, count) = match dialect {
            Dialect::Spec => (&b"\x62bb\x40"[..], &b"\x62bk\x00"[..]),
            Dialect::CarMirror => (&b"\x62bb\x40"[..], &b"\x62bk\x03"[..]),
        };
        let replaced = replace(&good, filter, &[b"\x62bb", bb].concat());
        (dialect, replace(&replaced, count, &[b"\x62bk", bk].concat()))
    })
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|part| part == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_that_lie() {
    let dag = dag();
    let store = holding(&dag.blocks);
    let url = serve(store.clone(), ServerOptions::default()).await;
    let huge = [&[0x5b, 0, 0, 0, 16, 0, 0, 0, 0][..], b"x"].concat();
    let deep = [&[0x81; 100_000][..], b"\x00"].concat();
    let twenty_million = b"\x1a\x01\x31\x2d\x00";
    let all = [&[0x1b][..], &[0xff; 8]].concat();
    let mut table = vec![
        ("a filter of 64 GiB, claimed", with_filter(dag.root, &huge, b"\x03"), 400),
        ("a filter that is a list, 100,000 deep", with_filter(dag.root, &deep, b"\x03"), 400),
        ("20 million hashes", with_filter(dag.root, b"\x41\xff", twenty_million), 400),
        ("20 million hashes and no filter", with_filter(dag.root, b"\x40", twenty_million), 200),
        ("2^64 - 1 hashes", with_filter(dag.root, b"\x40", &all), 400),
        ("a filter without hashes", with_filter(dag.root, b"\x41\xff", b"\x00"), 400),
        ("10,001 wants", pull(&wants(10_001)), 400),
        ("100,000 wants", pull(&wants(100_000)), 400),
        ("10,000 wants that nobody has", pull(&wants(10_000)), 404),
    ];
    let k = carpool_core::Limits::default().max_bloom_k;
    let mut full = Filter::new(Params::new(64, k).unwrap());
    (0..5000).for_each(|n| full.insert(&absent(n).to_bytes()));
    assert!(full.is_saturated());
    let all_ones = Status { want: vec![dag.root], have: Some(full) };
    table.push(("what is wanted by name comes all the same", pull(&all_ones), 200));
    for (what, requests, status) in table {
        for (dialect, body) in requests {
            let answer =
                exchange("POST", route(&url, dialect, "pull", dag.root), CBOR, &body).await;
            assert_eq!(answer.status, status, "{what}, {dialect}");
        }
    }
    well_afterwards(&url, &dag).await;
    assert_eq!(store.len(), dag.blocks.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_of_car_mirror_that_lie() {
    let dag = dag();
    let url = serve(holding(&dag.blocks), ServerOptions::default()).await;
    let path = route(&url, Dialect::CarMirror, "pull", dag.root);
    let list = |cid: &[u8]| [b"\xa3\x62rs\x81", cid, b"\x62bk\x03\x62bb\x40"].concat();
    let long = [&[0x7a, 0, 0x10, 0, 0][..], &[b'z'; 1 << 20]].concat();
    let unknown = |value: &[u8]| [b"\xa4\x62zz", value, b"\x62rs\x80\x62bk\x03\x62bb\x40"].concat();
    let text_filter = |len: u32| {
        let head = [&[0x7a][..], &len.to_be_bytes()].concat();
        let text = vec![b'A'; len as usize];
        [b"\xa3\x62rs\x80\x62bk\x03\x62bb", &head[..], &text].concat()
    };
    for (what, body, status) in [
        ("a CID of a megabyte", list(&long), 400),
        ("no text", list(b"\x01"), 400),
        ("no UTF-8", list(b"\x61\xff"), 400),
        ("an unknown key", unknown(b"\xf5"), 200),
        ("an unknown key, 999 deep", unknown(&[&[0x81; 999][..], b"\x00"].concat()), 200),
        ("an unknown key, 1,000 deep", unknown(&[&[0x81; 1000][..], b"\x00"].concat()), 400),
        ("an unknown list without its items", unknown(&[0x9a, 0xff, 0xff, 0xff, 0xff]), 400),
        ("a filter of text at the limit", text_filter(512 << 10), 200),
        ("a filter of text past it", text_filter((512 << 10) + 4), 400),
        (
            "a filter of other text",
            [b"\xa3\x62rs\x80\x62bk\x03\x62bb\x61", &b"!"[..]].concat(),
            400,
        ),
    ] {
        assert_eq!(exchange("POST", path.clone(), CBOR, &body).await.status, status, "{what}");
    }
    well_afterwards(&url, &dag).await;
}

fn route(url: &str, dialect: Dialect, verb: &str, root: Cid) -> String {
    match dialect {
        Dialect::Spec => format!("{url}/api/v0/dag/{verb}"),
        Dialect::CarMirror => format!("{url}/dag/{verb}/{root}"),
    }
}

async fn well_afterwards(url: &str, dag: &Dag) {
    let sink = holding([]);
    client(url).pull(dag.root, vec![], sink.clone()).await.expect("others are served");
    assert!(holds_all(&sink, &dag.blocks));
}

fn section(cid: &Cid, data: &[u8]) -> Vec<u8> {
    [section_prefix(cid, data.len()).as_ref(), data].concat()
}

/// CARs that lie, what each is answered, and how many of the DAG's blocks are held afterwards.
fn cars(dag: &Dag) -> Vec<(&'static str, Vec<u8>, u16, usize)> {
    let head = header(&[dag.root]).to_vec();
    let root = section(dag.blocks[0].cid(), dag.blocks[0].data());
    let unknown_hash =
        Cid::new_v1(codec::RAW, Multihash::wrap(0x7f, &[1; 32]).expect("a short digest"));
    let stranger = section(&absent(1), &1_u32.to_be_bytes());
    let mut wrong = section(dag.blocks[1].cid(), dag.blocks[1].data());
    *wrong.last_mut().expect("some data") ^= 1;
    let with = |rest: &[u8]| [&head[..], &root, rest].concat();
    vec![
        ("nothing", vec![], 400, 0),
        ("no CAR", b"hello world".to_vec(), 400, 0),
        ("a header of 2^36 bytes", vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x02], 413, 0),
        ("a varint that overflows", vec![0xff; 12], 400, 0),
        ("a header of version 2", b"\x0a\xa1gversion\x02".to_vec(), 400, 0),
        ("cut in the header", head[..20].to_vec(), 400, 0),
        ("cut in the root", with(&[])[..head.len() + root.len() - 1].to_vec(), 400, 0),
        ("cut behind the root's section", with(&wrong[..wrong.len() - 1]), 400, 1),
        ("a section of 2^36 bytes", with(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x02]), 413, 1),
        ("a section whose varint overflows", with(&[0xff; 12]), 400, 1),
        ("a section of no bytes", with(&[0]), 400, 1),
        ("garbage behind a good block", with(b"\x05\x01\x02\x03\x04\x05"), 400, 1),
        ("wrong bytes under a CID", with(&wrong), 422, 1),
        ("a hash that nobody knows", with(&section(&unknown_hash, b"x")), 400, 1),
        ("a block that nothing links to", with(&stranger), 202, 1),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_that_lie() {
    let dag = dag();
    for (what, car, status, held) in cars(&dag) {
        for dialect in [Dialect::Spec, Dialect::CarMirror] {
            let store = holding([]);
            let url = serve(store.clone(), ServerOptions::default()).await;
            let path = route(&url, dialect, "push", dag.root);
            let answer = exchange("POST", path, "application/vnd.ipld.car", &car).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, status, "{what}, {dialect}: {said}");
            assert_eq!(store.len(), held, "{what}, {dialect}: only verified blocks are stored");
            let whole = holding(&dag.blocks);
            client(&url).push(dag.root, vec![], None, whole).await.expect("others are served");
            assert!(holds_all(&store, &dag.blocks));
        }
    }
}

/// What is held may come once; what comes again, and what nothing links to, is counted.
#[tokio::test(flavor = "multi_thread")]
async fn unwanted_bytes_at_the_limit_and_past_it() {
    let dag = dag();
    let mut options = ServerOptions::default();
    options.limits.max_unwanted_bytes = 2 * (64 + 4);
    let store = holding(&dag.blocks);
    let url = serve(store.clone(), options).await;
    let mut car = header(&[dag.root]).to_vec();
    dag.blocks.iter().for_each(|block| car.extend(section(block.cid(), block.data())));
    for (strangers, status) in [(2, 200), (3, 413)] {
        let more = (0..strangers).flat_map(|n: u32| section(&absent(n), &n.to_be_bytes()));
        let car: Vec<u8> = car.iter().copied().chain(more).collect();
        let path = route(&url, Dialect::Spec, "push", dag.root);
        assert_eq!(exchange("POST", path, CBOR, &car).await.status, status, "{strangers}");
    }
    car.extend(section(dag.blocks[0].cid(), dag.blocks[0].data()));
    let path = route(&url, Dialect::Spec, "push", dag.root);
    assert_eq!(exchange("POST", path, CBOR, &car).await.status, 413, "the root, twice");
    assert_eq!(store.len(), dag.blocks.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_of_a_push_at_the_limit_and_past_it() {
    let dag = dag();
    let url = common::serve_default(holding(&dag.blocks)).await;
    for (roots, status) in [(1000, 202), (1001, 413)] {
        let car = header(&(0..roots).map(absent).collect::<Vec<_>>());
        let path = route(&url, Dialect::Spec, "push", dag.root);
        assert_eq!(exchange("POST", path, CBOR, &car).await.status, status, "{roots}");
    }
}

/// Only CARs of pushes are unpacked, and only from what is known.
#[tokio::test(flavor = "multi_thread")]
async fn other_compressed_bodies_are_refused() {
    let dag = dag();
    let url = common::serve_default(holding(&dag.blocks)).await;
    for (path, coding, status) in [
        ("/api/v0/dag/pull", "gzip", "415"),
        ("/api/v0/dag/pull", "zstd", "415"),
        ("/api/v0/names/x", "zstd", "415"),
        ("/api/v0/dag/push", "br", "415"),
        ("/api/v0/dag/push", "gzip, zstd", "415"),
        ("/api/v0/dag/push", "zstd", "400"),
        ("/api/v0/dag/push", "gzip", "408"),
        ("/dag/pull/x", "br", "415"),
        ("/dag/push/x", "deflate", "415"),
        ("/api/v0/dag/pull", "identity", "400"),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-encoding: {coding}\r\n\
             content-length: 4\r\n\r\nbomb"
        );
        let answer = common::raw(&url, request.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{path} {coding}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_for_one_root_at_once() {
    let dag = dag();
    let url = common::serve_default(holding(&dag.blocks)).await;
    let pulls = (0..100).map(|n| {
        let (client, root, sink) = (client(&url), dag.root, holding([]));
        let blocks = dag.blocks.clone();
        tokio::spawn(async move {
            let root = if n % 10 == 0 { absent(n) } else { root };
            let pulled = client.pull(root, vec![], sink.clone()).await;
            assert_eq!(pulled.is_ok(), n % 10 != 0, "an unknown root is told from a known one");
            assert_eq!(holds_all(&sink, &blocks), n % 10 != 0);
        })
    });
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.unwrap();
    }
}
