//! One line in the log and one count in the metrics for each request, once all of it has ended: its
//! answer has gone out or was given up, and no thread works for it any more.

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use carpool_core::Cid;
use http::{Method, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    task::{Context, Poll, ready},
    time::Instant,
};

use super::{Server, metrics::Metrics, route::Route};
use crate::Progress;

/// Characters that a peer chose, in one field of the log.
const MAX_TEXT: usize = 200;

/// Why a request was refused; goes with the answer to whoever logs it.
#[derive(Clone, Debug)]
pub(super) struct Reason(pub(super) String);

/// A request, as those who answer it see it. The line is written when the last of them drops this.
#[derive(Clone, Debug)]
pub(super) struct Observed(Arc<Observation>);

#[derive(Debug)]
struct Observation {
    begun: Instant,
    method: Method,
    route: Route,
    name: Option<String>,
    version: Version,
    peer: Option<SocketAddr>,
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
    found: Mutex<Found>,
}

/// What turns out while the request is answered.
#[derive(Debug, Default)]
struct Found {
    status: Option<StatusCode>,
    wants: Option<u64>,
    root: Option<Cid>,
    /// All of the answer has gone out.
    whole: bool,
    /// Blocks of the DAG are not held here.
    lacking: bool,
    reason: Option<String>,
}

impl Observed {
    fn new(server: &Server, request: &Request) -> Self {
        let (route, last) = Route::of(request.uri().path());
        let progress = Progress::part_of(&server.progress);
        progress.count(|of| &of.requests, 1);
        server.metrics.begun(route);
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let found = Found {
            root: last.filter(|_| route.is_transfer()).and_then(|root| root.parse().ok()),
            ..Found::default()
        };
        Self(Arc::new(Observation {
            begun: Instant::now(),
            method: request.method().clone(),
            route,
            name: last.filter(|_| route == Route::Name).map(printable),
            version: request.version(),
            peer: peer.map(|ConnectInfo(peer)| *peer),
            progress: Arc::new(progress),
            metrics: Arc::clone(&server.metrics),
            found: Mutex::new(found),
        }))
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of this request, which are counted for the server too.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.0.progress)
    }

    /// The CAR Mirror request was understood, and is about so many roots.
    pub(super) fn is_about(&self, wants: usize, first: Option<Cid>) {
        self.0.progress.count(|of| &of.rounds, 1);
        let mut found = self.found();
        found.wants = Some(wants as u64);
        found.root = first.or(found.root);
    }

    /// A block below what was asked for is not held here.
    pub(super) fn lacks(&self, block: Option<Cid>) {
        self.found().lacking = block.is_some();
    }

    /// Why it ends badly; the first reason is the one.
    pub(super) fn fails(&self, reason: &str) {
        self.found().reason.get_or_insert_with(|| printable(reason));
    }

    fn answered(&self, response: &Response) {
        let status = response.status();
        self.found().status = Some(status);
        if !status.is_success() {
            let said = response.extensions().get::<Reason>().map(|Reason(reason)| reason.as_str());
            self.fails(said.or_else(|| status.canonical_reason()).unwrap_or("refused"));
        }
    }
}

/// The layer around all routes.
pub(super) async fn observe(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response {
    let observed = Observed::new(&server, &request);
    let received = counted(&observed, |of| &of.bytes_received, false);
    let mut request = request.map(received);
    request.extensions_mut().insert(observed.clone());
    let response = next.run(request).await;
    observed.answered(&response);
    response.map(counted(&observed, |of| &of.bytes_sent, true))
}

/// Counts the bytes of a body; that of an `answer` says as well that it was read to its end.
fn counted(
    observed: &Observed,
    counter: fn(&Progress) -> &AtomicU64,
    answer: bool,
) -> impl FnOnce(Body) -> Body {
    let observed = observed.clone();
    move |body| {
        let counted = Counted { body, observed, counter, answer };
        counted.note_end();
        Body::new(counted)
    }
}

struct Counted {
    body: Body,
    observed: Observed,
    counter: fn(&Progress) -> &AtomicU64,
    answer: bool,
}

impl Counted {
    /// Nobody polls beyond what a body says is its end.
    fn note_end(&self) {
        if self.answer && self.body.is_end_stream() {
            self.observed.found().whole = true;
        }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.observed.0.progress.count(self.counter, bytes);
                self.note_end();
            }
            Some(Err(error)) => self.observed.fails(&error.to_string()),
            None if self.answer => self.observed.found().whole = true,
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let found = std::mem::take(self.found.get_mut().unwrap_or_else(PoisonError::into_inner));
        let took = self.begun.elapsed();
        // What answers HEAD has a body that nobody reads.
        let whole = found.whole || (found.status.is_some() && self.method == Method::HEAD);
        self.metrics.ended(self.route, found.status, whole, took);
        let cut = match found.status {
            None => Some("the connection broke before the answer"),
            Some(_) if !whole => Some("the answer was not read to its end"),
            Some(_) => None,
        };
        let complete = whole && !found.lacking && found.status == Some(StatusCode::OK);
        self.log(&found, found.reason.as_deref().or(cut), complete);
    }
}

impl Observation {
    /// Of scrapes, which come every few seconds, only those that fail are told at once.
    fn log(&self, found: &Found, reason: Option<&str>, complete: bool) {
        let (totals, transfer) = (self.progress.totals(), self.route.is_transfer());
        let of_transfer = |n: u64| transfer.then_some(n);
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    target: "carpool::request",
                    tracing::Level::$level,
                    method = method(&self.method),
                    route = self.route.name(),
                    version = ?self.version,
                    dialect = self.route.dialect().map(tracing::field::display),
                    status = found.status.map(|status| status.as_u16()),
                    peer = self.peer.map(tracing::field::display),
                    root = found.root.map(tracing::field::display),
                    name = self.name.as_deref(),
                    wants = found.wants,
                    rounds = of_transfer(totals.rounds),
                    bytes_in = totals.bytes_received,
                    bytes_out = totals.bytes_sent,
                    blocks_in = of_transfer(totals.blocks_received),
                    blocks_out = of_transfer(totals.blocks_sent),
                    duplicates = of_transfer(totals.duplicate),
                    complete = transfer.then_some(complete),
                    seconds = self.begun.elapsed().as_secs_f64(),
                    reason,
                    "request"
                )
            };
        }
        match (self.route, reason) {
            (Route::Metrics | Route::Listen, None) => line!(DEBUG),
            _ => line!(INFO),
        }
    }
}

/// Methods that anybody knows; others are a peer's words.
fn method(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    if known.contains(method) || *method == Method::OPTIONS { method.as_str() } else { "other" }
}

/// A peer's words, made fit for a log: short, in one line, in one direction.
fn printable(text: &str) -> String {
    let strange = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let fit = |c| if strange(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut short: String = text.chars().take(MAX_TEXT).map(fit).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_stays_one_short_line() {
        assert_eq!(printable("a\r\nINFO b\u{1b}[2J\u{202e}c"), "a��INFO b�[2J�c");
        assert_eq!(printable(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(printable(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }
}
