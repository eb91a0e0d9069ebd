use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use carpool_pool::{Error, MAX_GOSSIP_BYTES};
use http::StatusCode;

use super::{Server, pools::Id, refusal::Refusal};
use crate::body::collect;

/// `POST /api/v0/pool/{session}`: what a source of a pool, or its sink, says of a session that the sink opened
/// here. Of others nothing is read.
pub(super) async fn hear(
    State(server): State<Server>,
    Path(session): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let Some(pooled) = id_of(&session).and_then(|id| server.between.pools.find(&id)) else {
        server.drain(request).await;
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no such session is open here"));
    };
    let message = collect(request.into_body(), MAX_GOSSIP_BYTES, server.options.pace()).await?;
    match server.between.pools.hear(&pooled, &message) {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(Refusal::new(status(&error), error.to_string())),
    }
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
