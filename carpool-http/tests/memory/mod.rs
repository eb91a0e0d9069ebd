//! What a request costs a server in memory; one test a process, since the allocator counts all.
#![allow(dead_code, reason = "each test uses a part of it")]

use axum::body::Body;
use carpool_http::Server;
use http_body_util::BodyExt;
use peak_alloc::PeakAlloc;
use tower::Service;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

pub(crate) const MIB: usize = 1 << 20;

/// Bytes at the peak of handling, beyond what was there before and the request's own, which are
/// copied once as they come.
pub(crate) async fn beyond(server: &Server, path: &str, kind: &str, body: &[u8]) -> usize {
    let request = http::Request::post(path).header("content-type", kind);
    let request = request.body(Body::from(body.to_vec())).expect("a request");
    let (beyond, _) = beyond_request(server, request).await;
    beyond.saturating_sub(body.len())
}

/// Bytes at the peak of handling, beyond what was there before, and the status of the answer. What C
/// code allocates, such as the window of zstd, is not among them.
pub(crate) async fn beyond_request(
    server: &Server,
    request: http::Request<Body>,
) -> (usize, http::StatusCode) {
    let mut router = server.router();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let answer = router.call(request).await.expect("an answer");
    let status = answer.status();
    drop(answer.into_body().collect().await);
    (MEMORY.peak_usage().saturating_sub(before), status)
}
