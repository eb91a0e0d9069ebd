//! Connections that do nothing, little, or too much are given up in bounded time, and others are
//! served meanwhile.

mod common;

use carpool_http::ServerOptions;
use common::{client, client_with, holding, holds_all, raw, serve};
use sim::dag::{Dag, Shape, original};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

fn dag() -> Dag {
    original(&Shape { seed: 2, leaves: 40, leaf_size: 100_000, fanout: 5 })
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.expect("the server is up")
}

async fn others_are_served(url: &str, dag: &Dag) {
    let sink = holding([]);
    let pulled = timeout(PATIENCE, client(url).pull(dag.root, vec![], sink.clone())).await;
    pulled.expect("in time").expect("others are served");
    assert!(holds_all(&sink, &dag.blocks));
}

/// Whether the server closes, within what a test can wait for.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut sink = [0; 4096];
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match timeout(PATIENCE, stream.read(&mut sink)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections() {
    let dag = dag();
    let mut options = ServerOptions::default();
    (options.header_timeout, options.idle_timeout) = (SOON * 5, SOON * 5);
    let url = serve(holding(&dag.blocks), options).await;
    let mut idle = Vec::new();
    // Half the connections say nothing, the others begin a head: file descriptors of both ends
    // belong to this process, so there are as many as its limit allows.
    for n in 0..1000 {
        let address = url.trim_start_matches("http://");
        let Ok(mut stream) = TcpStream::connect(address).await else { break };
        if n % 2 == 0 {
            stream.write_all(b"POST /api").await.unwrap();
        }
        idle.push(stream);
    }
    if idle.len() < 1000 {
        println!("{} connections are all that this system allows", idle.len());
        idle.truncate(idle.len() - 100);
    }
    others_are_served(&url, &dag).await;
    for stream in &mut idle {
        assert!(is_closed(stream).await, "a place is not kept for ever");
    }
    others_are_served(&url, &dag).await;
}

/// HTTP/2's preface and settings, and then silence, with and without answers to pings.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_of_http2_is_closed() {
    let mut options = ServerOptions::default();
    options.idle_timeout = SOON;
    let url = serve(holding([]), options).await;
    let mut stream = connect(&url).await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(settings).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_at_the_limit_and_past_it() {
    let mut options = ServerOptions::default();
    (options.max_headers, options.header_timeout) = (10, SOON);
    let url = serve(holding([]), options).await;
    let request = |fields: usize| {
        let more: String = (1..fields).map(|n| format!("x-{n}: y\r\n")).collect();
        format!("GET /api/v0/names HTTP/1.1\r\nhost: x\r\n{more}\r\n")
    };
    for (fields, status) in [(10, "200"), (11, "431")] {
        let answer = raw(&url, request(fields).as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{fields}: {answer}");
    }
    // A head that never ends: bytes come all the time, and the clock runs all the same.
    let mut stream = connect(&url).await;
    let begun = Instant::now();
    while stream.write_all(b"x").await.is_ok() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(SOON / 8).await;
    }
    assert!(begun.elapsed() < PATIENCE, "closed by the server");
    // One header field of many megabytes.
    let flood = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 4 << 20]].concat();
    let mut stream = connect(&url).await;
    let _ = stream.write_all(&flood).await;
    assert!(is_closed(&mut stream).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_their_order() {
    let dag = dag();
    let url = serve(holding(&dag.blocks), ServerOptions::default()).await;
    let request = |n: usize| match n % 2 {
        0 => "GET /api/v0/names HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        _ => "POST /api/v0/dag/pull HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nno".to_owned(),
    };
    let all: String = (0..200).map(request).collect();
    let answer = raw(&url, all.as_bytes()).await;
    let codes: Vec<&str> = answer.matches("HTTP/1.1 ").collect();
    assert_eq!(codes.len(), 200);
    let statuses = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]);
    assert!(statuses.enumerate().all(|(n, code)| code == ["200", "400"][n % 2]));
    others_are_served(&url, &dag).await;
}

/// One byte now and then keeps no thread and no place.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_drips() {
    let mut options = ServerOptions::default();
    (options.stall_timeout, options.min_bytes_per_second) = (SOON, 1000);
    options.max_transfers = 1;
    let dag = dag();
    let url = serve(holding(&dag.blocks), options).await;
    for path in ["/api/v0/dag/push", "/api/v0/dag/pull"] {
        let mut stream = connect(&url).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        let drip = async {
            while write.write_all(b"\x3a").await.is_ok() {
                tokio::time::sleep(SOON / 10).await;
            }
        };
        let mut answer = vec![0; 100];
        let answered = async { timeout(PATIENCE, read.read(&mut answer)).await };
        tokio::select! {
            () = drip => {}
            answered = answered => {
                let n = answered.expect("given up in time").expect("an answer");
                let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
                assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
            }
        }
    }
    others_are_served(&url, &dag).await;
}

/// The only place for a transfer is free again once the reader was given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read() {
    let big = original(&Shape { seed: 3, leaves: 300, leaf_size: 200_000, fanout: 20 });
    let mut options = ServerOptions::default();
    (options.stall_timeout, options.min_bytes_per_second) = (SOON, 1 << 20);
    options.max_transfers = 1;
    let url = serve(holding(&big.blocks), options).await;
    let mut stream = connect(&url).await;
    let path = format!("GET /dag/pull/{} HTTP/1.1\r\nhost: x\r\n\r\n", big.root);
    stream.write_all(path.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let refused = client_with(&url, |options| options.retries = 0);
    let refused = refused.pull(big.root, vec![], holding([])).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "one past the limit: {refused}");
    others_are_served(&url, &big).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_at_the_limit_and_past_it() {
    let dag = dag();
    let mut options = ServerOptions::default();
    options.max_connections = 2;
    let url = serve(holding(&dag.blocks), options).await;
    let first = connect(&url).await;
    others_are_served(&url, &dag).await;
    let second = connect(&url).await;
    tokio::time::sleep(SOON).await;
    let waits = timeout(SOON, client(&url).pull(dag.root, vec![], holding([]))).await;
    assert!(waits.is_err(), "no place is free");
    drop((first, second));
    others_are_served(&url, &dag).await;
}

/// A push of what is held already is interrupted where the protocol can do so.
#[tokio::test(flavor = "multi_thread")]
async fn a_needless_push_ends_early_over_http2() {
    let big = original(&Shape { seed: 3, leaves: 300, leaf_size: 200_000, fanout: 20 });
    let url = serve(holding(&big.blocks), ServerOptions::default()).await;
    for _ in 0..10 {
        let client = client_with(&url, |options| {
            (options.http2, options.cold_call_bytes) = (true, u64::MAX);
            options.dialect = Some(carpool_http::message::Dialect::CarMirror);
        });
        let pushed = client.push(big.root, vec![], None, holding(&big.blocks)).await.unwrap();
        assert_eq!(pushed.totals.rounds, 1);
        assert!(pushed.totals.bytes_sent < 30_000_000, "{}", pushed.totals.bytes_sent);
    }
}
