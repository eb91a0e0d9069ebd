//! What a peer may ask for and send is held to its limit: at it is accepted, one past it is not.

mod common;

use carpool_core::{Cid, Limits};
use carpool_mirror::{Error, Source, Status};
use carpool_selector::Order;
use common::{blocks, nothing, send, transfer, tree};
use sim::{Blocks, End, Setup, dag::wide, link::Cut};

fn with(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

#[test]
fn wanted_cids_at_the_limit_and_one_past_it() {
    let limits = with(|limits| limits.max_wanted = 8);
    let cids: Vec<Cid> = wide(1, 9, 8).blocks[1..].iter().map(|block| *block.cid()).collect();
    let ask = |n: usize| {
        let status = Status { want: cids[..n].to_vec(), have: None };
        Source::new(Order::DepthFirst, &limits, 0).handle_status(status)
    };
    assert_eq!(ask(8), Ok(()));
    assert_eq!(ask(9), Err(Error::TooManyWanted { wanted: 9, max: 8 }));
}

#[test]
fn a_sink_asks_in_portions_of_the_limit() {
    let dag = wide(2, 100, 50);
    let root: Blocks = blocks(&dag).into_iter().filter(|(cid, _)| *cid == dag.root).collect();
    for max_wanted in [1, 10, 99, 100] {
        let limits = with(|limits| limits.max_wanted = max_wanted);
        for setup in [Setup::pull(), Setup { cold_call_bytes: 0, ..Setup::push() }] {
            let setup = Setup { limits: limits.clone(), ..setup };
            let (report, _) = transfer(&setup, dag.root, &blocks(&dag), &root);
            assert_eq!((report.end, report.duplicates), (End::Complete, report.duplicates.min(1)));
            assert!(report.rounds as usize <= 100usize.div_ceil(max_wanted) + 1);
        }
    }
}

#[test]
fn rounds_at_the_limit_and_one_past_it() {
    let dag = tree();
    let cuts = vec![Cut::Broken(2000); 4];
    let rounds = |max_rounds| {
        let limits = with(|limits| limits.max_rounds = max_rounds);
        let setup = Setup { limits, cuts: cuts.clone(), ..Setup::pull() };
        let mut pair = sim::Pair::new(&setup, dag.root, blocks(&dag).into(), Blocks::new().into());
        pair.drive(common::STEPS).expect("a transfer ends")
    };
    let needed = rounds(1000).rounds;
    assert!(u64::from(needed) > cuts.len() as u64);
    assert_eq!(rounds(needed).end, End::Complete);
    let one_less = rounds(needed - 1).end;
    assert!(matches!(one_less, End::Incomplete(outcome) if outcome.rounds == needed - 1));
}

#[test]
fn the_links_of_a_block_at_the_limit_and_one_past_it() {
    let dag = wide(3, 64, 8);
    let end = |max_links| {
        let limits = with(|limits| limits.max_links = max_links);
        let setup = Setup { limits, ..Setup::pull() };
        let mut pair = sim::Pair::new(&setup, dag.root, blocks(&dag).into(), Blocks::new().into());
        pair.drive(common::STEPS).expect("a transfer ends").end
    };
    assert_eq!(end(64), End::Complete);
    assert!(matches!(end(63), End::Failed(_)));
}

#[test]
fn a_filter_is_made_no_larger_than_the_limit() {
    let dag = tree();
    let limits = with(|limits| limits.max_bloom_bytes = 256);
    let held = sim::dag::Dag { root: dag.root, blocks: dag.blocks[..300].to_vec() };
    let report = send(&Setup { limits, ..Setup::pull() }, &dag, &held);
    assert_eq!(report.end, End::Complete);
    let most = 256 + 50 + 41 * dag.blocks.len() as u64;
    assert!(report.status_bytes / u64::from(report.rounds) <= most);
    assert_eq!(send(&Setup::pull(), &dag, &nothing(&dag)).end, End::Complete);
}
