//! Peers that stand still are given up, on both sides, and the server goes on for others.

mod common;

use carpool_http::{Error, ServerOptions};
use common::{client_with, holding, serve};
use sim::dag::{Shape, original};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SHAPE: Shape = Shape { seed: 1, leaves: 200, leaf_size: 200_000, fanout: 16 };
const SOON: Duration = Duration::from_millis(300);

/// A server that accepts, reads this many bytes, and then does nothing.
async fn frozen(reads: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = vec![0; reads];
                let _ = stream.read_exact(&mut read).await;
                std::future::pending::<()>().await;
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_read_and_one_that_does_not_answer() {
    let dag = original(&SHAPE);
    for reads in [100, 10 << 20] {
        let url = frozen(reads).await;
        let client = client_with(&url, |options| {
            (options.stall_timeout, options.retries) = (SOON, 0);
            options.cold_call_bytes = 64 << 20;
        });
        let failed = client.push(dag.root, vec![], None, holding(&dag.blocks)).await;
        let given_up = matches!(failed, Err(Error::Cut(_) | Error::Incomplete { .. }));
        assert!(given_up, "{failed:?}");
        let failed = client.pull(dag.root, vec![], holding([])).await;
        let given_up = matches!(failed, Err(Error::Cut(_) | Error::Incomplete { .. }));
        assert!(given_up, "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_the_middle_of_its_push() {
    let dag = original(&SHAPE);
    let mut options = ServerOptions::default();
    options.stall_timeout = SOON;
    let server = holding([]);
    let url = serve(server.clone(), options).await;
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /api/v0/dag/push HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&carpool_car::header(&[dag.root])).await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
    assert!(matches!(read, Ok(Ok(_))), "{read:?}");
    assert_eq!(&answer, b"HTTP/1.1 408");
    let client = common::client(&url);
    assert!(client.push(dag.root, vec![], None, holding(&dag.blocks)).await.is_ok());
}

/// A server that answers each cold call, and dies in the middle of what follows, always.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_a_little_and_dies_ends_a_push() {
    let dag = original(&SHAPE);
    let status = carpool_mirror::Status { want: vec![*dag.blocks[1].cid()], have: None };
    let kind = carpool_http::message::Kind::PushResponse;
    let message =
        carpool_http::message::encode(carpool_http::message::Dialect::Spec, kind, &status);
    let head = format!("HTTP/1.1 202 Accepted\r\ncontent-length: {}\r\n\r\n", message.len());
    let answer = [head.as_bytes(), &message].concat();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let (mut read, mut seen) = (vec![0; 1 << 20], Vec::new());
                while !seen.ends_with(b"0\r\n\r\n") && seen.len() < 1 << 20 {
                    match stream.read(&mut read).await {
                        Ok(n @ 1..) => seen.extend_from_slice(&read[..n]),
                        _ => return,
                    }
                }
                if seen.len() < 1 << 20 {
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.read(&mut read).await;
                }
            });
        }
    });
    let client = client_with(&url, |options| {
        options.limits.max_rounds = 3;
        options.cold_call_bytes = 1;
    });
    let pushing = client.push(dag.root, vec![], None, holding(&dag.blocks));
    let ended = tokio::time::timeout(Duration::from_secs(20), pushing).await.expect("it ends");
    assert!(matches!(ended, Err(Error::Cut(_) | Error::Incomplete { .. })), "{ended:?}");
}
