//! Aware sources: each server is told the plan of a pool and sends what that assigns to it.

mod common;

use carpool_core::{Block, Cid, Limits, Unverified, verify};
use carpool_delta::{Decoder, Output};
use carpool_http::message::{Dialect, Kind, encode};
use carpool_mirror::{
    Status,
    extension::{self, Offer, Request, Scope},
};
use carpool_pool::Plan;
use common::{Answer, exchange_offering, exchange_offering_and_taking, holding, serve_default};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::collections::{BTreeMap, BTreeSet};

const SHAPE: Shape = Shape { seed: 8, leaves: 1000, leaf_size: 300, fanout: 10 };
const SESSION: [u8; 16] = [7; 16];

fn plan(me: u8, weights: &[u32]) -> Plan {
    Plan::new(SESSION, 0, me, 0, weights.to_vec()).expect("a good plan")
}

fn offer(plan: &Plan) -> Offer {
    Offer { pool: Some(plan.encode()), ..Offer::default() }
}

async fn ask(url: &str, offer: &Offer, want: &[Cid]) -> Answer {
    let status = Status { want: want.to_vec(), have: None };
    let body = encode(Dialect::Spec, Kind::PullRequest, &status);
    let kind = "application/vnd.ipld.dag-cbor";
    exchange_offering("POST", format!("{url}/api/v0/dag/pull"), kind, offer, &body).await
}

/// The blocks of a CAR, in its order.
fn blocks(car: &[u8]) -> Vec<Block> {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_data(car.to_vec().into());
    decoder.handle_eof();
    let mut blocks = Vec::new();
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            blocks.push(Unverified { cid: section.cid, data: section.data });
        }
    }
    verify(blocks).into_iter().collect::<Result<_, _>>().expect("good blocks")
}

fn cids(blocks: &[Block]) -> BTreeSet<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}

fn versions() -> (Dag, Dag) {
    (original(&SHAPE), generate(&SHAPE, &scattered(SHAPE.seed, SHAPE.leaves, 50)))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_send_the_whole_and_nothing_twice() {
    let dag = original(&SHAPE);
    let weights = [100, 50, 10];
    let (mut together, mut sum) = (BTreeSet::new(), 0);
    for me in 0..3 {
        let url = serve_default(holding(&dag.blocks)).await;
        let plan = plan(me, &weights);
        let answer = ask(&url, &offer(&plan), &[dag.root]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.extension.expect("it reads the header").contains("; pool=1; gossip=1"));
        let sent = blocks(&answer.body);
        assert!(sent.iter().all(|block| plan.is_mine(block.cid())));
        sum += sent.len();
        together.extend(cids(&sent));
    }
    assert_eq!((sum, together), (dag.blocks.len(), cids(&dag.blocks)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sends_its_share_of_the_difference() {
    let (old, new) = versions();
    let missing: BTreeSet<Cid> = &cids(&new.blocks) - &cids(&old.blocks);
    let mut sent = Vec::new();
    for me in 0..3 {
        let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
        let held = vec![old.root];
        let offer = Offer { held, ..offer(&plan(me, &[1, 1, 1])) };
        let answer = ask(&url, &offer, &[new.root]).await;
        assert!(answer.extension.expect("it reads the header").contains("used=held"));
        sent.extend(blocks(&answer.body));
    }
    assert_eq!((sent.len(), cids(&sent)), (missing.len(), missing));
}

/// What comes out of a delta body for a sink that holds `old` and nothing that another source brings.
fn decoded(body: Vec<u8>, root: Cid, old: &Dag) -> Vec<Block> {
    let held = old.blocks.iter().cloned().map(Block::into_parts).collect::<BTreeMap<_, _>>();
    let mut decoder = Decoder::new([root], [old.root], &Limits::default(), 0);
    decoder.handle_data(body.into());
    decoder.handle_eof();
    let mut claims = Vec::new();
    while let Some(output) = decoder.poll().expect("a good body") {
        match output {
            Output::Load { cid, .. } => decoder.handle_load(&cid, held.get(&cid).cloned()),
            Output::Block(claim) => claims.push(claim),
            Output::Hashed(block) => {
                let (cid, data) = block.into_parts();
                claims.push(Unverified { cid, data });
            }
            Output::Lost { cid, base } => unreachable!("{cid:?} is against {base:?}"),
        }
    }
    assert!(decoder.is_done());
    verify(claims).into_iter().collect::<Result<_, _>>().expect("good blocks")
}

/// Two of them send something, the third nothing.
#[tokio::test(flavor = "multi_thread")]
async fn shares_come_as_deltas_against_the_old_root_alone() {
    let (old, new) = versions();
    let missing: BTreeSet<Cid> = &cids(&new.blocks) - &cids(&old.blocks);
    let mut sent = Vec::new();
    for me in 0..3 {
        let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
        let offer =
            Offer { want: Some(new.root), held: vec![old.root], ..offer(&plan(me, &[1, 1, 0])) };
        let kind = "application/vnd.carpool.delta.v1";
        let path = format!("{url}/api/v0/dag/pull");
        let answer = exchange_offering_and_taking(path, kind, &offer).await;
        assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some(kind)));
        sent.extend(decoded(answer.body, new.root, &old));
    }
    assert_eq!((sent.len(), cids(&sent)), (missing.len(), missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_nothing_is_an_empty_car_and_no_root_is_not_found() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let nothing = offer(&plan(1, &[1, 0]));
    let answer = ask(&url, &nothing, &[dag.root]).await;
    assert_eq!((answer.status, blocks(&answer.body).len()), (200, 0));
    let elsewhere = *Block::new(carpool_core::codec::RAW, vec![1].into()).cid();
    assert_eq!(ask(&url, &nothing, &[elsewhere]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_lacks_a_node_sends_the_rest_of_its_share() {
    let dag = original(&SHAPE);
    let plan = plan(0, &[1, 1]);
    let is_node = |block: &&Block| carpool_core::may_link(block.cid()) && *block.cid() != dag.root;
    let lost = dag.blocks.iter().rfind(is_node).expect("a node");
    let url = serve_default(holding(dag.blocks.iter().filter(|block| *block != lost))).await;
    let answer = ask(&url, &offer(&plan), &[dag.root]).await;
    let below = carpool_core::links(lost.cid(), lost.data(), &Limits::default()).expect("links");
    let own = dag.blocks.iter().filter(|block| plan.is_mine(block.cid()));
    let own = own.filter(|block| *block != lost && !below.contains(block.cid()));
    assert_eq!(cids(&blocks(&answer.body)), own.map(|block| *block.cid()).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_without_a_plan_is_sent_whoever_owns_it() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let want: Vec<Cid> = dag.blocks.iter().rev().take(20).map(|block| *block.cid()).collect();
    let request =
        Request { want: want.clone(), scope: Scope::Named, root: None, ..Request::default() };
    for (pool, whole) in [(None, true), (Some(plan(0, &[1, 1]).encode()), false)] {
        let offer = Offer { pool, ..Offer::default() };
        let kind = extension::CONTENT_TYPE;
        let path = format!("{url}/api/v0/dag/pull");
        let answer = exchange_offering("POST", path, kind, &offer, &request.encode()).await;
        let own = want.iter().filter(|cid| whole || plan(0, &[1, 1]).is_mine(cid));
        assert_eq!(cids(&blocks(&answer.body)), own.copied().collect());
    }
}

/// As with every other part of the header: then there is none, and all is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_none_makes_no_header() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let good = plan(0, &[1; carpool_pool::MAX_MEMBERS]).encode();
    for (pool, read) in [(good.clone(), true), (good + "-1", false), ("1.2.3".into(), false)] {
        let answer = ask(&url, &Offer { pool: Some(pool), ..Offer::default() }, &[dag.root]).await;
        assert_eq!(answer.extension.is_some(), read);
        assert_eq!(blocks(&answer.body).len() == dag.blocks.len(), !read);
    }
}
