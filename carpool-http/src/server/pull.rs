use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use carpool_core::Bytes;
use carpool_mirror::{Source, Status};
use carpool_selector::Order;
use http::{Method, StatusCode, header};
use std::sync::Arc;

use super::{Server, refusal::Refusal, root_of};
use crate::{
    Error,
    body::{ChannelBody, channel, collect},
    driver::SourceDriver,
    message::{self, Dialect, Kind},
    progress::add,
    routes,
};

/// `POST /api/v0/dag/pull` (HTTP §2): a status in, a CAR out, streamed depth first.
pub(super) async fn pull(
    State(server): State<Server>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = message(&server, request).await?;
    let status = decode(&server, Dialect::Spec, &body)?;
    let car = send(&server, status, Order::DepthFirst).await?;
    Ok(([(header::CONTENT_TYPE, routes::CAR)], Body::new(car)).into_response())
}

/// `GET` and `POST /dag/pull/{root}`, as car-mirror 0.1.0 has them: a `GET` without a body asks for
/// everything, breadth first as that peer sends it, without a content type.
pub(super) async fn pull_as_car_mirror(
    State(server): State<Server>,
    Path(root): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let root = root_of(&root)?;
    let get = request.method() == Method::GET;
    let body = message(&server, request).await?;
    let status = if get && body.is_empty() {
        Status { want: vec![root], have: None }
    } else {
        decode(&server, Dialect::CarMirror, &body)?
    };
    if status.want.is_empty() {
        return Ok(StatusCode::OK.into_response());
    }
    let car = send(&server, status, Order::BreadthFirst).await?;
    Ok(Body::new(car).into_response())
}

async fn message(server: &Server, request: Request) -> Result<Bytes, Refusal> {
    add(&server.progress.requests, 1);
    let (limits, stall) = (&server.options.limits, server.options.stall_timeout);
    Ok(collect(request.into_body(), limits.max_message_bytes, stall).await?)
}

fn decode(server: &Server, dialect: Dialect, body: &Bytes) -> Result<Status, Refusal> {
    let status = message::decode(dialect, Kind::PullRequest, body, &server.options.limits);
    Ok(status.map_err(Error::from)?)
}

/// The first chunk decides: with it the answer is 200, and what goes wrong later breaks the body
/// off; without one nothing that was asked for is held, which is 404 (HTTP §2.4).
async fn send(server: &Server, status: Status, order: Order) -> Result<ChannelBody, Refusal> {
    let options = &server.options;
    let mut source = Source::new(order, &options.limits, options.seed);
    source.handle_status(status).map_err(Error::from)?;
    let mut car = stream(server, source);
    if car.has_any().await? {
        return Ok(car);
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "none of the roots is held here"))
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
