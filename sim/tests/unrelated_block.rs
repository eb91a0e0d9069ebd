//! A block that nothing links to is never stored, and a peer that sends many is refused.

mod common;

use carpool_core::{Block, Unverified, codec};
use common::{STEPS, blocks, tree};
use sim::{Blocks, End, Failure, Pair, Report, Setup, dag::Dag};

/// Sends an unrelated block of `bytes` bytes before each of the first `count`.
fn pushed(dag: &Dag, setup: &Setup, count: u64, bytes: usize) -> (Report, Blocks) {
    let mut n = 0u64;
    let mut pair = Pair::new(setup, dag.root, blocks(dag).into(), Blocks::new().into())
        .with_tamper(move |block| {
            n += 1;
            let mut data = n.to_be_bytes().to_vec();
            data.resize(bytes, 0);
            let unrelated = Block::new(codec::RAW, data.into());
            let sent = if n <= count { vec![unrelated, block] } else { vec![block] };
            sent.into_iter().map(claim).collect()
        });
    let report = pair.drive(STEPS).expect("a transfer ends");
    (report, pair.into_sink_store().blocks().clone())
}

fn claim(block: Block) -> Unverified {
    let (cid, data) = block.into_parts();
    Unverified { cid, data }
}

#[test]
fn it_is_dropped_and_the_rest_arrives() {
    let dag = tree();
    for setup in [Setup::pull(), Setup::push()] {
        let (report, held) = pushed(&dag, &setup, 100, 500);
        assert_eq!((report.end, report.unreachable), (End::Complete, 100));
        assert_eq!(held, blocks(&dag));
    }
}

#[test]
fn bytes_of_them_at_the_limit_and_one_past_it() {
    let dag = tree();
    let mut setup = Setup::pull();
    // Every block counts as 64 bytes more than it has: empty ones are not free.
    setup.limits.max_unwanted_bytes = 10 * 564;
    assert_eq!(pushed(&dag, &setup, 10, 500).0.end, End::Complete);
    let (report, held) = pushed(&dag, &setup, 11, 500);
    let refused = carpool_mirror::Error::Unwanted { cid: cid_11(), bytes: 11 * 564, max: 10 * 564 };
    assert_eq!(report.end, End::Failed(Failure::Mirror(refused)));
    assert_eq!(held.len(), 10);
}

fn cid_11() -> carpool_core::Cid {
    let mut data = 11u64.to_be_bytes().to_vec();
    data.resize(500, 0);
    *Block::new(codec::RAW, data.into()).cid()
}
