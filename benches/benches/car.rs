//! CARs of small and of large blocks: written, read, and read with every block verified.

use carpool_car::{Decoder, Item, header, section_prefix};
use carpool_core::{Bytes, Limits, Unverified, verify};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sim::dag::{Dag, Shape, original};
use std::time::Duration;

/// What a network hands over at once.
const CHUNK_BYTES: usize = 64 << 10;

fn encode(dag: &Dag, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&header(&[dag.root]));
    for block in &dag.blocks {
        out.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        out.extend_from_slice(block.data());
    }
}

fn decode(car: &Bytes, mut each: impl FnMut(Vec<Unverified>)) {
    let mut decoder = Decoder::new(&Limits::default());
    let mut rest = car.clone();
    while !rest.is_empty() {
        decoder.handle_data(rest.split_to(rest.len().min(CHUNK_BYTES)));
        let mut batch = Vec::new();
        while let Some(item) = decoder.poll().expect("a good CAR") {
            if let Item::Section(section) = item {
                batch.push(Unverified { cid: section.cid, data: section.data });
            }
        }
        each(batch);
    }
}

fn car(c: &mut Criterion) {
    let mut group = c.benchmark_group("car");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_secs(1));
    for (name, leaf_size) in [("1KiB", 1 << 10), ("256KiB", 256 << 10)] {
        let leaves = (8 << 20) / leaf_size as u64;
        let dag = original(&Shape { seed: 1, leaves, leaf_size, fanout: 64 });
        let mut out = Vec::new();
        encode(&dag, &mut out);
        assert_eq!(out.len() as u64, dag.car_bytes());
        let car = Bytes::from(out.clone());
        group.throughput(Throughput::Bytes(dag.car_bytes()));
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| {
                encode(&dag, &mut out);
                assert_eq!(out.len(), car.len());
            });
        });
        group.bench_function(format!("decode/{name}"), |b| {
            b.iter(|| {
                let mut n = 0;
                decode(&car, |batch| n += batch.len());
                assert_eq!(n, dag.blocks.len());
            });
        });
        group.bench_function(format!("decode-verified/{name}"), |b| {
            b.iter(|| {
                let mut n = 0;
                decode(&car, |batch| n += verify(batch).iter().filter(|v| v.is_ok()).count());
                assert_eq!(n, dag.blocks.len());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, car);
criterion_main!(benches);
