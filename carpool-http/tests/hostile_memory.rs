//! The memory that a request costs is bounded by its own bytes and the CIDs that it names, never by
//! a number that it claims.

mod memory;

use carpool_bloom::{Filter, Params};
use carpool_core::{Block, Cid, codec};
use carpool_http::{
    Server, ServerOptions,
    message::{Dialect, Kind, encode},
    routes,
};
use carpool_mirror::{Status, extension};
use carpool_store::{BlockStore, MemoryStore};
use memory::{MIB, beyond};
use std::sync::Arc;

fn absent(n: u32) -> Cid {
    *Block::new(codec::RAW, n.to_be_bytes().to_vec().into()).cid()
}

#[tokio::test]
async fn what_requests_cost() {
    let store = MemoryStore::new();
    let root = Block::new(codec::RAW, "root".into());
    store.put_many(std::slice::from_ref(&root)).expect("memory takes blocks");
    let server = Server::new(Arc::new(store), ServerOptions::default());
    let filter = || {
        let mut filter = Filter::new(Params::new(8 << 20, 64).expect("in range"));
        filter.insert(b"one");
        filter
    };
    let pull = |dialect, n: u32, have: Option<Filter>| {
        let status = Status { want: (0..n).map(absent).collect(), have };
        encode(dialect, Kind::PullRequest, &status).to_vec()
    };
    let (spec, text) = (Dialect::Spec, Dialect::CarMirror);
    let car_mirror = &format!("{}/{}", routes::CAR_MIRROR_PULL, root.cid());
    let claims = [b"\xa3\x62bb\x5b\0\0\0\x10\0\0\0\0", &[7; 100][..]].concat();
    let section =
        [&carpool_car::header(&[*root.cid()])[..], &[0x80, 0x80, 0x80, 0x80, 0x02]].concat();
    let names = |n: u32| carpool_car::header(&(0..n).map(absent).collect::<Vec<_>>()).to_vec();
    let extended = |n: u32, have: Option<Filter>| {
        let (root, held) = (absent(0), (0..16).map(absent).collect());
        let request = extension::Request {
            root: Some(root),
            want: (0..n).map(absent).collect(),
            held,
            have,
            ..Default::default()
        };
        request.encode()
    };
    let (wants, both) = (extended(10_000, None), extended(10_000, Some(filter())));
    for (what, body) in [("10,000 wants, extended", wants), ("both, extended", both)] {
        let beyond = beyond(&server, routes::PULL, extension::CONTENT_TYPE, &body).await;
        println!("{what}: {} B sent, {beyond} B beyond them", body.len());
        assert!(beyond <= MIB, "{what}: {beyond}");
    }
    for (what, path, body, allowed) in [
        ("a claim of 64 GiB", routes::PULL, claims, MIB / 64),
        ("a CAR's claim of 512 MiB", routes::PUSH, section, MIB / 64),
        ("garbage", routes::PUSH, vec![0xff; 8 * MIB], MIB / 64),
        ("a filter", routes::PULL, pull(spec, 1, Some(filter())), MIB / 64),
        ("1,000 wants", routes::PULL, pull(spec, 1000, None), MIB / 4),
        ("10,000 wants", routes::PULL, pull(spec, 10_000, None), MIB),
        ("10,000 wants as text", car_mirror, pull(text, 10_000, None), MIB),
        ("both", car_mirror, pull(text, 10_000, Some(filter())), MIB),
        ("1,000 roots", routes::PUSH, names(1000), MIB),
        ("10,000 roots", routes::PUSH, names(10_000), MIB),
        ("100,000 wants", routes::PULL, pull(spec, 100_000, None), MIB / 64),
    ] {
        let beyond = beyond(&server, path, routes::DAG_CBOR, &body).await;
        println!("{what}: {} B sent, {beyond} B beyond them", body.len());
        assert!(beyond <= allowed, "{what}: {beyond} of {allowed}");
    }
}
