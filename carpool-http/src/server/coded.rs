use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

use super::{Server, refusal::Refusal, route::Route};
use crate::{
    body::ChannelBody,
    coding::{Coding, TAKEN, Wish, accepted},
};

/// What a client said of codings.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) chose: bool,
    pub(super) wish: Option<Wish>,
}

impl Server {
    /// A place among the bodies in a coding, which lasts until it is dropped.
    fn coded_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.coded).try_acquire_owned().ok()
    }

    /// What the answer to a pull is to be written in, if that pays, and whether the client said
    /// anything about that.
    pub(super) fn choice(&self, headers: &HeaderMap) -> Choice {
        if !self.options.compress || !headers.contains_key(header::ACCEPT_ENCODING) {
            return Choice::default();
        }
        let wish = accepted(headers).and_then(|(coding, always)| {
            let _place = Some(self.coded_place()?);
            Some(Wish { coding, always, _place })
        });
        Choice { chose: true, wish }
    }

    /// Says which codings pushes may be in (RFC 9110, 12.5.3).
    pub(super) fn say_taken(&self, response: &mut Response) {
        if self.options.compress {
            response.headers_mut().insert(header::ACCEPT_ENCODING, taken());
        }
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

pub(super) const fn taken() -> HeaderValue {
    HeaderValue::from_static(TAKEN)
}

/// The headers of a CAR whose first chunk is known, for a client that `chose` codings or did not.
/// What it is in depends on that, also where it is as it is.
pub(super) fn headers(chose: bool, car: &ChannelBody) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if chose {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(coding) = car.coding() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    headers
}
