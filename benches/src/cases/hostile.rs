//! What the worst requests cost the server that asks for no block that is held: processor time of
//! the whole process, handlers called without a network.

use axum::body::Body;
use carpool_bloom::{Filter, Params};
use carpool_car::header;
use carpool_core::{Block, Cid, codec};
use carpool_http::{
    Server, ServerOptions,
    message::{Dialect, Kind, encode},
    routes,
};
use carpool_mirror::Status;
use carpool_store::{LocalOptions, LocalStore, Store};
use http::Request;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use sim::dag::{Shape, original};
use std::{hint::black_box, sync::Arc};
use tower::ServiceExt;

use crate::{
    clock::{median, process_seconds, timed_thread},
    loopback::runtime,
    report::{Goal, Row},
};

const RUNS: usize = 15;

/// Requests whose answer is no.
struct Attack {
    what: &'static str,
    path: String,
    body: Vec<u8>,
    /// CIDs that the request names.
    cids: usize,
}

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = LocalStore::open(folder.path(), LocalOptions::default()).expect("a new store");
    let dag = original(&Shape { leaves: 8 << 10, ..Shape::SMALL });
    carpool_store::BlockStore::put_many(&store, &dag.blocks).expect("the store takes blocks");
    let store: Arc<dyn Store> = Arc::new(store);
    for attack in attacks(dag.root) {
        each(row(&store, &attack));
    }
}

fn row(store: &Arc<dyn Store>, attack: &Attack) -> Row {
    let runtime = runtime(1);
    let server = Server::new(Arc::clone(store), ServerOptions::default());
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        let request = Request::post(&attack.path).body(Body::from(attack.body.clone()));
        let request = request.expect("a request");
        let router = server.router();
        let begun = process_seconds();
        runtime.block_on(async {
            let answer = router.oneshot(request).await.expect("an answer");
            black_box(answer.into_body().collect().await.expect("a whole body"));
        });
        costs.push((process_seconds() - begun) * 1e3);
    }
    let hash = timed_thread(|| black_box(Sha256::digest(&attack.body))).0 * 1e3;
    let allowed = 1.0 + attack.cids as f64 / 1e3 + 1.5 * hash;
    let bytes = attack.body.len();
    let row = Row::new("hostile", format!("{} ({bytes} B)", attack.what), median(costs), "ms");
    row.beside("hashing what was sent", hash).goal(Goal::AtMost(allowed))
}

fn absent(n: u32) -> Cid {
    *Block::new(codec::RAW, n.to_be_bytes().to_vec().into()).cid()
}

fn attacks(root: Cid) -> Vec<Attack> {
    let wants = |n: u32| -> Vec<Cid> { (0..n).map(absent).collect() };
    let full = || {
        let mut filter = Filter::new(Params::new(8 << 20, 64).expect("in range"));
        (0..64).for_each(|n| filter.insert(&absent(n).to_bytes()));
        filter
    };
    let pull = |what, dialect, want: Vec<Cid>, have| {
        let (cids, path) = (want.len(), pull_path(dialect, root));
        let body = encode(dialect, Kind::PullRequest, &Status { want, have }).to_vec();
        Attack { what, path, body, cids }
    };
    let strangers: Vec<u8> = header(&[root]).to_vec().into_iter().chain(strange_blocks()).collect();
    let deep = [b"\xa4\x62zz", &vec![0x81; 11 << 20][..], b"\x00"].concat();
    vec![
        pull("10,000 wants that nobody has", Dialect::Spec, wants(10_000), None),
        pull("10,000 wants that nobody has, as text", Dialect::CarMirror, wants(10_000), None),
        pull("100,000 wants", Dialect::Spec, wants(100_000), None),
        pull("a filter of 8 MiB with 64 hashes", Dialect::Spec, wants(1), Some(full())),
        pull("both", Dialect::CarMirror, wants(10_000), Some(full())),
        Attack {
            what: "lists in lists, 11 million deep",
            path: pull_path(Dialect::CarMirror, root),
            body: deep,
            cids: 0,
        },
        Attack {
            what: "a push of 8 MiB that nothing links to",
            path: routes::PUSH.to_owned(),
            body: strangers,
            cids: 1 << 13,
        },
        Attack {
            what: "a push of garbage",
            path: routes::PUSH.to_owned(),
            body: vec![0xff; 8 << 20],
            cids: 0,
        },
    ]
}

fn pull_path(dialect: Dialect, root: Cid) -> String {
    match dialect {
        Dialect::Spec => routes::PULL.to_owned(),
        Dialect::CarMirror => format!("{}/{root}", routes::CAR_MIRROR_PULL),
    }
}

/// 8,192 sections of 1 KiB.
fn strange_blocks() -> Vec<u8> {
    let block = |n: u32| Block::new(codec::RAW, n.to_be_bytes().repeat(256).into());
    let sections = (0..1 << 13).map(block).map(|block| {
        let prefix = carpool_car::section_prefix(block.cid(), block.data().len());
        [prefix.as_ref(), block.data()].concat()
    });
    sections.flatten().collect()
}
