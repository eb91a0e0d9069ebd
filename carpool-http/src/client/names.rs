use bytes::Bytes;
use carpool_core::Cid;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::{Client, full};
use crate::{
    Error, NameRecord, Result, SetNameRequest,
    body::collect,
    names::{Conflict, NameList},
    routes,
};

impl Client {
    /// What `name` points to on the server; `None` when it was never set there.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn name(&self, name: &str) -> Result<Option<NameRecord>> {
        let (status, body) = self.json(Method::GET, &name_path(name), Bytes::new()).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => parse(status, &body).map(Some),
        }
    }

    /// All names of the server, sorted.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn names(&self) -> Result<Vec<NameRecord>> {
        let (status, body) = self.json(Method::GET, routes::NAMES, Bytes::new()).await?;
        parse::<NameList>(status, &body).map(|list| list.names)
    }

    /// Points `name` to `root` if it is what was expected; the server must hold all of the DAG.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name is not what was expected; any other [`Error`].
    pub async fn set_name(
        &self,
        name: &str,
        root: Cid,
        expected: Option<Cid>,
    ) -> Result<NameRecord> {
        let request = SetNameRequest { root, expected };
        let request = serde_json::to_vec(&request).map_err(|e| Error::Usage(e.to_string()))?;
        let (status, body) = self.json(Method::PUT, &name_path(name), request.into()).await?;
        if status == StatusCode::CONFLICT {
            return Err(conflict(&body)?);
        }
        parse(status, &body)
    }

    /// The error that a 409 stands for.
    pub(super) async fn conflict(&self, response: Response<Incoming>) -> Error {
        let max = self.options.limits.max_message_bytes;
        match collect(response.into_body(), max, self.options.pace()).await {
            Ok(body) => conflict(&body).unwrap_or_else(|error| error),
            Err(error) => error,
        }
    }

    /// Finds out whether the server reads the extension, and takes the key that it gives to those
    /// who come: a request and no more, and no error where it does not answer.
    pub(super) async fn greet(&self) {
        drop(self.json(Method::HEAD, routes::NAMES, Bytes::new()).await);
    }

    async fn json(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Vec<u8>)> {
        let stall = self.options.stall_timeout;
        let sent = self.send(method, path, Some("application/json"), full(body));
        let response = tokio::time::timeout(stall, sent).await;
        let response = response.map_err(|_| Error::Cut("no answer in time".into()))??;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.refusal(response).await);
        }
        let max = self.options.limits.max_message_bytes;
        Ok((status, collect(response.into_body(), max, self.options.pace()).await?))
    }
}

/// What the name points to in truth.
fn conflict(body: &[u8]) -> Result<Error> {
    let conflict: Conflict = parse(StatusCode::OK, body)?;
    Ok(Error::Conflict { current: conflict.current.map(|record| record.root) })
}

fn name_path(name: &str) -> String {
    format!("{}/{}", routes::NAMES, utf8_percent_encode(name, NON_ALPHANUMERIC))
}

fn parse<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T> {
    let reason = || String::from_utf8_lossy(&body[..body.len().min(1024)]).trim().to_owned();
    if !status.is_success() {
        return Err(Error::Status { status, reason: reason() });
    }
    serde_json::from_slice(body).map_err(|error| Error::Status {
        status,
        reason: format!("not the JSON that was expected: {error}"),
    })
}
