//! A source that lacks blocks: bounded rounds, everything else arrives, and never success.

mod common;

use carpool_http::Error;
use common::{client, holding, holds_all, serve_default};
use sim::dag::{Shape, original};

const SHAPE: Shape = Shape { seed: 5, leaves: 300, leaf_size: 500, fanout: 8 };

#[tokio::test(flavor = "multi_thread")]
async fn pull_from_a_server_that_lacks_one_leaf() {
    let mut dag = original(&SHAPE);
    let lost = dag.blocks.pop().unwrap();
    let url = serve_default(holding(&dag.blocks)).await;
    let sink = holding([]);
    let client = client(&url);
    match client.pull(dag.root, vec![], sink.clone()).await {
        Err(Error::Incomplete { missing: 1, example, .. }) => {
            assert_eq!(example, Some(*lost.cid()))
        }
        other => panic!("{other:?}"),
    }
    assert!(holds_all(&sink, &dag.blocks));
    assert!(client.progress().totals().rounds <= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_of_a_root_that_nobody_has() {
    let dag = original(&SHAPE);
    let url = serve_default(holding([])).await;
    let client = client(&url);
    let failed = client.pull(dag.root, vec![], holding([])).await;
    assert!(matches!(failed, Err(Error::Incomplete { missing: 1, .. })), "{failed:?}");
    // Once in the dialect that was guessed, where a 404 may mean that there is no such route, and
    // twice in the other.
    assert_eq!(client.progress().totals().rounds, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn push_of_a_dag_that_is_not_all_here() {
    let mut dag = original(&SHAPE);
    let lost = dag.blocks.pop().unwrap();
    let server = holding([]);
    let url = serve_default(server.clone()).await;
    match client(&url).push(dag.root, vec![], None, holding(&dag.blocks)).await {
        Err(Error::SourceLacks { cid }) => assert_eq!(cid, *lost.cid()),
        other => panic!("{other:?}"),
    }
    assert!(holds_all(&server, &dag.blocks));
}
