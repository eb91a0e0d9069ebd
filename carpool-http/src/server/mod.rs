//! The server: CAR Mirror's two routes in both dialects, and the names, over one store.

mod aged;
mod coded;
mod connections;
mod fetch;
mod filling;
mod gossip;
mod held;
mod idle;
mod inventory;
mod keys;
mod log;
mod metrics;
mod names;
mod observe;
mod pools;
mod pull;
mod push;
mod refusal;
mod route;
mod sessions;
mod sketches;
mod telling;
mod trails;
mod via;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use carpool_core::{Cid, Limits, cid_exact, sha2_256};
use carpool_mirror::extension;
use carpool_store::Store;
use http::{HeaderMap, StatusCode, header};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::{
    Progress, Result, body::drain, client::checked_base, driver::complete, pace::Pace, routes,
};
use filling::Filling;
use inventory::Inventory;
use metrics::Metrics;
use pools::Pools;
use refusal::Refusal;
use sessions::Sessions;
use sketches::Sketching;
use telling::Telling;
use trails::Trails;

/// How a server behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Limits on what clients send.
    pub limits: Limits,
    /// Refuse pushes and the setting of names. Default false.
    pub read_only: bool,
    /// A token that every request has to carry (`Authorization: Bearer …`). Default none.
    pub token: Option<String>,
    /// Base URLs of peers, as [`Client::new`](crate::Client::new) takes them: what a pull asks for and is
    /// not held completely is fetched from them, in this order, and then answered, also where clients
    /// may write nothing ([`read_only`](Self::read_only)). The server connects to no other, whatever it is
    /// told. Default none.
    pub peers: Vec<String>,
    /// The token that peers want (`Authorization: Bearer …`). [`token`](Self::token) is never sent to
    /// them. Default none.
    pub peer_token: Option<String>,
    /// Servers that a request has come through, this one among them, as it reaches the last that is asked:
    /// 1 asks peers for clients alone, 0 asks nobody. At most 8. Default 3.
    pub max_hops: usize,
    /// DAGs that are fetched from peers at a time, each from one of them. Default 16.
    pub max_fills: usize,
    /// DAGs that are fetched for one request; of others it is answered what is held. Default 16.
    pub max_fill_roots: usize,
    /// How long a request waits for what is fetched; then it is answered what has come, or told to come
    /// back (503) where nothing has. Less than clients wait for an answer. Default 45 s.
    pub fill_wait: Duration,
    /// How long a DAG may be fetched, whoever waits for it. What came is kept. Default an hour.
    pub fill_timeout: Duration,
    /// Roots of which is remembered that all is held, or that no peer has them; some 300 bytes each. 0
    /// remembers nothing. Default 16,384.
    pub max_remembered_roots: usize,
    /// How long that is remembered. Default 60 s.
    pub remember_roots: Duration,
    /// How long a peer is not asked that failed. Default 30 s.
    pub peer_pause: Duration,
    /// Say at `/metrics` what was counted, to whoever has the token. Default true.
    pub metrics: bool,
    /// Connections served at a time; others wait. Default 1,024.
    pub max_connections: usize,
    /// Transfers under way at a time; others are told to come back (503). Each has a thread, and at
    /// most 1 MiB of what waits for a slow reader. Default 256.
    pub max_transfers: usize,
    /// Streams of one HTTP/2 connection. Default 64.
    pub max_streams: u32,
    /// Header fields of one request over HTTP/1.1. Default 64.
    pub max_headers: usize,
    /// Bytes of one request's header fields over HTTP/2. Default 16 KiB.
    pub max_header_bytes: u32,
    /// How long a connection may be open without a request. Default 60 s.
    pub idle_timeout: Duration,
    /// How long the head of a request may take. Default 30 s.
    pub header_timeout: Duration,
    /// How long a body may stand still. Default 60 s.
    pub stall_timeout: Duration,
    /// What a body has to move in that time, in bytes a second, whoever sends it. Default 1,024.
    pub min_bytes_per_second: u64,
    /// Bytes of a body that are read and dropped before an early answer, so that a client which
    /// still writes can read it. Default 16 MiB.
    pub drain_bytes: u64,
    /// Roots in the CAR header of a push, each of which costs some 600 bytes. Default 1,000.
    pub max_push_roots: usize,
    /// Blocks that the server remembers to hold completely, and tells a client of that pushes
    /// without knowing what is held; some 60 bytes each. 0 turns it off. Default 131,072.
    pub max_summary_blocks: usize,
    /// How long a key of sketches is good at least, which a client that pulls was given. Default an
    /// hour.
    pub sketch_key_life: Duration,
    /// Whether delta bodies come and go, in which blocks are what differs from those below a root that both
    /// sides hold: pulls that take them are answered with one, pushes may bring one. Default true.
    pub deltas: bool,
    /// Bytes of memory for what was sent in the last minute, so that a client can ask for what it
    /// lacks of it with a bit for each link. 0 turns it off. Default 64 MiB.
    pub max_trail_bytes: usize,
    /// Bytes of what is remembered of one session: 21 for each block that was sent to it. Default
    /// 4 MiB.
    pub max_session_bytes: usize,
    /// Bytes of all sessions that no request uses at the moment, some 400 for each beside what it
    /// remembers; those that were not used for longest go first. 0 turns sessions off. Default 64 MiB.
    pub max_sessions_bytes: usize,
    /// How long a session is kept after its last answer, where there is room. Default 60 s; CAR
    /// Mirror asks for 30 s.
    pub session_timeout: Duration,
    /// Send CARs in zstd or gzip to clients that ask for it, where that pays, and take those of
    /// pushes. Default true.
    pub compress: bool,
    /// Bodies that are in such a coding at a time, each with up to 10 MiB of memory: others are sent as
    /// they are, or are told to come back (503). Default 64.
    pub max_coded: usize,
    /// Seed of hash tables; a random one where clients are strangers.
    pub seed: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            read_only: false,
            token: None,
            peers: Vec::new(),
            peer_token: None,
            max_hops: 3,
            max_fills: 16,
            max_fill_roots: 16,
            fill_wait: Duration::from_secs(45),
            fill_timeout: Duration::from_secs(3600),
            max_remembered_roots: 1 << 14,
            remember_roots: Duration::from_secs(60),
            peer_pause: Duration::from_secs(30),
            metrics: true,
            max_connections: 1024,
            max_transfers: 256,
            max_streams: 64,
            max_headers: 64,
            max_header_bytes: 16 << 10,
            idle_timeout: Duration::from_secs(60),
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            min_bytes_per_second: 1024,
            drain_bytes: 16 << 20,
            max_push_roots: 1000,
            max_summary_blocks: 1 << 17,
            sketch_key_life: Duration::from_secs(3600),
            deltas: true,
            max_trail_bytes: 64 << 20,
            max_session_bytes: 4 << 20,
            max_sessions_bytes: 64 << 20,
            session_timeout: Duration::from_secs(60),
            compress: true,
            max_coded: 64,
            seed: 0,
        }
    }
}

impl ServerOptions {
    /// Whether the URLs of peers can be used.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) for the first that cannot.
    pub fn check(&self) -> Result<()> {
        self.peers.iter().try_for_each(|peer| checked_base(peer).map(drop))
    }

    const fn pace(&self) -> Pace {
        Pace { stall: self.stall_timeout, bytes_per_second: self.min_bytes_per_second }
    }

    const fn takes_deltas(&self) -> bool {
        self.deltas && !self.read_only
    }

    /// The limits on the CAR of a push.
    fn push_limits(&self) -> Limits {
        let mut limits = self.limits.clone();
        limits.max_header_roots = limits.max_header_roots.min(self.max_push_roots);
        limits
    }
}

type SharedStore = Arc<dyn Store>;

/// A server over a store.
#[derive(Clone)]
pub struct Server {
    store: SharedStore,
    options: Arc<ServerOptions>,
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
    transfers: Arc<Semaphore>,
    coded: Arc<Semaphore>,
    inventory: Arc<Inventory>,
    sessions: Arc<Sessions>,
    filling: Arc<Filling>,
    between: Arc<Between>,
}

/// What is remembered between the requests of a transfer, behind one handle: every request has several of them.
struct Between {
    sketching: Sketching,
    trails: Arc<Trails>,
    pools: Pools,
}

impl Server {
    /// A server of what `store` holds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: ServerOptions) -> Self {
        let transfers = Arc::new(Semaphore::new(options.max_transfers));
        let coded = Arc::new(Semaphore::new(options.max_coded));
        let (progress, metrics) = Default::default();
        let inventory = Arc::new(Inventory::new(&options));
        let sessions = Arc::new(Sessions::new(&options));
        let filling = Arc::new(Filling::new(&options));
        let between = Arc::new(Between {
            sketching: Sketching::new(&options),
            trails: Arc::new(Trails::new(&options)),
            pools: Pools::new(Telling::new(&options), options.session_timeout),
        });
        let options = Arc::new(options);
        Self {
            store,
            options,
            progress,
            metrics,
            transfers,
            coded,
            inventory,
            sessions,
            filling,
            between,
        }
    }

    /// The counters of all that this server does. Its bytes are those of bodies; what HTTP and TLS
    /// add is not among them.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The routes, to be put into another `axum` server.
    pub fn router(&self) -> Router {
        let routes = Router::new()
            .route(routes::PULL, post(pull::pull))
            .route(routes::PUSH, post(push::push))
            .route(
                &format!("{}/{{root}}", routes::CAR_MIRROR_PULL),
                get(pull::pull_as_car_mirror).post(pull::pull_as_car_mirror),
            )
            .route(
                &format!("{}/{{root}}", routes::CAR_MIRROR_PUSH),
                post(push::push_as_car_mirror),
            );
        let names = Router::new()
            .route(routes::NAMES, get(names::list))
            .route(&format!("{}/{{name}}", routes::NAMES), get(names::read).put(names::set))
            .layer(middleware::map_response_with_state(self.clone(), says_extended));
        let pools = Router::new()
            .route(&format!("{}/{{session}}", routes::POOL), post(gossip::hear))
            .route(&format!("{}/{{session}}/{{after}}", routes::POOL), get(gossip::listen));
        let routes = routes.merge(names).merge(pools);
        let scraped = Router::new().route(routes::METRICS, get(metrics::show));
        let routes = if self.options.metrics { routes.merge(scraped) } else { routes };
        routes
            .layer(middleware::from_fn_with_state(self.clone(), authorise))
            .layer(middleware::from_fn_with_state(self.clone(), observe::observe))
            .with_state(self.clone())
    }

    /// Serves connections of `listener`, HTTP/1.1 and cleartext HTTP/2, until `stop` is ready;
    /// then finishes what is under way, for ten seconds at most.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let server = self.clone();
        // Otherwise the first push that knows nothing waits for it.
        drop(spawn_blocking(move || server.inventory.known(&*server.store, None)));
        let looking = tokio::spawn(Sessions::forget_in_time(Arc::downgrade(&self.sessions)));
        let served =
            connections::serve(self.router(), listener, &self.options, &self.metrics, stop).await;
        looking.abort();
        served
    }

    /// A place for a transfer, which lasts until it is dropped.
    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.transfers).try_acquire_owned();
        place.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many transfers"))
    }

    /// Reads what a refused client still writes, within the bound, so that it can read the answer.
    async fn drain(&self, request: Request) {
        drain(request.into_body(), self.options.drain_bytes, self.options.pace()).await;
    }

    /// Whether the whole DAG is held: known from an earlier transfer, or found out.
    fn holds(&self, root: Cid) -> Result<bool> {
        const REMEMBERED: usize = 256;
        let known = self.store.recent_roots(REMEMBERED)?.contains(&root);
        Ok(known || complete(&*self.store, root, &self.options.limits)?)
    }
}

/// Who reads a name is likely to pull what it points to, or to push what follows, and knows then how.
async fn says_extended(State(server): State<Server>, mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(extension::HEADER, held::header_of(&server.between.sketching.offer()));
    server.say_taken(&mut response);
    response
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The root that a route of car-mirror names.
fn root_of(text: &str) -> Result<Cid, Refusal> {
    let read = text.parse().ok().and_then(|cid: Cid| cid_exact(&cid.to_bytes()).ok());
    read.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "the path names no CID"))
}

async fn authorise(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if let Err(refusal) = coded::check(&server, &request) {
        server.drain(request).await;
        return Err(refusal);
    }
    match &server.options.token {
        Some(token) if !carries(request.headers(), token) => {
            server.drain(request).await;
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "this server wants a token"))
        }
        _ => Ok(next.run(request).await),
    }
}

/// Digests are compared, so that the time it takes says nothing about the token.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    sha2_256(given) == sha2_256(token.as_bytes())
}
