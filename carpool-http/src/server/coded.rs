use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

use super::{Server, refusal::Refusal, route::Route};
use crate::{
    body::ChannelBody,
    coding::{Coding, TAKEN, Wish, accepted},
};

impl Server {
    /// A place among the bodies in a coding, which lasts until it is dropped.
    fn coded_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.coded).try_acquire_owned().ok()
    }

    /// What the answer to a pull is to be written in, if that pays.
    pub(super) fn wish(&self, headers: &HeaderMap) -> Option<Wish> {
        let (coding, always) = accepted(headers).filter(|_| self.options.compress)?;
        let _place = Some(self.coded_place()?);
        Some(Wish { coding, always, _place })
    }

    /// The coding of a push that was [checked](check), and its place.
    pub(super) fn unpacked(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<(Coding, OwnedSemaphorePermit)>, Refusal> {
        let Some(coding) = Coding::of_body(headers)? else { return Ok(None) };
        let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many compressed bodies");
        Ok(Some((coding, self.coded_place().ok_or_else(busy)?)))
    }
}

/// Messages are taken as they are, CARs of pushes in one known coding as well.
pub(super) fn check(server: &Server, request: &Request) -> Result<(), Refusal> {
    let (route, _) = Route::of(request.uri().path());
    let may = server.options.compress && route.is_push();
    let unread = |what: &str| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what).taking(may);
    match Coding::of_body(request.headers()) {
        Ok(None) => Ok(()),
        Ok(Some(_)) if may => Ok(()),
        Ok(Some(_)) => Err(unread("this body is taken as it is, without a content encoding")),
        Err(error) => Err(unread(&error.to_string())),
    }
}

/// Who reads a name or has pushed is likely to push next, and knows then how it may (RFC 9110,
/// 12.5.3).
pub(super) async fn says_taken(State(server): State<Server>, mut response: Response) -> Response {
    if server.options.compress {
        response.headers_mut().insert(header::ACCEPT_ENCODING, taken());
    }
    response
}

pub(super) const fn taken() -> HeaderValue {
    HeaderValue::from_static(TAKEN)
}

/// The headers of a CAR whose first chunk is known. What it is in depends on what was asked for,
/// also where it is as it is.
pub(super) fn headers(server: &Server, car: &ChannelBody) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if server.options.compress {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(coding) = car.coding() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    headers
}
