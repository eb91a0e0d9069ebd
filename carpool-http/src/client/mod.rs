//! The client: one per transfer, so that its counters are the transfer's.

mod acquaintances;
mod compress;
mod connection;
mod events;
mod named;
mod names;
mod patience;
mod planning;
mod pooled;
mod pull;
mod push;
mod sketching;
mod speech;

use bytes::Bytes;
use carpool_core::Limits;
use carpool_mirror::{
    extension::{self, Answer, Offer, Plans},
    planner::{Encoding, Path, Step},
    sketch::NamedKey,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    Error, Progress, Result,
    body::collect,
    joined::{Joined, PIECE_BYTES},
    message::Dialect,
    pace::Pace,
    progress::add,
};
pub use acquaintances::Acquaintances;
use acquaintances::now;
pub use compress::Compress;
use connection::CountingConnector;
pub use events::{Call, End, Event, FilterSize, Listener, Round, Wants};
pub use named::NamedReport;
pub(crate) use pooled::Hello;
pub use pull::PullReport;
pub(crate) use pull::is_delta;
pub use push::PushReport;
use speech::Speech;

/// How a client behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Limits on what the server sends.
    pub limits: Limits,
    /// Headers that go with every request, as `(name, value)`.
    pub headers: Vec<(String, String)>,
    /// The dialect that the server speaks. Default: found out, from the base URL and from what the
    /// server answers.
    pub dialect: Option<Dialect>,
    /// Speak HTTP/2 over cleartext at once. Over TLS the version is negotiated. Default false.
    pub http2: bool,
    /// More roots of trust for `https`, as PEM, beside those of the system.
    pub extra_roots: Vec<u8>,
    /// Bytes of the largest DAG that is sent whole to a server of which nothing is known; of a
    /// larger one the root is sent first. At most 1 MiB. Default 64 KiB.
    pub cold_call_bytes: u64,
    /// How often in a row a transfer is taken up again without a block having come. Default 4.
    pub retries: u32,
    /// How long a connection may take to come up. Default 10 s.
    pub connect_timeout: Duration,
    /// How long a body, or the answer to a request, may stand still. Default 60 s.
    pub stall_timeout: Duration,
    /// What a body has to move in that time, in bytes a second, whoever sends it. Default 1,024.
    pub min_bytes_per_second: u64,
    /// A pull that is told of no old root is narrowed by all of a store that holds at most so many
    /// blocks; each costs a look, and three bytes of a filter. Default 4,096.
    pub small_store_blocks: usize,
    /// What lies between client and server, where that is known. Default: the round trip is the time
    /// that a connection took to come up, and what is not known is
    /// [`Path::ASSUMED`](carpool_mirror::planner::Path::ASSUMED).
    pub path: Option<Path>,
    /// The one step to take, where client and server can; for whoever compares them. Default: what a
    /// [`plan`](carpool_mirror::planner::plan) puts first.
    pub strategy: Option<Step>,
    /// Whether blocks may come as what differs from those below an old root. Default: where the server is
    /// not on this machine or beside it.
    pub deltas: Deltas,
    /// When CARs travel compressed: in pulls in zstd or gzip, in pushes in zstd, to servers that said
    /// that they take it. What does not compress goes as it is in any case. Default
    /// [`Compress::Auto`].
    pub compress: Compress,
    /// What is known of servers from transfers before, and of this one afterwards; to be shared by the
    /// clients of one process, and to be kept for the next. Default: nothing yet.
    pub acquaintances: Acquaintances,
    /// What the server calls what is transferred, if it has a name: the size of the last change, of
    /// which a plan makes use, is remembered by it. Default: by the server alone.
    pub name: Option<String>,
    /// Who is told of each round. Default nobody.
    pub listener: Option<Listener>,
    /// Seed of hash tables; a random one where servers are strangers.
    pub seed: u64,
}

/// When a client takes delta bodies (`docs/delta.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deltas {
    /// Where [`Encoding::on`] says that it pays; a server within a millisecond counts as near until a body
    /// showed what rate there is.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            headers: Vec::new(),
            dialect: None,
            http2: false,
            extra_roots: Vec::new(),
            cold_call_bytes: 64 << 10,
            retries: 4,
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(60),
            min_bytes_per_second: 1024,
            small_store_blocks: 4096,
            path: None,
            strategy: None,
            deltas: Deltas::default(),
            compress: Compress::Auto,
            acquaintances: Acquaintances::default(),
            name: None,
            listener: None,
            seed: 0,
        }
    }
}

impl ClientOptions {
    pub(crate) const fn pace(&self) -> Pace {
        Pace { stall: self.stall_timeout, bytes_per_second: self.min_bytes_per_second }
    }
}

/// What a round takes however near the server is, in microseconds: both sides look blocks up, and
/// threads take turns.
const LEAST_ROUND: u64 = 1_000;

type RequestBody = UnsyncBoxBody<Bytes, Error>;
pub(crate) type Http = HyperClient<HttpsConnector<CountingConnector>, Joined<RequestBody>>;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    base: String,
    speech: Arc<Speech>,
    /// Whether the server has said that it reads the extension.
    extended: Arc<AtomicBool>,
    /// What the server has said that it does with the plans of pools.
    plans: Arc<Mutex<Plans>>,
    /// CARs in zstd were refused, whatever the server says.
    zstd_refused: Arc<AtomicBool>,
    /// Bytes a second of the fastest long body; 0 where there was none.
    rate: Arc<AtomicU64>,
    /// Whether blocks travel as deltas, once that was decided.
    decided: Arc<Mutex<Option<Encoding>>>,
    headers: HeaderMap,
    options: Arc<ClientOptions>,
    progress: Arc<Progress>,
}

impl Client {
    /// A client of the server at `base`: `http://` or `https://`, a host, and a path before the
    /// routes if the server has one. A path that ends in `/dag` is what car-mirror's own client
    /// takes: its dialect is then tried first.
    ///
    /// # Errors
    /// [`Error::Usage`] for a URL or header that cannot be used.
    pub fn new(base: &str, options: ClientOptions) -> Result<Self> {
        let checked = checked_base(base)?;
        let outside = checked.strip_suffix("/dag");
        let speech = Arc::new(Speech::new(options.dialect, outside.is_some()));
        let base = outside.unwrap_or(&checked).to_owned();
        let progress = Arc::new(Progress::default());
        let headers = header_map(&options.headers)?;
        let http = hyper_client(&options, &progress)?;
        let reads = options.acquaintances.reads(&base, now()) == Some(true);
        let extended = Arc::new(AtomicBool::new(reads));
        let (zstd_refused, rate, options) = (Arc::default(), Arc::default(), Arc::new(options));
        let decided = Arc::default();
        Ok(Self {
            http,
            base,
            speech,
            extended,
            plans: Arc::default(),
            zstd_refused,
            rate,
            decided,
            headers,
            options,
            progress,
        })
    }

    /// The counters of all that this client does.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The dialect that is believed in.
    pub(crate) fn dialect(&self) -> Dialect {
        self.speech.dialect()
    }

    pub(crate) fn pace(&self) -> Pace {
        self.options.pace()
    }

    async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        content_type: Option<&str>,
        body: RequestBody,
    ) -> Result<Response<Incoming>> {
        let head = Head { content_type, ..Head::default() };
        self.send_headed(method, path_and_query, head, body).await
    }

    /// As [`send`](Self::send), with more in the head.
    async fn send_headed(
        &self,
        method: Method,
        path_and_query: &str,
        head: Head<'_>,
        body: RequestBody,
    ) -> Result<Response<Incoming>> {
        add(&self.progress.requests, 1);
        let joined = if self.options.http2 { 0 } else { PIECE_BYTES };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path_and_query}", self.base))
            .body(Joined::new(body, joined))
            .map_err(|error| Error::Usage(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let offered = head.offer.is_some();
        head.write(request.headers_mut());
        let response = self.http.request(request).await.map_err(broken)?;
        self.note_answer(&response, offered);
        Ok(response)
    }

    /// Learns from an answer what can be learned of the server; `offered` says whether one that reads
    /// the extension would have said so.
    fn note_answer(&self, response: &Response<Incoming>, offered: bool) {
        let said = response.headers().get(extension::HEADER).and_then(|said| said.to_str().ok());
        if let Some(answer) = said.and_then(Answer::decode) {
            self.note_reads(true);
            self.note_key(answer.key, response.status());
            self.note_plans(answer.plans);
            if answer.takes_deltas {
                self.options.acquaintances.note_takes_deltas(&self.base, true, now());
            }
        } else if offered && response.status().is_success() {
            self.note_reads(false);
        }
        self.note_codings(response.headers());
        let connected = self.progress.connected.load(Relaxed);
        if connected > 0 {
            self.options.acquaintances.note_round_trip(&self.base, connected, now());
        }
    }

    fn note_plans(&self, said: Plans) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        *plans = said.max(*plans);
    }

    fn note_reads(&self, reads: bool) {
        self.extended.store(reads, Relaxed);
        self.options.acquaintances.note_reads(&self.base, reads, now());
    }

    /// What lies between here and the server, as far as that is known.
    fn path(&self) -> Path {
        let (known, base, now) = (&self.options.acquaintances, &self.base, now());
        let measured = |counter: &AtomicU64| Some(counter.load(Relaxed)).filter(|n| *n > 0);
        let round_trip = measured(&self.progress.connected).or_else(|| known.round_trip(base, now));
        let rate = self.measured_rate();
        let Path { rtt_micros, bytes_per_second } = Path::ASSUMED;
        self.options.path.unwrap_or_else(|| Path {
            rtt_micros: round_trip.unwrap_or(rtt_micros).max(LEAST_ROUND),
            bytes_per_second: rate.unwrap_or(bytes_per_second),
        })
    }

    /// Bytes a second of a long body, where there was one.
    fn measured_rate(&self) -> Option<u64> {
        let measured = Some(self.rate.load(Relaxed)).filter(|rate| *rate > 0);
        measured.or_else(|| self.options.acquaintances.rate(&self.base, now()))
    }

    /// Whether blocks are to travel as deltas, where they can.
    fn encoding(&self) -> Encoding {
        match self.options.deltas {
            Deltas::Auto => Encoding::on(&self.path(), self.is_near()),
            Deltas::Always => Encoding::forced(true),
            Deltas::Never => Encoding::forced(false),
        }
    }

    /// Whether a push may bring deltas.
    fn sends_deltas(&self) -> bool {
        let takes = self.options.acquaintances.takes_deltas(&self.base, now()) == Some(true);
        takes && self.is_extended() && self.encoding().deltas
    }

    /// Whether the server is on this machine or beside it, and nothing says that the way is slower than its
    /// processors.
    fn is_near(&self) -> bool {
        const NEAR_MICROS: u64 = 1_000;
        const GIGABIT: u64 = 125_000_000;
        let told = self.options.path.map(|path| path.bytes_per_second);
        if told.or_else(|| self.measured_rate()).is_some_and(|rate| rate < GIGABIT) {
            return false;
        }
        let counted = Some(self.progress.connected.load(Relaxed)).filter(|micros| *micros > 0);
        let known = || self.options.acquaintances.round_trip(&self.base, now());
        let told = self.options.path.map(|path| path.rtt_micros);
        match told.or(counted).or_else(known) {
            Some(micros) => micros < NEAR_MICROS,
            None => self.base.parse().is_ok_and(|uri: Uri| is_loopback(&uri)),
        }
    }

    /// A server that does not know the key that was used gives another.
    fn note_key(&self, key: Option<NamedKey>, status: StatusCode) {
        let known = &self.options.acquaintances;
        match key {
            Some(named) if status == StatusCode::PRECONDITION_FAILED => {
                known.replace_key(&self.base, named, now());
            }
            Some(named) => known.give_key(&self.base, named, now()),
            None => {}
        }
    }

    /// The key of sketches that the server gave, if there is one.
    fn given_key(&self) -> Option<NamedKey> {
        self.options.acquaintances.given_key(&self.base, now())
    }

    /// Whether the server is known to read the extension.
    fn is_extended(&self) -> bool {
        self.speech.dialect() == Dialect::Spec && self.extended.load(Relaxed)
    }

    /// Whether the server is known not to read the extension: it is not made to wait for a body.
    fn is_plain(&self) -> bool {
        self.options.acquaintances.reads(&self.base, now()) == Some(false)
    }

    /// An answer that is not what was hoped for, as an error.
    async fn refusal(&self, response: Response<Incoming>) -> Error {
        let status = response.status();
        let body = collect(response.into_body(), 4 << 10, self.options.pace()).await;
        let reason = body.map_or_else(
            |error| error.to_string(),
            |text| String::from_utf8_lossy(&text).trim().to_owned(),
        );
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Refused { status, reason },
            _ => Error::Status { status, reason },
        }
    }
}

/// What is in the head of a request beside what the caller wants in each.
#[derive(Default)]
struct Head<'a> {
    content_type: Option<&'a str>,
    /// What the header of the extension says.
    offer: Option<&'a Offer>,
    /// Media types that are taken.
    accept: Option<&'static str>,
    /// `Accept-Encoding` or `Content-Encoding`.
    coding: Option<(HeaderName, &'static str)>,
}

impl Head<'_> {
    fn write(self, headers: &mut HeaderMap) {
        if let Some(value) = self.content_type.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        if let Some(value) = self.offer.and_then(|it| HeaderValue::try_from(it.encode()).ok()) {
            headers.insert(HeaderName::from_static(extension::HEADER), value);
        }
        if let Some(accept) = self.accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some((name, value)) = self.coding {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

pub(crate) fn broken(error: hyper_util::client::legacy::Error) -> Error {
    if error.is_connect() {
        return Error::Connect(error.into());
    }
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    Error::Cut(format!("{error}: {cause}"))
}

pub(crate) fn checked_base(base: &str) -> Result<String> {
    let uri: Uri = base.parse().map_err(|_| Error::Usage(format!("{base:?} is no URL")))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if !known || uri.query().is_some() {
        return Err(Error::Usage(format!("{base:?} is no http or https URL without a query")));
    }
    Ok(base.trim_end_matches('/').to_owned())
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse().map(|address: std::net::IpAddr| address.is_loopback());
    address.unwrap_or_else(|_| host.eq_ignore_ascii_case("localhost"))
}

pub(crate) fn header_map(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || Error::Usage(format!("header {name:?} cannot be sent"));
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        map.append(name, value.parse().map_err(|_| wrong())?);
    }
    Ok(map)
}

pub(crate) fn hyper_client(options: &ClientOptions, progress: &Arc<Progress>) -> Result<Http> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(options.connect_timeout));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(&options.extra_roots)?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(CountingConnector::new(tcp, Arc::clone(progress)));
    Ok(HyperClient::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(options.http2)
        .http2_initial_stream_window_size(8 << 20)
        .http2_initial_connection_window_size(16 << 20)
        .http2_max_frame_size(256 << 10)
        .http2_max_send_buf_size(1 << 20)
        .build(https))
}

/// The system's roots of trust and `extra_roots`. A machine that has none can still speak
/// cleartext, so none is no error.
fn tls_config(extra_roots: &[u8]) -> Result<rustls::ClientConfig> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = system_roots().clone();
    for cert in CertificateDer::pem_slice_iter(extra_roots) {
        let cert = cert.map_err(|error| Error::Usage(format!("root of trust: {error}")))?;
        roots.add(cert).map_err(|error| Error::Usage(format!("root of trust: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Read once: servers make a client for each DAG that they fetch.
fn system_roots() -> &'static rustls::RootCertStore {
    static ROOTS: OnceLock<rustls::RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

/// A number that nobody else draws.
pub(crate) fn session_name() -> Option<[u8; extension::SESSION_BYTES]> {
    let mut name = [0; extension::SESSION_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut name).ok().map(|()| name)
}

pub(crate) fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Runs `work` on a thread that may block. A panic there goes on here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
