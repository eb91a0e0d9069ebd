//! A source that always leaves out one block cannot make a transfer look like a success, nor
//! prolong it.

mod common;

use carpool_core::{Block, Cid, Unverified};
use common::{STEPS, blocks, tree};
use sim::{Blocks, End, Pair, Report, Setup, dag::Dag};

fn without(setup: &Setup, dag: &Dag, skipped: Cid) -> (Report, usize) {
    let mut pair = Pair::new(setup, dag.root, blocks(dag).into(), Blocks::new().into())
        .with_tamper(move |block| unless(skipped, block));
    let report = pair.drive(STEPS).expect("a transfer ends");
    (report, pair.into_sink_store().blocks().len())
}

fn unless(skipped: Cid, block: Block) -> Vec<Unverified> {
    let (cid, data) = block.into_parts();
    if cid == skipped { vec![] } else { vec![Unverified { cid, data }] }
}

#[test]
fn it_is_named_as_missing() {
    let dag = tree();
    for setup in [Setup::pull(), Setup::push()] {
        for index in [0, 1, 20, dag.blocks.len() - 1] {
            let skipped = *dag.blocks[index].cid();
            let (report, held) = without(&setup, &dag, skipped);
            let End::Incomplete(outcome) = &report.end else { panic!("{:?}", report.end) };
            assert_eq!((outcome.missing, &outcome.named), (1, &vec![skipped]), "{index}");
            assert!(report.rounds <= 5, "{} rounds", report.rounds);
            if index > 0 {
                assert!(held >= dag.blocks.len() - 1 - below(&dag, skipped), "{held} held");
            }
        }
    }
}

/// How many blocks are reachable only through `skipped`.
fn below(dag: &Dag, skipped: Cid) -> usize {
    let mut rest = blocks(dag);
    rest.remove(&skipped);
    dag.blocks.len() - 1 - sim::reference::held_below(dag.root, &rest).len()
}
