//! The Bloom filter against the bare cost of its hashes and against the crate of the Rust peer.
//!
//! Keys are 36 bytes, a CIDv1 of sha2-256. All filters of one size have the same bytes; k is each
//! crate's own choice for them. `bare-hashes` computes our k hashes a key and touches nothing.

use std::hint::black_box;
use std::time::Duration;

use benches::cases::{Key, key};
use carpool_bloom::{Filter, Params};
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use deterministic_bloom::runtime_size::BloomFilter;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

fn keys(range: std::ops::Range<u64>) -> Vec<Key> {
    range.map(key).collect()
}

/// The rate `Params::for_items` aims at.
fn target(n: u64) -> f64 {
    (0.1 / n as f64).min(1e-3)
}

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    group
}

fn insert(c: &mut Criterion) {
    let mut group = group(c, "bloom/insert");
    for n in SIZES {
        let keys = keys(0..n);
        let params = Params::for_items(n);
        group.throughput(Throughput::Elements(n));
        let mut ours = Filter::new(params);
        group.bench_function(BenchmarkId::new("ours", n), |b| {
            b.iter(|| keys.iter().for_each(|key| ours.insert(black_box(key))));
        });
        group.bench_function(BenchmarkId::new("ours-all", n), |b| {
            b.iter(|| ours.insert_all(black_box(&keys)));
        });
        bare_hashes(&mut group, n, &keys, params.k());
        let mut theirs = BloomFilter::new_from_fpr_po2(n, target(n));
        assert_eq!(theirs.as_bytes().len(), params.bytes());
        group.bench_function(BenchmarkId::new("deterministic-bloom", n), |b| {
            b.iter(|| keys.iter().for_each(|key| theirs.insert(black_box(key))));
        });
    }
    group.finish();
}

fn bare_hashes(group: &mut BenchmarkGroup<'_, WallTime>, n: u64, keys: &[Key], k: u32) {
    let hashes = |key: &Key| (0..u64::from(k)).fold(0, |x, seed| x ^ xxh3_64_with_seed(key, seed));
    group.bench_function(BenchmarkId::new("bare-hashes", n), |b| {
        b.iter(|| keys.iter().fold(0, |x, key| x ^ hashes(black_box(key))));
    });
}

fn lookup(c: &mut Criterion, name: &str, asked: fn(u64) -> std::ops::Range<u64>) {
    let mut group = group(c, name);
    for n in SIZES {
        let (held, asked) = (keys(0..n), keys(asked(n)));
        let params = Params::for_items(n);
        group.throughput(Throughput::Elements(n));
        let mut ours = Filter::new(params);
        ours.insert_all(&held);
        group.bench_function(BenchmarkId::new("ours", n), |b| {
            b.iter(|| asked.iter().filter(|key| ours.contains(black_box(*key))).count());
        });
        bare_hashes(&mut group, n, &asked, params.k());
        let mut theirs = BloomFilter::new_from_fpr_po2(n, target(n));
        held.iter().for_each(|key| theirs.insert(key));
        group.bench_function(BenchmarkId::new("deterministic-bloom", n), |b| {
            b.iter(|| asked.iter().filter(|key| theirs.contains(black_box(*key))).count());
        });
    }
    group.finish();
}

fn hit(c: &mut Criterion) {
    lookup(c, "bloom/hit", |n| 0..n);
}

fn miss(c: &mut Criterion) {
    lookup(c, "bloom/miss", |n| n..2 * n);
}

criterion_group!(benches, insert, hit, miss);
criterion_main!(benches);
