//! A server that answers before it has read a push, and closes: the answer is read all the same.

mod common;

use carpool_http::Error;
use common::{client, holding};
use sim::dag::{Shape, original};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const ANSWER: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnot here\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_early_refusal_is_told_from_a_broken_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2000];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(ANSWER).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let dag = original(&Shape { seed: 1, leaves: 200, leaf_size: 200_000, fanout: 16 });
    let source = holding(&dag.blocks);
    for _ in 0..20 {
        let client = common::client_with(&url, |options| options.cold_call_bytes = 64 << 20);
        match client.push(dag.root, vec![], None, source.clone()).await {
            Err(Error::Refused { status, reason }) => {
                assert_eq!((status.as_u16(), reason.as_str()), (403, "not here"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_drains_a_bad_push_before_it_says_so() {
    let url = common::serve_default(holding([])).await;
    let good = original(&Shape { seed: 1, leaves: 40, leaf_size: 100_000, fanout: 16 });
    let mut body = carpool_car::header(&[good.root]).to_vec();
    body.extend_from_slice(b"\x05\x01\x02\x03\x04\x05");
    body.resize(8 << 20, 7);
    assert_eq!(common::post(&url, "/api/v0/dag/push", &body).await, 400);
    assert!(client(&url).push(good.root, vec![], None, holding(&good.blocks)).await.is_ok());
}
