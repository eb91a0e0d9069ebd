use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use carpool_mirror::Source;
use carpool_selector::Order;
use http::{StatusCode, header};
use std::sync::Arc;

use super::{Server, refusal::Refusal};
use crate::{
    Error,
    body::{ChannelBody, channel, collect},
    driver::SourceDriver,
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
    let mut car = stream(&server, source);
    if !car.has_any().await? {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "none of the roots is held here"));
    }
    Ok(([(header::CONTENT_TYPE, routes::CAR)], Body::new(car)).into_response())
}

/// The CAR as it is made; the channel holds a reader's slowness against the walk.
fn stream(server: &Server, source: Source) -> ChannelBody {
    let (mut outgoing, body, alive) = channel();
    let mut driver =
        SourceDriver::new(source, Arc::clone(&server.store), Arc::clone(&server.progress));
    tokio::task::spawn_blocking(move || {
        let _alive = alive;
        match driver.send(None, &mut outgoing) {
            Ok(_) => outgoing.finish(),
            Err(error) => {
                tracing::debug!(%error, "pull broken off");
                outgoing.fail(error);
            }
        }
    });
    body
}
