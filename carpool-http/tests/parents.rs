//! The extension: what is wanted below blocks that the sink holds is told by a bit each.

mod common;

use bytes::Bytes;
use carpool_core::{Block, Cid, CidList, Limits};
use carpool_http::Totals;
use carpool_mirror::{
    Trail, bitmap,
    extension::{CONTENT_TYPE, LinkBits, Request, Scope},
};
use common::{client, exchange, holding, holds_all, serve_default};
use sim::dag::{Dag, Shape, original};

const SHAPE: Shape = Shape { seed: 42, leaves: 4096, leaf_size: 256, fanout: 64 };
/// The first blocks, breadth first: all but the leaves of the last ten nodes.
const HELD: usize = 1 + 64 + 4096 - 640;
/// Heads of HTTP, and what is around a bitmap.
const AROUND: u64 = 400;

/// A pull by who has read the names before; what it took beside that.
async fn resume(url: &str, dag: &Dag, held: usize) -> Totals {
    let client = client(url);
    client.names().await.expect("a list");
    let before = client.progress().totals();
    let sink = holding(&dag.blocks[..held]);
    let report = client.pull(dag.root, vec![], sink.clone()).await.expect("all is there");
    assert!(holds_all(&sink, &dag.blocks));
    let mut totals = report.totals;
    totals.bytes_sent -= before.bytes_sent;
    totals
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_below_few_nodes_cost_their_names_and_a_bit_each() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let totals = resume(&url, &dag, HELD).await;
    assert_eq!((totals.rounds, totals.blocks_received, totals.duplicate), (1, 640, 0));
    assert!(totals.bytes_sent <= AROUND + 10 * 38 + 640 / 8, "{} B", totals.bytes_sent);
}

/// Nothing is known to be below what is missing, so there nothing is saved.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_leaf_is_named() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let totals = resume(&url, &dag, dag.blocks.len() - 1).await;
    assert_eq!((totals.rounds, totals.blocks_received), (1, 1));
    assert!(totals.bytes_sent <= AROUND, "{} B", totals.bytes_sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_a_parent_is_asked_by_name() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(dag.blocks.iter().enumerate().filter_map(|(n, block)| {
        // The last node above the leaves.
        (n != 64).then_some(block)
    })))
    .await;
    let totals = resume(&url, &dag, HELD).await;
    assert_eq!((totals.rounds, totals.blocks_received, totals.duplicate), (2, 640, 0));
    assert!(totals.bytes_sent > 640 * 36, "{} B", totals.bytes_sent);
}

fn asking(parents: &[Block], bits: &[bool], check_of: &[Block]) -> Request {
    let mut trail = Trail::default();
    check_of.iter().for_each(|it| trail.push(it.cid(), it.data(), &Limits::default()));
    let check = trail.check().expect("blocks with links");
    let links = LinkBits { check, bits: bitmap::encode(bits.iter().copied()).expect("few bits") };
    let parents: Vec<Cid> = parents.iter().map(|block| *block.cid()).collect();
    Request { links: Some(links), parents, scope: Scope::Named, ..Request::default() }
}

/// Every bitmap has one code.
fn longer(mut request: Request) -> Request {
    if let Some(links) = &mut request.links {
        links.bits.push(0);
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bitmap_over_these_blocks_is_refused() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let (nodes, leaf) = (&dag.blocks[1..3], dag.blocks.last().expect("a leaf").clone());
    let stranger = Block::new(carpool_core::codec::DAG_CBOR, vec![0x80].into());
    let mut bits = vec![false; 128];
    (bits[3], bits[127]) = (true, true);
    for (request, status, why) in [
        (asking(nodes, &bits, nodes), 200, "two leaves"),
        (longer(asking(nodes, &bits, nodes)), 412, "no code of a bitmap"),
        (asking(nodes, &bits, &nodes[..1]), 412, "the check of others"),
        (asking(&[nodes[0].clone(), stranger.clone()], &bits, nodes), 412, "not held"),
        (asking(&[nodes[0].clone(), leaf], &bits, nodes), 412, "no links"),
        (Request { links: None, ..asking(nodes, &bits, nodes) }, 400, "no bitmap"),
    ] {
        let body = Bytes::from(request);
        let answer = exchange("POST", format!("{url}/api/v0/dag/pull"), CONTENT_TYPE, &body).await;
        assert_eq!(answer.status, status, "{why}");
        if status == 200 {
            assert_eq!(cids(&answer.body), [bits_of(&nodes[0], 3), bits_of(&nodes[1], 63)]);
        }
    }
}

fn bits_of(node: &Block, nth: usize) -> Cid {
    carpool_core::links(node.cid(), node.data(), &Limits::default()).expect("it parses")[nth]
}

fn cids(car: &[u8]) -> Vec<Cid> {
    let mut decoder = carpool_car::Decoder::new(&Limits::default());
    decoder.handle_data(Bytes::copy_from_slice(car));
    decoder.handle_eof();
    let mut found = CidList::with_seed(0);
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            found.push(&section.cid);
        }
    }
    found.iter().collect()
}
