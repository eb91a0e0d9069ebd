//! A source that lacks blocks gives what it has; the transfer ends and names what is missing.

mod common;

use common::{blocks, transfer, tree};
use sim::{Blocks, End, Setup, dag::mix};

#[test]
fn what_it_has_arrives() {
    let dag = tree();
    for lost in [1, 5, 20] {
        let source: Blocks = (blocks(&dag).into_iter().enumerate())
            .filter(|(i, (cid, _))| *cid == dag.root || mix(*i as u64) % 100 >= lost)
            .map(|(_, held)| held)
            .collect();
        for setup in [Setup::pull(), Setup::push()] {
            let (report, held) = transfer(&setup, dag.root, &source, &Blocks::new());
            assert!(matches!(report.end, End::Incomplete(_)), "{:?}", report.end);
            assert!(report.rounds <= 6, "{} rounds", report.rounds);
            assert!(held.len() > 1);
        }
    }
}

/// The source cannot walk past what it lacks, and the sink, which holds it, asks for what lies
/// below.
#[test]
fn what_the_sink_holds_bridges_the_gap() {
    let dag = tree();
    let mut source = blocks(&dag);
    let bridge = *dag.blocks[1].cid();
    let sink = source.remove_entry(&bridge).into_iter().collect();
    for setup in [Setup::pull(), Setup::push()] {
        let (report, held) = transfer(&setup, dag.root, &source, &sink);
        assert_eq!((report.end, held.len()), (End::Complete, dag.blocks.len()));
    }
}

#[test]
fn a_source_without_the_root_gives_nothing() {
    let dag = tree();
    for setup in [Setup::pull(), Setup::push()] {
        let (report, held) = transfer(&setup, dag.root, &Blocks::new(), &Blocks::new());
        let End::Incomplete(outcome) = report.end else { panic!("{:?}", report.end) };
        assert_eq!((outcome.missing, outcome.named), (1, vec![dag.root]));
        assert!(held.is_empty());
    }
}
