//! What a server counts, in Prometheus' [text format] 0.0.4. Labels come from closed sets, so that no
//! peer makes a series.
//!
//! [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Server,
    fetch::End,
    filling::{FillTally, NotBegun},
    route::Route,
    sessions::SessionTally,
};
use crate::Totals;

/// Upper bounds of the buckets of the durations, in seconds.
const BUCKETS: [f64; 7] = [0.005, 0.025, 0.1, 0.5, 2.5, 30.0, 600.0];

/// Classes of how requests ended; the last one is that of requests without an answer.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// Why requests were refused: each status that the server gives, and what is left.
const REFUSALS: [(u16, &str); 16] = [
    (400, "malformed"),
    (401, "token"),
    (403, "read_only"),
    (404, "not_found"),
    (405, "method"),
    (408, "cut"),
    (409, "conflict"),
    (413, "too_large"),
    (415, "encoding"),
    (422, "bad_block"),
    (429, "too_many"),
    (500, "failed"),
    (503, "busy"),
    (507, "disk_full"),
    (499, "client"),
    (599, "server"),
];

/// What the server has counted beside its [`Progress`](crate::Progress).
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    connections: u64,
    requests: u64,
    transfers: u64,
    cut: u64,
    refused: [u64; REFUSALS.len()],
    routes: [OfRoute; Route::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct OfRoute {
    classes: [u64; CLASSES.len()],
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
}

impl Metrics {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begun(&self, route: Route) {
        let mut tally = self.tally();
        tally.requests += 1;
        tally.transfers += u64::from(route.is_transfer());
    }

    /// A request has ended: with `status`, or with no answer; `whole` when all of it went out.
    pub(super) fn ended(
        &self,
        route: Route,
        status: Option<StatusCode>,
        whole: bool,
        took: Duration,
    ) {
        let mut tally = self.tally();
        tally.requests -= 1;
        tally.transfers -= u64::from(route.is_transfer());
        tally.cut += u64::from(!whole);
        if let Some(at) = status.and_then(refusal) {
            tally.refused[at] += 1;
        }
        tally.routes[route as usize].ended(status, took);
    }
}

/// A connection, counted until this is dropped.
pub(super) struct OpenConnection(Arc<Metrics>);

impl OpenConnection {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.tally().connections += 1;
        Self(Arc::clone(metrics))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.tally().connections -= 1;
    }
}

impl OfRoute {
    fn ended(&mut self, status: Option<StatusCode>, took: Duration) {
        let class =
            status.map_or(CLASSES.len() - 1, |status| usize::from(status.as_u16() / 100 - 1));
        self.classes[class.min(CLASSES.len() - 1)] += 1;
        self.seconds += took.as_secs_f64();
        if let Some(at) = BUCKETS.iter().position(|bound| took.as_secs_f64() <= *bound) {
            self.buckets[at] += 1;
        }
    }
}

/// Which of the refusals a status is; `None` for a success.
fn refusal(status: StatusCode) -> Option<usize> {
    let at = |code| REFUSALS.iter().position(|(known, _)| *known == code);
    at(status.as_u16()).or_else(|| match status.as_u16() {
        400..=499 => at(499),
        500..=599 => at(599),
        _ => None,
    })
}

/// `GET /metrics`.
pub(super) async fn show(State(server): State<Server>) -> Response {
    let sessions = server.sessions.tally();
    let fills = server.filling.tally();
    let page = page(&server.metrics.tally(), &server.progress.totals(), sessions, &fills);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

fn page(tally: &Tally, totals: &Totals, sessions: SessionTally, fills: &FillTally) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    page.family("carpool_build_info", "gauge", "The version that runs.");
    page.sample("carpool_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.singles("gauge", gauges(tally, sessions));
    page.singles("counter", counters(tally, totals, sessions));
    refusals(&mut page, tally);
    requests(&mut page, tally);
    durations(&mut page, tally);
    filled(&mut page, fills);
    page.0
}

/// Families of one sample each, as `(name, help, value)`.
type Singles<const N: usize> = [(&'static str, &'static str, u64); N];

fn gauges(tally: &Tally, sessions: SessionTally) -> Singles<5> {
    [
        ("carpool_http_connections_open", "Connections open now.", tally.connections),
        ("carpool_http_requests_in_flight", "Requests under way now.", tally.requests),
        ("carpool_transfers_in_flight", "Pulls and pushes under way now.", tally.transfers),
        ("carpool_sessions_open", "Sessions remembered now.", sessions.sessions),
        ("carpool_sessions_bytes", "Bytes of what is remembered of them.", sessions.bytes),
    ]
}

fn counters(tally: &Tally, totals: &Totals, sessions: SessionTally) -> Singles<8> {
    [
        ("carpool_http_requests_cut_total", "Requests cut before their end.", tally.cut),
        ("carpool_http_received_bytes_total", "Bytes of bodies in.", totals.bytes_received),
        ("carpool_http_sent_bytes_total", "Bytes of bodies out.", totals.bytes_sent),
        ("carpool_blocks_received_total", "Blocks wanted and verified.", totals.blocks_received),
        ("carpool_blocks_sent_total", "Blocks sent.", totals.blocks_sent),
        ("carpool_blocks_duplicate_total", "Blocks that came although held.", totals.duplicate),
        ("carpool_rounds_total", "CAR Mirror requests.", totals.rounds),
        ("carpool_sessions_evicted_total", "Sessions forgotten for age or room.", sessions.evicted),
    ]
}

fn refusals(page: &mut Page, tally: &Tally) {
    let name = "carpool_http_refusals_total";
    page.family(name, "counter", "Requests refused, by reason.");
    for ((_, reason), refused) in REFUSALS.iter().zip(tally.refused) {
        page.sample(name, &[("reason", reason)], refused);
    }
}

fn requests(page: &mut Page, tally: &Tally) {
    let name = "carpool_http_requests_total";
    page.family(name, "counter", "Requests that have ended.");
    for (route, of) in Route::ALL.iter().zip(&tally.routes) {
        for (class, requests) in CLASSES.iter().zip(of.classes) {
            let dialect = route.dialect_name();
            let labels = [("route", route.name()), ("dialect", dialect), ("status", class)];
            page.sample(name, &labels, requests);
        }
    }
}

fn durations(page: &mut Page, tally: &Tally) {
    let name = "carpool_http_request_duration_seconds";
    page.family(name, "histogram", "From the head of a request to the end of its answer.");
    for (route, of) in Route::ALL.iter().zip(&tally.routes) {
        let (route, bucket) = (("route", route.name()), format!("{name}_bucket"));
        let mut below = 0;
        for (bound, requests) in BUCKETS.iter().zip(of.buckets) {
            below += requests;
            page.sample(&bucket, &[route, ("le", &bound.to_string())], below);
        }
        let all: u64 = of.classes.iter().sum();
        page.sample(&bucket, &[route, ("le", "+Inf")], all);
        page.sample(&format!("{name}_sum"), &[route], of.seconds);
        page.sample(&format!("{name}_count"), &[route], all);
    }
}

/// What was fetched from peers.
fn filled(page: &mut Page, fills: &FillTally) {
    let under_way = ("carpool_fills_in_flight", "DAGs fetched from peers now.", fills.under_way);
    page.singles("gauge", [under_way]);
    let bytes = "Bytes received from peers.";
    page.singles(
        "counter",
        [
            ("carpool_fill_blocks_total", "Blocks fetched from peers.", fills.blocks),
            ("carpool_fill_received_bytes_total", bytes, fills.bytes_received),
        ],
    );
    let name = "carpool_fills_total";
    page.family(name, "counter", "DAGs fetched from peers, by how that ended.");
    for (end, fills) in End::ALL.iter().zip(fills.ended) {
        page.sample(name, &[("end", end.name())], fills);
    }
    let name = "carpool_fills_not_begun_total";
    page.family(name, "counter", "DAGs that were not fetched for a request, by reason.");
    for ((_, reason), times) in NotBegun::ALL.iter().zip(fills.not_begun) {
        page.sample(name, &[("reason", reason)], times);
    }
}

/// The text format. Help and the values of labels are our own words: nothing in them is escaped.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn singles<const N: usize>(&mut self, kind: &str, singles: Singles<N>) {
        for (name, help, value) in singles {
            self.family(name, kind, help);
            self.sample(name, &[], value);
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.0 += name;
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}
