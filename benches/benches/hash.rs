//! SHA2-256 on one core: the limit of every verified transfer.

use carpool_core::{Unverified, sha2_256_each, verify};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};
use sim::dag::{Shape, original};
use std::time::Duration;

fn hash(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_secs(1));
    for (name, leaf_size) in [("1KiB", 1 << 10), ("256KiB", 256 << 10)] {
        let leaves = (4 << 20) / leaf_size as u64;
        let dag = original(&Shape { seed: 1, leaves, leaf_size, fanout: 64 });
        let data: Vec<_> = dag.blocks.iter().map(|block| block.data().clone()).collect();
        let digests = sha2_256_each(&data);
        let by_sha2 = data.iter().map(|data| <[u8; 32]>::from(Sha256::digest(data)));
        assert!(by_sha2.eq(digests), "both make the same digests");
        group.throughput(Throughput::Bytes(dag.block_bytes()));
        group.bench_function(format!("sha2/{name}"), |b| {
            b.iter(|| data.iter().map(Sha256::digest).fold(0, |all, digest| all ^ digest[0]));
        });
        group.bench_function(format!("sha2_256_each/{name}"), |b| b.iter(|| sha2_256_each(&data)));
        group.bench_function(format!("verify/{name}"), |b| {
            let claim = |block: &carpool_core::Block| Unverified {
                cid: *block.cid(),
                data: block.data().clone(),
            };
            b.iter_with_large_drop(|| {
                let verdicts = verify(dag.blocks.iter().map(claim).collect());
                assert!(verdicts.iter().all(Result::is_ok));
                verdicts
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hash);
criterion_main!(benches);
