use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    response::{IntoResponse, Response},
};
use carpool_mirror::{Source, Status};
use carpool_selector::Order;
use http::{Method, StatusCode, header};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

use super::{Server, observe::Observed, refusal::Refusal, root_of};
use crate::{
    Error,
    body::{ChannelBody, channel, collect},
    driver::SourceDriver,
    message::{self, Dialect, Kind},
    routes,
};

/// `POST /api/v0/dag/pull` (HTTP §2): a status in, a CAR out, streamed depth first.
pub(super) async fn pull(
    State(server): State<Server>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let body = message(&server, request).await?;
    let status = decode(&server, Dialect::Spec, body)?;
    let car = send(&server, observed, status, Order::DepthFirst).await?;
    Ok(([(header::CONTENT_TYPE, routes::CAR)], Body::new(car)).into_response())
}

/// `GET` and `POST /dag/pull/{root}`, as car-mirror 0.1.0 has them: a `GET` without a body asks for
/// everything, breadth first as that peer sends it, without a content type.
pub(super) async fn pull_as_car_mirror(
    State(server): State<Server>,
    Path(root): Path<String>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let root = root_of(&root)?;
    let get = request.method() == Method::GET;
    let body = message(&server, request).await?;
    let status = if get && body.is_empty() {
        Status { want: vec![root], have: None }
    } else {
        decode(&server, Dialect::CarMirror, body)?
    };
    if status.want.is_empty() {
        observed.is_about(&[]);
        return Ok(StatusCode::OK.into_response());
    }
    let car = send(&server, observed, status, Order::BreadthFirst).await?;
    Ok(Body::new(car).into_response())
}

async fn message(server: &Server, request: Request) -> Result<Vec<u8>, Refusal> {
    let (limits, pace) = (&server.options.limits, server.options.pace());
    Ok(collect(request.into_body(), limits.max_message_bytes, pace).await?)
}

fn decode(server: &Server, dialect: Dialect, body: Vec<u8>) -> Result<Status, Refusal> {
    let status = message::decode_vec(dialect, Kind::PullRequest, body, &server.options.limits);
    Ok(status.map_err(Error::from)?)
}

/// The first chunk decides: with it the answer is 200, and what goes wrong later breaks the body
/// off; without one nothing that was asked for is held, which is 404 (HTTP §2.4).
async fn send(
    server: &Server,
    observed: Observed,
    status: Status,
    order: Order,
) -> Result<ChannelBody, Refusal> {
    observed.is_about(&status.want);
    let (options, place) = (&server.options, server.place()?);
    let mut source = Source::new(order, &options.limits, options.seed);
    source.handle_status(status).map_err(Error::from)?;
    let mut car = stream(server, observed, source, place);
    if car.has_any().await? {
        return Ok(car);
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "none of the roots is held here"))
}

/// The CAR as it is made; the channel holds a reader's slowness against the walk.
fn stream(
    server: &Server,
    observed: Observed,
    source: Source,
    place: OwnedSemaphorePermit,
) -> ChannelBody {
    let (mut outgoing, body, alive) = channel(server.options.pace());
    let mut driver = SourceDriver::new(source, Arc::clone(&server.store), observed.progress());
    tokio::task::spawn_blocking(move || {
        let _held = (alive, place);
        match driver.send(None, &mut outgoing) {
            Ok(sent) => {
                observed.lacks(sent.lacks);
                outgoing.finish();
            }
            Err(error) => {
                observed.fails(&error.to_string());
                outgoing.fail(error);
            }
        }
    });
    body
}
