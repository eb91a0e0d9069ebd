use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use carpool_pool::{Error, MAX_GOSSIP_BYTES};
use http::{StatusCode, header};
use std::sync::Arc;

use super::{
    Server,
    pools::{Id, Pooled},
    refusal::Refusal,
};
use crate::{body::collect, said};

/// `POST /api/v0/pool/{session}`: what a source of a pool, or its sink, says of a session that the sink opened
/// here. Of others nothing is read.
pub(super) async fn hear(
    State(server): State<Server>,
    Path(session): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let Some(pooled) = pooled(&server, &session) else {
        server.drain(request).await;
        return Err(not_open());
    };
    let message = collect(request.into_body(), MAX_GOSSIP_BYTES, server.options.pace()).await?;
    match server.between.pools.hear(&pooled, &message) {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(Refusal::new(status(&error), error.to_string())),
    }
}

/// `GET /api/v0/pool/{session}/{after}`: what this server said in a session, from this number on. It waits for
/// something to be said, for a while, and while there is a pull of the session.
pub(super) async fn listen(
    State(server): State<Server>,
    Path((session, after)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let pooled = pooled(&server, &session).ok_or_else(not_open)?;
    let digits = after.bytes().all(|c| c.is_ascii_digit());
    let after = digits.then(|| after.parse().ok()).flatten();
    let after =
        after.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "the path names no number"))?;
    let said = pooled.listen(after, said::WAIT).await;
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, said.encode()).into_response())
}

fn pooled(server: &Server, session: &str) -> Option<Arc<Pooled>> {
    id_of(session).and_then(|id| server.between.pools.find(&id))
}

fn not_open() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such session is open here")
}

fn id_of(text: &str) -> Option<Id> {
    let digits = text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

const fn status(error: &Error) -> StatusCode {
    if matches!(error, Error::Forged) {
        StatusCode::FORBIDDEN
    } else if matches!(error, Error::TooMany { .. } | Error::Saturated { .. }) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    }
}
