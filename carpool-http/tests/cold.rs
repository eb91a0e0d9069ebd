//! A DAG travels whole, both ways, over HTTP/1.1 and HTTP/2, and again for nothing.

mod common;

use common::{client_with, holding, holds_all, serve_default};
use sim::dag::{Shape, original};

fn shape() -> Shape {
    Shape { seed: 3, leaves: 700, leaf_size: 3000, fanout: 12 }
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_takes_one_round_and_nothing_twice() {
    let dag = original(&shape());
    let url = serve_default(holding(&dag.blocks)).await;
    for http2 in [false, true] {
        let sink = holding([]);
        let client = client_with(&url, |options| options.http2 = http2);
        let report = client.pull(dag.root, vec![], sink.clone()).await.unwrap();
        assert!(holds_all(&sink, &dag.blocks) && sink.len() == dag.blocks.len());
        assert_eq!(
            (report.totals.rounds, report.totals.duplicate, report.totals.missing),
            (1, 0, 0)
        );
        assert_eq!(report.totals.blocks_received, dag.blocks.len() as u64);
        let again = client.pull(dag.root, vec![], sink.clone()).await.unwrap();
        assert_eq!(again.totals.rounds, 1, "a held DAG costs no request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn push_takes_a_cold_call_and_the_rest() {
    let dag = original(&shape());
    for http2 in [false, true] {
        let server = holding([]);
        let url = serve_default(server.clone()).await;
        let client = client_with(&url, |options| options.http2 = http2);
        let source = holding(&dag.blocks);
        let report = client.push(dag.root, vec![], None, source).await.unwrap();
        assert!(holds_all(&server, &dag.blocks) && server.len() == dag.blocks.len());
        assert_eq!(
            (report.totals.rounds, report.totals.duplicate, report.totals.missing),
            (2, 0, 0)
        );
        assert_eq!(report.totals.blocks_sent, dag.blocks.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_block_goes_in_one_round_each_way() {
    let leaf = carpool_core::Block::new(carpool_core::codec::RAW, "one".into());
    let server = holding([]);
    let url = serve_default(server.clone()).await;
    let pushed =
        common::client(&url).push(*leaf.cid(), vec![], None, holding([&leaf])).await.unwrap();
    let pulled = common::client(&url).pull(*leaf.cid(), vec![], holding([])).await.unwrap();
    assert_eq!((pushed.totals.rounds, pulled.totals.rounds, server.len()), (1, 1, 1));
}
