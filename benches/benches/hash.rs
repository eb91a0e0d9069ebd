//! SHA2-256 on one core: the limit of every verified transfer.

use benches::messages::Messages;
use carpool_core::{Block, Unverified, codec, verify};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

fn hash(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(1))
        .warm_up_time(Duration::from_millis(300));
    for messages in [
        Messages::equal("256B", 256),
        Messages::equal("1KiB", 1 << 10),
        Messages::equal("4KiB", 4 << 10),
        Messages::equal("64KiB", 64 << 10),
        Messages::equal("256KiB", 256 << 10),
        Messages::mixed("mixed-256KiB-8", 256 << 10, 8),
        Messages::mixed("mixed-256KiB-32", 256 << 10, 32),
        Messages::mixed("mixed-256KiB-128", 256 << 10, 128),
    ] {
        let name = messages.name;
        group.throughput(Throughput::Bytes(messages.bytes()));
        group.bench_function(format!("sha2/{name}"), |b| b.iter(|| messages.hash_one_by_one()));
        group.bench_function(format!("lanes/{name}"), |b| b.iter(|| messages.hash_in_batches()));
        let claims = claims(&messages);
        group.bench_function(format!("verify/{name}"), |b| {
            b.iter(|| {
                let good = |batch: &[Unverified]| {
                    verify(batch.to_vec()).iter().filter(|verdict| verdict.is_ok()).count()
                };
                claims.chunks(messages.batch).map(good).sum::<usize>()
            });
        });
    }
    group.finish();
}

fn claims(messages: &Messages) -> Vec<Unverified> {
    let blocks = messages.all.iter().map(|data| Block::new(codec::RAW, data.clone()));
    blocks.map(|block| Unverified { cid: *block.cid(), data: block.data().clone() }).collect()
}

criterion_group!(benches, hash);
criterion_main!(benches);
