//! A sink that holds the old root gets the new one in one round, without a block that it has, for
//! little more than the missing blocks.

mod common;

use carpool_core::{Block, CidSet};
use common::{Relay, client, holding, holds_all, serve_default};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::sync::atomic::Ordering::Relaxed;

struct Case {
    old: Dag,
    new: Dag,
    missing: Vec<Block>,
}

fn case(shape: &Shape, changed: u64) -> Case {
    let old = original(shape);
    let new = generate(shape, &scattered(shape.seed, shape.leaves, changed));
    let mut held = CidSet::with_seed(0);
    for block in &old.blocks {
        held.insert(block.cid());
    }
    let missing = new.blocks.iter().filter(|block| !held.contains(block.cid())).cloned().collect();
    Case { old, new, missing }
}

fn car_bytes(case: &Case) -> u64 {
    let sections = case.missing.iter().map(|b| carpool_car::section_len(b.cid(), b.data().len()));
    (sections.sum::<usize>() + carpool_car::header(&[case.new.root]).len()) as u64
}

const CASES: [(Shape, u64, u64); 3] = [
    (Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 2 }, 1, 13),
    (Shape { seed: 42, leaves: 16_384, leaf_size: 1024, fanout: 64 }, 16, 37),
    (Shape { seed: 42, leaves: 256, leaf_size: 65_536, fanout: 16 }, 3, 7),
];

#[tokio::test(flavor = "multi_thread")]
async fn pull_with_the_old_root_held() {
    for (shape, changed, missing) in CASES {
        let case = case(&shape, changed);
        assert_eq!(case.missing.len() as u64, missing);
        let relay = Relay::start(&serve_default(holding(&case.new.blocks)).await, vec![]).await;
        let sink = holding(&case.old.blocks);
        let client = client(&relay.url);
        let report = client.pull(case.new.root, vec![case.old.root], sink.clone()).await.unwrap();
        let totals = report.totals;
        assert!(holds_all(&sink, &case.new.blocks));
        assert_eq!((totals.rounds, totals.duplicate, totals.blocks_received), (1, 0, missing));
        let ideal = car_bytes(&case);
        assert!(totals.bytes_received <= ideal + ideal / 50 + 1024, "{totals:?} for {ideal}");
        assert_eq!(totals.bytes_sent, relay.up.load(Relaxed), "bytes are what the wire carried");
        assert_eq!(totals.bytes_received, relay.down.load(Relaxed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn push_to_a_server_that_is_known_to_hold_the_old_root() {
    for (shape, changed, missing) in CASES {
        let case = case(&shape, changed);
        let server = holding(&case.old.blocks);
        let url = serve_default(server.clone()).await;
        let source = holding(case.old.blocks.iter().chain(&case.new.blocks));
        let pushed = client(&url).push(case.new.root, vec![case.old.root], None, source).await;
        let totals = pushed.unwrap().totals;
        assert!(holds_all(&server, &case.new.blocks));
        assert_eq!((totals.rounds, totals.duplicate, totals.blocks_sent), (1, 0, missing));
        let ideal = car_bytes(&case);
        assert!(totals.bytes_sent <= ideal + ideal / 50 + 1024, "{totals:?} for {ideal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_belief_about_the_server_costs_rounds_and_nothing_else() {
    let case = case(&CASES[2].0, 3);
    let server = holding([]);
    let url = serve_default(server.clone()).await;
    let source = holding(case.old.blocks.iter().chain(&case.new.blocks));
    let pushed = client(&url).push(case.new.root, vec![case.old.root], None, source).await.unwrap();
    assert!(holds_all(&server, &case.new.blocks));
    assert_eq!(pushed.totals.duplicate, 0);
    assert!(pushed.totals.rounds <= 3, "{:?}", pushed.totals);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diff_hint_lets_the_server_narrow() {
    let case = case(&CASES[1].0, 16);
    let source = holding(&case.new.blocks);
    let mut sent = Vec::new();
    for diff in [None, Some(case.old.root.to_string()), Some(format!("/ipfs/{}", case.old.root))] {
        let server = holding(&case.old.blocks);
        let url = serve_default(server.clone()).await;
        let client = common::client_with(&url, |options| options.cold_call_bytes = 1);
        let pushed = client.push(case.new.root, vec![], diff.as_deref(), source.clone()).await;
        let totals = pushed.unwrap().totals;
        assert!(holds_all(&server, &case.new.blocks));
        sent.push((totals.rounds, totals.blocks_sent));
    }
    let missing = case.missing.len() as u64;
    assert_eq!(sent[1..], [(2, missing), (2, missing)]);
    assert!(sent[0].1 >= missing);
}
