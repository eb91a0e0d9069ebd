//! A connection that is cut costs the blocks that were on their way and no more: what arrived is
//! kept, and the next request asks for the rest.

mod common;

use common::{Relay, client_with, holding, holds_all, serve_default};
use sim::dag::{Shape, original};

const SHAPE: Shape = Shape { seed: 9, leaves: 2000, leaf_size: 2048, fanout: 20 };

#[tokio::test(flavor = "multi_thread")]
async fn pull_goes_on_where_it_was_cut() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    for (http2, cuts) in [(false, vec![400_000, 1_000_000, 700_000]), (true, vec![1_500_000])] {
        let relay = Relay::start(&url, cuts).await;
        let sink = holding([]);
        let client = client_with(&relay.url, |options| {
            common::as_blocks(options);
            options.http2 = http2;
        });
        let report = client.pull(dag.root, vec![], sink.clone()).await.unwrap();
        assert!(holds_all(&sink, &dag.blocks));
        let totals = report.totals;
        assert_eq!(totals.duplicate, 0, "nothing is asked for twice");
        assert_eq!(totals.blocks_received, dag.blocks.len() as u64);
        let extra = totals.bytes_received - dag.car_bytes();
        assert!(extra < 400_000, "{extra} bytes beyond the DAG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn push_goes_on_where_it_was_cut() {
    let dag = original(&SHAPE);
    for (http2, cuts) in [(false, vec![900_000, 1_200_000]), (true, vec![1_500_000])] {
        let server = holding([]);
        let relay = Relay::start(&serve_default(server.clone()).await, cuts).await;
        let client = client_with(&relay.url, |options| options.http2 = http2);
        let report = client.push(dag.root, vec![], None, holding(&dag.blocks)).await.unwrap();
        assert!(holds_all(&server, &dag.blocks));
        // What was under way in buffers when the connection was cut travels again, per cut.
        let extra = report.totals.bytes_sent.saturating_sub(dag.car_bytes());
        assert!(extra < dag.car_bytes() * 2, "{extra} bytes beyond the DAG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_cut_for_good_is_incomplete_and_the_next_one_goes_on() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let relay = Relay::start(&url, vec![1_000_000, 300, 300, 300]).await;
    let sink = holding([]);
    let client = client_with(&relay.url, |options| {
        common::as_blocks(options);
        options.retries = 2;
    });
    let failed = client.pull(dag.root, vec![], sink.clone()).await;
    assert!(matches!(failed, Err(carpool_http::Error::Incomplete { .. })), "{failed:?}");
    let kept = sink.len();
    assert!(kept > 0);
    let resumed = common::client(&url).pull(dag.root, vec![], sink.clone()).await.unwrap();
    assert_eq!(resumed.totals.blocks_received, (dag.blocks.len() - kept) as u64);
    assert!(holds_all(&sink, &dag.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_never_reached_is_said_to_be_so_at_once() {
    let begun = std::time::Instant::now();
    let failed = common::client("http://127.0.0.1:9").names().await;
    assert!(matches!(failed, Err(carpool_http::Error::Connect(_))), "{failed:?}");
    let root = original(&SHAPE).root;
    let failed = common::client("http://127.0.0.1:9").pull(root, vec![], holding([])).await;
    assert!(matches!(failed, Err(carpool_http::Error::Connect(_))), "{failed:?}");
    assert!(begun.elapsed().as_secs() < 5);
}
