//! Names: set, read, listed, and moved only from where they are expected to be.

mod common;

use carpool_http::Error;
use common::{client, holding, serve_default};
use sim::dag::{Shape, original};

const SHAPE: Shape = Shape { seed: 1, leaves: 20, leaf_size: 50, fanout: 4 };

#[tokio::test(flavor = "multi_thread")]
async fn compare_and_set() {
    let (one, two) = (original(&SHAPE), original(&Shape { seed: 2, ..SHAPE }));
    let url = serve_default(holding(one.blocks.iter().chain(&two.blocks))).await;
    let client = client(&url);
    for name in ["plain", "with / slash?&#%", "ünïcode \u{1f697}", ".."] {
        assert_eq!(client.name(name).await.unwrap(), None);
        let set = client.set_name(name, one.root, None).await.unwrap();
        assert_eq!((set.name.as_str(), set.root, set.seq), (name, one.root, 1));
        let again = client.set_name(name, two.root, None).await;
        assert!(matches!(again, Err(Error::Conflict { current: Some(root) }) if root == one.root));
        let moved = client.set_name(name, two.root, Some(one.root)).await.unwrap();
        assert_eq!((moved.root, moved.seq), (two.root, 2));
        assert_eq!(client.name(name).await.unwrap().map(|record| record.root), Some(two.root));
    }
    let names: Vec<String> = client.names().await.unwrap().into_iter().map(|n| n.name).collect();
    assert_eq!(names.len(), 4);
    assert!(names.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_points_to_nothing_that_is_not_all_there() {
    let mut dag = original(&SHAPE);
    dag.blocks.pop();
    let url = serve_default(holding(&dag.blocks)).await;
    let refused = client(&url).set_name("x", dag.root, None).await;
    assert!(matches!(refused, Err(Error::Status { status, .. }) if status.as_u16() == 422));
    assert_eq!(client(&url).name("x").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_have_limits() {
    let dag = original(&SHAPE);
    let url = serve_default(holding(&dag.blocks)).await;
    let client = client(&url);
    assert!(client.set_name(&"n".repeat(255), dag.root, None).await.is_ok());
    let long = client.set_name(&"n".repeat(256), dag.root, None).await;
    assert!(
        matches!(long, Err(Error::Status { status, .. }) if status.as_u16() == 400),
        "{long:?}"
    );
    assert!(client.set_name("a\nb", dag.root, None).await.is_err());
}
