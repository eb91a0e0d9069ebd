//! Pulls of which blocks come as what differs from those below an old root.

mod common;

use carpool_http::{
    ClientOptions, ServerOptions, Totals,
    client::{Compress, Deltas},
};
use carpool_store::MemoryStore;
use common::{
    Relay, client_with, exchange_taking, holding, holds_all, serve, serve_default,
    versions::{Version, text, version, versions},
};
use std::sync::Arc;

fn always(options: &mut ClientOptions) {
    options.deltas = Deltas::Always;
}

async fn pull(
    url: &str,
    (old, new): (&Version, &Version),
    sink: &Arc<MemoryStore>,
    change: impl FnOnce(&mut ClientOptions),
) -> Totals {
    let client = client_with(url, change);
    let report = client.pull(new.root, vec![old.root], Arc::clone(sink)).await;
    let totals = report.expect("all is there").totals;
    assert!(holds_all(sink, &new.blocks));
    totals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shifted_file_takes_what_was_inserted() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    for http2 in [false, true] {
        let sink = holding(&old.blocks);
        let totals = pull(&url, (&old, &new), &sink, |options| {
            always(options);
            options.http2 = http2;
        });
        let totals = totals.await;
        assert_eq!((totals.rounds, totals.duplicate), (1, 0), "HTTP/2: {http2}");
        assert_eq!(totals.blocks_received, new.blocks.len() as u64, "HTTP/2: {http2}");
        assert!(totals.bytes_received < 2_000, "{} B, HTTP/2: {http2}", totals.bytes_received);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_one_who_does_not_want_it() {
    let (old, new) = versions();
    let store = holding(old.blocks.iter().chain(&new.blocks));
    let url = serve_default(Arc::clone(&store)).await;
    let mut options = ServerOptions::default();
    options.deltas = false;
    let without = serve(store, options).await;
    // On this machine blocks as they are come sooner.
    for (url, deltas) in [(&url, Deltas::Never), (&url, Deltas::Auto), (&without, Deltas::Always)] {
        let sink = holding(&old.blocks);
        let totals = pull(url, (&old, &new), &sink, |options| {
            common::fast(options);
            options.deltas = deltas;
        })
        .await;
        assert!(totals.bytes_received > 1 << 20, "{deltas:?}: {} B", totals.bytes_received);
    }
}

/// Blocks are compressed together then, and no hash travels that can be computed.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_common_root_there_is_nothing_to_copy() {
    let (old, new) = versions();
    let url = serve_default(holding(&new.blocks)).await;
    let bytes = |compress, deltas| {
        let (old, new, url) = (&old, &new, &url);
        async move {
            let change = |options: &mut ClientOptions| {
                options.compress = compress;
                options.deltas = deltas;
            };
            let totals = pull(url, (old, new), &holding(&[]), change).await;
            assert_eq!((totals.encodings.copies.blocks, totals.rounds), (0, 1));
            let deltas = totals.encodings.all().blocks;
            (totals.bytes_received, deltas == new.blocks.len() as u64)
        }
    };
    let (plain, is_delta) = bytes(Compress::Never, Deltas::Never).await;
    assert!(plain > 1 << 20 && !is_delta, "{plain} B");
    let (car, is_delta) = bytes(Compress::Always, Deltas::Never).await;
    assert!(car < plain / 5 * 3 && !is_delta, "{car} B");
    let (delta, is_delta) = bytes(Compress::Always, Deltas::Auto).await;
    assert!(delta < plain / 5 * 3 && is_delta, "{delta} B, {car} B");
}

/// A client that takes both is sent a delta body as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_body_is_not_compressed_again() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let mut bytes = vec![];
    for compress in [Compress::Always, Compress::Never] {
        let sink = holding(&old.blocks);
        let totals = pull(&url, (&old, &new), &sink, |options| {
            always(options);
            options.compress = compress;
        });
        bytes.push(totals.await.bytes_received);
    }
    // `Vary` is all that is more.
    assert!(bytes[0] < bytes[1] + 30, "{bytes:?}");
}

/// Something on the way codes whatever passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_body_that_came_coded_is_read() {
    let (old, new) = versions();
    let store = holding(old.blocks.iter().chain(&new.blocks));
    let router = carpool_http::Server::new(store, ServerOptions::default()).router();
    let router = router.layer(axum::middleware::map_response(coded));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let sink = holding(&old.blocks);
    let totals = pull(&url, (&old, &new), &sink, |options| {
        always(options);
        options.compress = Compress::Always;
    });
    let totals = totals.await;
    assert_eq!(totals.rounds, 1);
    assert!(totals.bytes_received < 3_000, "{} B", totals.bytes_received);
}

async fn coded(response: axum::response::Response) -> axum::response::Response {
    use http_body_util::BodyExt;
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    head.headers.insert("content-encoding", http::HeaderValue::from_static("zstd"));
    head.headers.remove("content-length");
    let body = zstd::encode_all(&body[..], 1).expect("memory");
    axum::response::Response::from_parts(head, body.into())
}

/// What was cut comes as deltas as well, and nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_the_rest_comes() {
    let old = version(&text(8 << 20));
    let changed: Vec<u8> =
        text(8 << 20).chunks(40_000).flat_map(|part| [part, b"and more"].concat()).collect();
    let new = version(&changed);
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let whole = pull(&url, (&old, &new), &holding(&old.blocks), always).await;
    for tenth in [1, 5, 9] {
        let relay = Relay::start(&url, vec![whole.bytes_received * tenth / 10]).await;
        let sink = holding(&old.blocks);
        let totals = pull(&relay.url, (&old, &new), &sink, always).await;
        assert_eq!(totals.duplicate, 0, "{tenth}");
        assert_eq!(totals.blocks_received, whole.blocks_received, "{tenth}");
        assert!(totals.rounds > 1, "{tenth}: it was cut");
        let deltas = totals.encodings.copies.blocks + totals.encodings.compressed.blocks;
        assert!(deltas >= whole.blocks_received, "{tenth}: {:?}", totals.encodings);
        // What waits for a parent is a few bytes a block, so it comes again.
        let most = whole.bytes_received + whole.bytes_received * tenth / 10 + 2_000;
        assert!(totals.bytes_received < most, "{tenth}: {} B", totals.bytes_received);
        assert!(totals.bytes_sent < whole.bytes_sent + 4_000, "{tenth}: {} B", totals.bytes_sent);
    }
}

/// Loses a block once its pull has begun: it is named as held, and is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_lost_costs_a_round() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    let sink = Arc::new(common::Losing::new(holding(&old.blocks), *old.blocks[3].cid()));
    let client = client_with(&url, always);
    let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
    let totals = report.expect("all is there").totals;
    assert!(holds_all(sink.inner(), &new.blocks));
    assert_eq!(totals.rounds, 2);
    // It is told of, and what was held against it goes without it, all else as before.
    assert!(totals.bytes_received < 100_000, "{} B", totals.bytes_received);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_types_are_matched_by_name() {
    let (old, new) = versions();
    let url = serve_default(holding(old.blocks.iter().chain(&new.blocks))).await;
    for (accept, delta) in [
        ("application/vnd.carpool.delta.v1", true),
        ("application/vnd.ipld.car, Application/Vnd.Carpool.Delta.v1; q=0.5", true),
        ("application/vnd.carpool.delta.v1; q=0, application/vnd.ipld.car", false),
        ("*/*", false),
        ("application/*", false),
    ] {
        let url = format!("{url}/api/v0/dag/pull");
        let answer = exchange_taking(url, accept, new.root, old.root).await;
        let kind = answer.content_type.as_deref().expect("a body has one");
        assert_eq!(kind == "application/vnd.carpool.delta.v1", delta, "{accept}: {kind}");
    }
}

/// A delta body that is none, or of other blocks, ends in blocks that are asked for as they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_lies_is_asked_for_as_it_is() {
    let (old, new) = versions();
    let honest = holding(old.blocks.iter().chain(&new.blocks));
    for body in [vec![], vec![0xff; 100], vec![1, 0, 0, 0], vec![1, 5, 0, 0, 1, 2, 3, 4, 5]] {
        let url = common::lie_once(Arc::clone(&honest) as _, body.clone()).await;
        let totals = pull(&url, (&old, &new), &holding(&old.blocks), always).await;
        assert_eq!(totals.rounds, 2, "{body:?}");
    }
}
