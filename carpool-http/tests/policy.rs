//! Tokens and read-only servers.

mod common;

use carpool_http::{Error, ServerOptions};
use common::{client, client_with, holding, serve};
use sim::dag::{Shape, original};

const SHAPE: Shape = Shape { seed: 1, leaves: 20, leaf_size: 50, fanout: 4 };

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: u16) {
    assert!(
        matches!(&result, Err(Error::Refused { status, .. }) if status.as_u16() == code),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_wanted_on_every_route() {
    let dag = original(&SHAPE);
    let mut options = ServerOptions::default();
    options.token = Some("secret".into());
    let url = serve(holding(&dag.blocks), options).await;
    let wrong = client_with(&url, |options| {
        options.headers = vec![("Authorization".into(), "Bearer secreT".into())];
    });
    for client in [client(&url), wrong] {
        refused(client.pull(dag.root, vec![], holding([])).await, 401);
        refused(client.push(dag.root, vec![], None, holding(&dag.blocks)).await, 401);
        refused(client.names().await, 401);
        refused(client.set_name("x", dag.root, None).await, 401);
    }
    let right = client_with(&url, |options| {
        options.headers = vec![("Authorization".into(), "Bearer secret".into())];
    });
    assert!(right.pull(dag.root, vec![], holding([])).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_gives_and_does_not_take() {
    let dag = original(&SHAPE);
    let mut options = ServerOptions::default();
    options.read_only = true;
    let store = holding(&dag.blocks[1..]);
    let url = serve(store.clone(), options).await;
    refused(client(&url).push(dag.root, vec![], None, holding(&dag.blocks)).await, 403);
    refused(client(&url).set_name("x", dag.root, None).await, 403);
    assert!(client(&url).pull(*dag.blocks[1].cid(), vec![], holding([])).await.is_ok());
    assert_eq!(store.len(), dag.blocks.len() - 1);
}
