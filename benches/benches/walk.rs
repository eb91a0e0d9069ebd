//! The walk over 4,161 blocks, with look-ups answered from memory.

use benches::memory::holding;
use carpool_core::{Cid, Limits};
use carpool_selector::{Order, Step, Walk};
use carpool_store::{BlockStore, MemoryStore};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sim::dag::{Shape, original};
use std::time::Duration;

fn visit_all(root: Cid, order: Order, store: &MemoryStore) -> usize {
    let mut walk = Walk::new([root], order, &Limits::default(), 1);
    let (mut loads, mut visited) = (Vec::new(), 0);
    loop {
        match walk.poll(|_| true).expect("our own blocks parse") {
            Some(Step::Load(cid)) => loads.push(cid),
            Some(Step::Visit(_)) => visited += 1,
            Some(Step::Missing { cid, .. }) => unreachable!("{cid} is held"),
            None if walk.is_done() => return visited,
            None => {
                let found = store.get_many(&loads).expect("memory");
                loads.drain(..).zip(found).for_each(|(cid, data)| walk.handle_load(&cid, data));
            }
        }
    }
}

fn walk(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    group
        .sample_size(30)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_secs(1));
    let dag = original(&Shape { leaves: 4096, ..Shape::SMALL });
    let store = holding(&dag.blocks);
    group.throughput(Throughput::Elements(dag.blocks.len() as u64));
    for (name, order) in
        [("breadth-first", Order::BreadthFirst), ("depth-first", Order::DepthFirst)]
    {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(visit_all(dag.root, order, &store), dag.blocks.len()));
        });
    }
    group.finish();
}

criterion_group!(benches, walk);
criterion_main!(benches);
