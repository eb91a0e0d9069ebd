//! Whole transfers in memory on one thread: machines, messages, CARs and hashes.

use benches::memory::{holding, pull, push};
use carpool_store::MemoryStore;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::time::Duration;

fn cold(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, dag: &Dag) {
    let from = holding(&dag.blocks);
    let blocks = dag.blocks.len() as u64;
    group.throughput(Throughput::Bytes(dag.block_bytes()));
    group.bench_function(format!("cold-pull/{name}"), |b| {
        b.iter_batched_ref(
            MemoryStore::new,
            |to| assert_eq!(pull(dag.root, &[], &from, to).blocks, blocks),
            BatchSize::PerIteration,
        );
    });
    group.bench_function(format!("cold-push/{name}"), |b| {
        b.iter_batched_ref(
            MemoryStore::new,
            |to| assert_eq!(push(dag.root, &from, to).blocks, blocks),
            BatchSize::PerIteration,
        );
    });
}

fn incremental(group: &mut BenchmarkGroup<'_, WallTime>, shape: &Shape) {
    let old = original(shape);
    let new = generate(shape, &scattered(1, shape.leaves, 16));
    let from = holding(&new.blocks);
    group.throughput(Throughput::Elements(old.blocks.len() as u64));
    group.bench_function("incremental-pull/16-of-8Ki-1KiB", |b| {
        b.iter_batched_ref(
            || holding(&old.blocks),
            |to| {
                let moved = pull(new.root, &[old.root], &from, to);
                assert_eq!((moved.rounds, moved.duplicates), (1, 0));
            },
            BatchSize::PerIteration,
        );
    });
}

fn mirror(c: &mut Criterion) {
    let mut group = c.benchmark_group("mirror");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    let small = Shape { leaves: 8192, ..Shape::SMALL };
    cold(&mut group, "8Ki-1KiB", &original(&small));
    cold(&mut group, "64-256KiB", &original(&Shape { leaves: 64, ..Shape::BIG }));
    incremental(&mut group, &small);
    group.finish();
}

criterion_group!(benches, mirror);
criterion_main!(benches);
