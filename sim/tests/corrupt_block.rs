//! A block that is not what its CID says ends the transfer and is not stored; what came before it
//! stays, and the next transfer goes on from there.

mod common;

use carpool_core::{Error, Unverified};
use common::{STEPS, blocks, tree};
use sim::{Blocks, End, Failure, Framing, Pair, Setup};

#[test]
fn it_is_refused_wherever_it_comes() {
    let dag = tree();
    for (bad, framing) in [(0, Framing::Car), (1, Framing::Plain), (300, Framing::Car)] {
        for setup in [Setup::pull(), Setup::push()] {
            let setup = Setup { framing, ..setup };
            let mut nth = 0;
            let mut pair = Pair::new(&setup, dag.root, blocks(&dag).into(), Blocks::new().into())
                .with_tamper(move |block| {
                    nth += 1;
                    let (cid, data) = block.into_parts();
                    let data =
                        if nth == bad + 1 { [&data[..], b"!"].concat().into() } else { data };
                    vec![Unverified { cid, data }]
                });
            let report = pair.drive(STEPS).expect("a transfer ends");
            let corrupt = |end: &End| {
                matches!(end, End::Failed(Failure::Block(Error::DigestMismatch { .. })))
            };
            assert!(corrupt(&report.end), "{:?}", report.end);
            let kept = pair.into_sink_store().blocks().clone();
            assert_eq!(kept.len(), bad);
            let (report, _) = common::transfer(&setup, dag.root, &blocks(&dag), &kept);
            assert_eq!(
                (report.end, report.stored),
                (End::Complete, (dag.blocks.len() - bad) as u64)
            );
        }
    }
}
