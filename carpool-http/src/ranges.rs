//! A resource that is read in pieces
//! ([RFC 9110, range requests](https://www.rfc-editor.org/rfc/rfc9110#name-range-requests)).

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use std::sync::Arc;

use crate::{
    ClientOptions, Error, Progress, Result,
    body::collect,
    client::{Http, broken, full, header_map, hyper_client},
    joined::Joined,
    progress::add,
};

/// A resource at an HTTP server that answers range requests.
///
/// What it is must not change while it is read: each answer is held to the length and the entity
/// tag of the first.
#[derive(Clone, Debug)]
pub struct Ranges {
    http: Http,
    uri: Uri,
    headers: HeaderMap,
    options: Arc<ClientOptions>,
    progress: Arc<Progress>,
    /// What the first answer said of the resource.
    seen: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    total: Option<u64>,
    tag: Option<Vec<u8>>,
}

/// What a server has sent of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranged {
    /// The bytes: fewer than were asked for only where the resource ends.
    pub bytes: Bytes,
    /// The length of the resource in bytes, where the server knows it.
    pub total: Option<u64>,
}

impl Ranges {
    /// The resource at `url`, `http` or `https`.
    ///
    /// # Errors
    /// [`Error::Usage`] for a URL or header that cannot be used.
    pub fn new(url: &str, options: ClientOptions) -> Result<Self> {
        let url = url.split('#').next().unwrap_or(url);
        let wrong = || Error::Usage(format!("{url:?} is no http or https URL"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(wrong());
        }
        let progress = Arc::new(Progress::default());
        let headers = header_map(&options.headers)?;
        let http = hyper_client(&options, &progress)?;
        Ok(Self { http, uri, headers, options: Arc::new(options), progress, seen: None })
    }

    /// The counters of all that this does.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Up to `len` bytes at `offset`; none where the resource ends before.
    ///
    /// # Errors
    /// [`Error::Status`] when the server does not answer ranges, answers another range, or what it
    /// has is no longer what it was; [`Error::Cut`] when fewer bytes come than the answer's head
    /// promises; any other [`Error`].
    pub async fn read_at(&mut self, offset: u64, len: usize) -> Result<Ranged> {
        let Some(last) = (len as u64).checked_sub(1).and_then(|n| offset.checked_add(n)) else {
            let total = self.seen.as_ref().and_then(|seen| seen.total);
            return Ok(Ranged { bytes: Bytes::new(), total });
        };
        let response = self.ask(offset, last).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => self.partial(response, offset, last).await,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let total = content_range(response.headers()).and_then(|range| range.total);
                Ok(Ranged { bytes: Bytes::new(), total })
            }
            StatusCode::OK => Err(unexpected(&response, "it does not answer range requests")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let (status, reason) = (response.status(), "it refuses".to_owned());
                Err(Error::Refused { status, reason })
            }
            _ => Err(unexpected(&response, "no part of a file")),
        }
    }

    async fn ask(&self, first: u64, last: u64) -> Result<Response<Incoming>> {
        add(&self.progress.requests, 1);
        let request = Request::builder().method(Method::GET).uri(self.uri.clone());
        let mut request = request
            .body(Joined::new(full(Bytes::new()), 0))
            .map_err(|error| Error::Usage(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let range = format!("bytes={first}-{last}").parse();
        request.headers_mut().insert(header::RANGE, range.expect("digits make a header"));
        let answer = tokio::time::timeout(self.options.stall_timeout, self.http.request(request));
        let answer = answer.await.map_err(|_| Error::Cut("no answer in time".into()))?;
        answer.map_err(broken)
    }

    async fn partial(
        &mut self,
        response: Response<Incoming>,
        first: u64,
        last: u64,
    ) -> Result<Ranged> {
        let range = content_range(response.headers()).and_then(|range| {
            let (from, to) = range.bytes?;
            (from == first && (first..=last).contains(&to)).then_some((to - first + 1, range.total))
        });
        let (len, total) = range.ok_or_else(|| unexpected(&response, "another range"))?;
        if len < last - first + 1 && total.is_some_and(|total| total != first + len) {
            return Err(unexpected(&response, "less than the range"));
        }
        self.hold_to(&response, total)?;
        let max = usize::try_from(len).map_err(|_| Error::TooLarge { max: len })?;
        let bytes = collect(response.into_body(), max, self.options.pace()).await?;
        if bytes.len() < max {
            return Err(Error::Cut(format!("{} of {len} bytes came", bytes.len())));
        }
        Ok(Ranged { bytes: bytes.into(), total })
    }

    fn hold_to(&mut self, response: &Response<Incoming>, total: Option<u64>) -> Result<()> {
        let tag = response.headers().get(header::ETAG).map(|tag| tag.as_bytes().to_vec());
        let now = Seen { total, tag };
        if self.seen.as_ref().is_some_and(|seen| *seen != now) {
            return Err(unexpected(response, "it has changed while it was read"));
        }
        self.seen = Some(now);
        Ok(())
    }
}

fn unexpected(response: &Response<Incoming>, reason: &str) -> Error {
    Error::Status { status: response.status(), reason: reason.to_owned() }
}

/// The value of `Content-Range`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    /// The first and the last byte; none where the range was not to be had.
    bytes: Option<(u64, u64)>,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    parse_range(headers.get(header::CONTENT_RANGE)?.to_str().ok()?)
}

fn parse_range(value: &str) -> Option<ContentRange> {
    let (range, total) = value.strip_prefix("bytes ")?.trim().split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    let bytes = match range.split_once('-') {
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
        None if range == "*" => None,
        None => return None,
    };
    let inside = bytes.is_none_or(|(first, last)| {
        first <= last && last < u64::MAX && total.is_none_or(|total| last < total)
    });
    inside.then_some(ContentRange { bytes, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_refused() {
        let range = |bytes, total| Some(ContentRange { bytes, total });
        assert_eq!(parse_range("bytes 0-9/10"), range(Some((0, 9)), Some(10)));
        assert_eq!(parse_range("bytes 5-9/*"), range(Some((5, 9)), None));
        assert_eq!(parse_range("bytes */10"), range(None, Some(10)));
        for bad in ["", "bytes", "bytes 0-10/10", "bytes 9-8/10", "bits 0-9/10", "bytes 0/10"] {
            assert_eq!(parse_range(bad), None, "{bad}");
        }
    }
}
