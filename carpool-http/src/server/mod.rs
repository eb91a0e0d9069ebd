//! The server: CAR Mirror's two routes in both dialects, and the names, over one store.

mod connections;
mod names;
mod pull;
mod push;
mod refusal;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use carpool_core::{Cid, Limits, sha2_256};
use carpool_store::Store;
use http::{HeaderMap, StatusCode, header};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;

use crate::{Progress, Result, body::drain, driver::complete, routes};
use refusal::Refusal;

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
    /// Connections served at a time; others wait. Default 1,024.
    pub max_connections: usize,
    /// How long the head of a request may take. Default 30 s.
    pub header_timeout: Duration,
    /// How long a body may stand still. Default 60 s.
    pub stall_timeout: Duration,
    /// Bytes of a body that are read and dropped before an early answer, so that a client which
    /// still writes can read it. Default 16 MiB.
    pub drain_bytes: u64,
    /// Seed of hash tables; a random one where clients are strangers.
    pub seed: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            read_only: false,
            token: None,
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            drain_bytes: 16 << 20,
            seed: 0,
        }
    }
}

type SharedStore = Arc<dyn Store>;

/// A server over a store.
#[derive(Clone)]
pub struct Server {
    store: SharedStore,
    options: Arc<ServerOptions>,
    progress: Arc<Progress>,
}

impl Server {
    /// A server of what `store` holds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: ServerOptions) -> Self {
        Self { store, options: Arc::new(options), progress: Arc::default() }
    }

    /// The counters of all that this server does. Bytes of connections are not among them.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The routes, to be put into another `axum` server.
    pub fn router(&self) -> Router {
        Router::new()
            .route(routes::PULL, post(pull::pull))
            .route(routes::PUSH, post(push::push))
            .route(
                &format!("{}/{{root}}", routes::CAR_MIRROR_PULL),
                get(pull::pull_as_car_mirror).post(pull::pull_as_car_mirror),
            )
            .route(&format!("{}/{{root}}", routes::CAR_MIRROR_PUSH), post(push::push_as_car_mirror))
            .route(routes::NAMES, get(names::list))
            .route(&format!("{}/{{name}}", routes::NAMES), get(names::read).put(names::set))
            .layer(middleware::from_fn_with_state(self.clone(), authorise))
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
        connections::serve(self.router(), listener, &self.options, stop).await
    }

    /// Reads what a refused client still writes, within the bound, so that it can read the answer.
    async fn drain(&self, request: Request) {
        drain(request.into_body(), self.options.drain_bytes, self.options.stall_timeout).await;
    }

    /// Whether the whole DAG is held: known from an earlier transfer, or found out.
    fn holds(&self, root: Cid) -> Result<bool> {
        const REMEMBERED: usize = 256;
        let known = self.store.recent_roots(REMEMBERED)?.contains(&root);
        Ok(known || complete(&*self.store, root, &self.options.limits)?)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The root that a route of car-mirror names.
fn root_of(text: &str) -> Result<Cid, Refusal> {
    let wrong = |_| Refusal::new(StatusCode::BAD_REQUEST, "the path names no CID");
    text.parse().map_err(wrong)
}

async fn authorise(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
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
