//! Who lies in the extension's messages, or grinds blocks against them, gets no wrong block stored
//! and no endless work: rounds are bounded, and the sink falls back.

mod common;

use carpool_bloom::{Filter, Params};
use carpool_core::Cid;
use carpool_mirror::{
    Error, bitmap,
    extension::{LinkBits, Request},
    planner::Step,
};
use common::{STEPS, blocks, missing};
use sim::{
    End, Failure, Pair, Report, Setup,
    dag::{self, Dag, Shape, generate, original, scattered},
    reference,
};

const SHAPE: Shape = Shape { seed: 9, leaves: 1024, leaf_size: 40, fanout: 16 };
const DEPTH: u32 = 3;

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, 100)))
}

fn setups() -> [Setup; 2] {
    [Setup::pull(), Setup { summary: true, cold_call_bytes: 1, ..Setup::push() }]
}

/// A transfer from `old` to `new` whose messages are meddled with, held to the reference.
fn meddled(
    setup: &Setup,
    step: Step,
    (old, new): &(Dag, Dag),
    meddle: impl FnMut(&mut Request) + 'static,
) -> Report {
    let setup = Setup { steps: vec![step], seeds: vec![old.root], ..setup.clone() };
    let (source, sink) = (blocks(new), blocks(old));
    let (here, there) = (source.clone().into(), sink.clone().into());
    let mut pair = Pair::with_meddling(&setup, new.root, here, there, meddle);
    let report = pair.drive(STEPS).expect("a transfer ends");
    let expected = reference::expected(new.root, &source, &sink);
    let held = pair.into_sink_store().blocks().clone();
    let only = held.keys().all(|cid| expected.held.contains(cid));
    assert!(only, "an unreachable block is stored");
    if report.end == End::Complete {
        assert_eq!(held.len(), expected.held.len());
    }
    report
}

fn complete(report: &Report, most_rounds: u32) {
    assert_eq!(report.end, End::Complete, "{report:?}");
    assert!(report.rounds <= most_rounds, "{report:?}");
}

#[test]
fn a_filter_that_hits_everything() {
    for setup in setups() {
        for step in [Step::InteriorFilter, Step::Filter] {
            let all_ones = |request: &mut Request| {
                if let Some(have) = &mut request.have {
                    let ones = vec![0xff; have.as_bytes().len()];
                    let limits = carpool_bloom::Limits::default();
                    *have = Filter::from_wire(ones, have.k(), &limits).unwrap().unwrap();
                }
            };
            let report = meddled(&setup, step, &versions(), all_ones);
            complete(&report, 2 * DEPTH + 4);
        }
    }
}

#[test]
fn a_bitmap_over_another_round_and_of_another_length() {
    type Lie = fn(&mut LinkBits);
    let lies: [Lie; 3] = [
        |links| links.check[0] ^= 1,
        |links| links.bits = bitmap::encode((0..40_000).map(|n| n % 3 == 0)).unwrap(),
        |links| links.bits.push(0),
    ];
    for setup in setups() {
        for step in [Step::InteriorFilter, Step::Bitmaps, Step::Filter] {
            for lie in lies {
                let report = meddled(&setup, step, &versions(), move |request| {
                    request.links.iter_mut().for_each(lie);
                });
                complete(&report, 3 * DEPTH + 4);
                assert!(report.refusals <= 2, "{step}: {report:?}");
            }
        }
    }
}

/// It asks for what it holds: who lies so pays.
#[test]
fn a_bitmap_of_ones() {
    for setup in setups() {
        let (old, new) = versions();
        let report = meddled(&setup, Step::Bitmaps, &(old, new.clone()), |request| {
            if let Some(links) = &mut request.links {
                links.bits = Vec::new();
            }
        });
        complete(&report, DEPTH + 2);
        assert!(report.blocks_sent <= 2 * new.blocks.len() as u64, "{report:?}");
    }
}

#[test]
fn more_hashes_than_the_limit_are_refused_before_the_work() {
    for mut setup in setups() {
        setup.limits.max_bloom_k = 10;
        for (k, refused) in [(10, false), (11, true)] {
            let report = meddled(&setup, Step::Filter, &versions(), move |request| {
                if let Some(have) = &mut request.have {
                    *have = Filter::new(Params::new(have.as_bytes().len(), k).unwrap());
                }
            });
            let fault = matches!(report.end, End::Failed(Failure::Mirror(Error::Bloom(_))));
            assert_eq!(fault, refused, "{k}: {report:?}");
        }
    }
}

/// Nodes that were ground to hit every filter of the sink, one below the other: without a limit that
/// would be a round for each.
#[test]
fn a_chain_of_ground_false_positives() {
    let (leaf_size, new, old) = (30, 400, 200);
    let versions = (dag::chain(3, old, leaf_size), dag::chain(3, new, leaf_size));
    let ground: Vec<Cid> = versions.1.blocks.iter().map(|block| *block.cid()).collect();
    for setup in setups() {
        for step in [Step::InteriorFilter, Step::Filter] {
            let ground = ground.clone();
            let report = meddled(&setup, step, &versions, move |request| {
                if let Some(have) = &mut request.have {
                    let mut wide = Filter::new(Params::for_items(4000));
                    ground.iter().for_each(|cid| wide.insert(&cid.to_bytes()));
                    *have = wide;
                }
            });
            complete(&report, 12);
            let (lacking, _) = missing(&versions.1, &blocks(&versions.0));
            let most = lacking + versions.1.blocks.len() as u64;
            assert!(report.blocks_sent <= most, "{step}: {report:?}");
        }
    }
}

/// Level by level down a chain would be a round for each node.
#[test]
fn a_chain_level_by_level() {
    let versions = (dag::chain(3, 100, 30), dag::chain(3, 600, 30));
    for setup in setups() {
        let report = meddled(&setup, Step::Bitmaps, &versions, |_| {});
        complete(&report, 70);
    }
}
