use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use carpool_store::SetName;
use http::StatusCode;

use super::{Server, refusal::Refusal};
use crate::{
    NameRecord, Result, SetNameRequest,
    client::blocking,
    names::{Conflict, NameList},
};

/// `GET /api/v0/names`.
pub(super) async fn list(State(server): State<Server>) -> Result<Response, Refusal> {
    let names = blocking(move || server.store.names()).await?;
    let names = names.into_iter().map(|(name, entry)| NameRecord::new(name, &entry)).collect();
    Ok(Json(NameList { names }).into_response())
}

/// `GET /api/v0/names/{name}`.
pub(super) async fn read(
    State(server): State<Server>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let entry = {
        let name = name.clone();
        blocking(move || server.store.name(&name)).await?
    };
    match entry {
        Some(entry) => Ok(Json(NameRecord::new(name, &entry)).into_response()),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "no such name")),
    }
}

/// `PUT /api/v0/names/{name}`: compare and set. The DAG has to be held, so that whoever pulls the
/// name finds all of it.
pub(super) async fn set(
    State(server): State<Server>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    if server.options.read_only {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this server is read-only"));
    }
    let request: SetNameRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    blocking(move || compare_and_set(&server, name, &request)).await
}

fn compare_and_set(
    server: &Server,
    name: String,
    request: &SetNameRequest,
) -> Result<Response, Refusal> {
    if !server.holds(request.root)? {
        let reason = format!("the DAG below {} is not all held here", request.root);
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
    }
    match server.store.set_name(&name, request.expected.into(), &request.root)? {
        SetName::Set(entry) => Ok(Json(NameRecord::new(name, &entry)).into_response()),
        SetName::Conflict { current } => {
            let current = current.map(|entry| NameRecord::new(name, &entry));
            Ok((StatusCode::CONFLICT, Json(Conflict { current })).into_response())
        }
    }
}
