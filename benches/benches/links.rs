//! The links of a block, against the crates that everyone uses.

use carpool_core::{Block, Bytes, Cid, Limits, codec, for_each_link, for_each_link_bytes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipld_core::codec::Links;
use ipld_dagpb::{PbLink, PbNode};
use serde_ipld_dagcbor::codec::DagCborCodec;
use std::{hint::black_box, time::Duration};

fn leaf(i: u64) -> Cid {
    *Block::new(codec::RAW, i.to_le_bytes().to_vec().into()).cid()
}

/// A DAG-CBOR array of as many links as fit into 1 KiB.
fn cbor() -> (Block, usize) {
    let links: Vec<Cid> = (0..24).map(leaf).collect();
    let block = sim::dag::node(&links);
    assert!((900..=1024).contains(&block.data().len()), "about 1 KiB");
    (block, links.len())
}

/// A node of a file as Kubo makes it: 174 links without names, about 8 KiB.
fn pb() -> (Block, usize) {
    let link = |i| PbLink { cid: leaf(i), name: Some(String::new()), size: Some(262_158) };
    let links: Vec<PbLink> = (0..174).map(link).collect();
    let n = links.len();
    let node = PbNode { links, data: Some(Bytes::from_static(&[8; 900])) };
    let block = Block::new(codec::DAG_PB, node.into_bytes().into());
    assert!((8_000..=10_000).contains(&block.data().len()), "about 8 KiB");
    (block, n)
}

fn links(c: &mut Criterion) {
    let limits = Limits::default();
    let count = |block: &Block| {
        let mut n = 0;
        for_each_link(block.cid(), block.data(), &limits, |link| {
            black_box(link);
            n += 1;
        })
        .expect("a good block");
        n
    };
    let count_bytes = |block: &Block| {
        let mut n = 0;
        for_each_link_bytes(block.cid(), block.data(), &limits, |link| {
            black_box(link);
            n += 1;
        })
        .expect("a good block");
        n
    };
    let mut group = c.benchmark_group("links");
    group
        .sample_size(30)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_secs(1));
    let (block, n) = cbor();
    group.throughput(Throughput::Bytes(block.data().len() as u64));
    group.bench_function("dag-cbor/ours", |b| b.iter(|| assert_eq!(count(black_box(&block)), n)));
    group.bench_function("dag-cbor/ours, checked bytes", |b| {
        b.iter(|| assert_eq!(count_bytes(black_box(&block)), n));
    });
    group.bench_function("dag-cbor/serde_ipld_dagcbor", |b| {
        b.iter(|| {
            let links = DagCborCodec::links(black_box(block.data())).expect("a good block");
            assert_eq!(links.map(black_box).count(), n);
        });
    });
    let (block, n) = pb();
    group.throughput(Throughput::Bytes(block.data().len() as u64));
    group.bench_function("dag-pb/ours", |b| b.iter(|| assert_eq!(count(black_box(&block)), n)));
    group.bench_function("dag-pb/ours, checked bytes", |b| {
        b.iter(|| assert_eq!(count_bytes(black_box(&block)), n));
    });
    group.bench_function("dag-pb/ipld-dagpb", |b| {
        b.iter(|| {
            let mut links = Vec::new();
            ipld_dagpb::links(black_box(block.data()), &mut links).expect("a good block");
            assert_eq!(links.len(), n);
        });
    });
    group.finish();
}

criterion_group!(benches, links);
criterion_main!(benches);
