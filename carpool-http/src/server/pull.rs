use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use carpool_mirror::Source;
use carpool_selector::Order;
use http::{StatusCode, header};
use std::sync::Arc;
use tokio::sync::mpsc;

use super::{Server, refusal::Refusal};
use crate::{
    Error,
    body::{ChannelBody, collect},
    driver::{CHANNEL_CHUNKS, SourceDriver},
    message::{self, Kind},
    progress::add,
    routes,
};

/// `POST /api/v0/dag/pull` (HTTP §2): a status in, a CAR out, streamed depth first.
///
/// The first chunk decides: with it the answer is 200, and what goes wrong later breaks the body
/// off; without one nothing that was asked for is held, which is 404 (HTTP §2.4).
pub(super) async fn pull(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, Refusal> {
    let (limits, stall) = (&server.options.limits, server.options.stall_timeout);
    add(&server.progress.requests, 1);
    let body = collect(request.into_body(), limits.max_message_bytes, stall).await?;
    let status = message::decode(Kind::PullRequest, &body, limits).map_err(Error::from)?;
    let mut source = Source::new(Order::DepthFirst, limits, server.options.seed);
    source.handle_status(status).map_err(Error::from)?;
    let mut chunks = stream(&server, source);
    match chunks.recv().await {
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "none of the roots is held here")),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(first)) => {
            let body = Body::new(ChannelBody::new(Some(first), chunks));
            Ok(([(header::CONTENT_TYPE, routes::CAR)], body).into_response())
        }
    }
}

/// Chunks of the CAR as they are made; the channel holds a reader's slowness against the walk.
fn stream(server: &Server, source: Source) -> mpsc::Receiver<Result<bytes::Bytes, Error>> {
    let (outgoing, chunks) = mpsc::channel(CHANNEL_CHUNKS);
    let mut driver =
        SourceDriver::new(source, Arc::clone(&server.store), Arc::clone(&server.progress));
    tokio::task::spawn_blocking(move || {
        let broken = outgoing.clone();
        if let Err(error) = driver.send(None, outgoing) {
            tracing::debug!(%error, "pull broken off");
            let _ = broken.blocking_send(Err(error));
        }
    });
    chunks
}
