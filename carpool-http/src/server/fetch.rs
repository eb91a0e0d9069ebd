//! Fetching a DAG from peers, in one place.

use carpool_core::Cid;
use http::{StatusCode, Uri};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    ServerOptions, SharedStore,
    via::{self, Via},
};
use crate::{
    Client, ClientOptions, Error,
    client::{Acquaintances, blocking},
    message::Dialect,
};

/// How a fill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of the DAG is held.
    Complete,
    /// Every peer was asked, and none has what is missing.
    Lacking,
    /// A peer is busy with it, or with too much else.
    Later,
    /// Time was up. What came is kept.
    TimedOut,
    /// A peer could not be reached, stood still, or did not keep to the protocol; or the store failed.
    Failed,
}

impl End {
    pub(super) const ALL: [Self; 5] =
        [Self::Complete, Self::Lacking, Self::Later, Self::TimedOut, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Lacking => "lacking",
            Self::Later => "later",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// What a fill moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fetched {
    pub(super) blocks: u64,
    /// TCP payload.
    pub(super) bytes: u64,
}

/// The peers of the configuration, in its order.
pub(super) struct Peers {
    peers: Vec<Peer>,
    options: ClientOptions,
    pause: Duration,
}

struct Peer {
    url: String,
    found: Mutex<Found>,
}

/// What turned out of a peer.
#[derive(Clone, Copy, Default)]
struct Found {
    dialect: Option<Dialect>,
    /// Not asked before.
    paused_until: Option<Instant>,
}

/// Roots completed lately that a pull is told of, so that it brings what differs from them.
const RECENT: usize = 4;

/// Tries in a row without a block: others are waiting, and there are other peers.
const RETRIES: u32 = 1;

impl Peers {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let peer = |url: &String| Peer { url: url.clone(), found: Mutex::default() };
        let peers = options.peers.iter().map(peer).collect();
        Self { peers, options: client_options(options), pause: options.peer_pause }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

fn client_options(options: &ServerOptions) -> ClientOptions {
    let token = options.peer_token.iter();
    ClientOptions {
        limits: options.limits.clone(),
        headers: token.map(|token| ("authorization".into(), format!("Bearer {token}"))).collect(),
        retries: RETRIES,
        stall_timeout: options.stall_timeout,
        min_bytes_per_second: options.min_bytes_per_second,
        acquaintances: Acquaintances::default(),
        seed: options.seed,
        ..ClientOptions::default()
    }
}

impl Peer {
    fn found(&self) -> Found {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Found)) {
        note(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// As logs have it: a URL can have a password in it.
    fn name(&self) -> String {
        let uri: Option<Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(|uri| Some((uri.host()?, uri.port_u16())));
        match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host.to_owned(),
            None => String::new(),
        }
    }
}

/// Fetches what is missing below `root` from one peer after the other, until all of it is held. What came
/// is kept in any case, and counted in `fetched`, as it comes to an end or is dropped.
pub(super) async fn fetch(
    peers: &Peers,
    store: &SharedStore,
    root: Cid,
    via: &Via,
    fetched: &mut Fetched,
) -> End {
    let (mut later, mut failed) = (false, false);
    for peer in &peers.peers {
        let paused = peer.found().paused_until.is_some_and(|until| Instant::now() < until);
        let end = match paused {
            true => End::Failed,
            false => fetch_from(peer, peers, store, root, via, fetched).await,
        };
        if end == End::Complete {
            return end;
        }
        later |= end == End::Later;
        failed |= end == End::Failed;
    }
    // Another time it may be had, whatever is wrong with the others.
    match (later, failed) {
        (true, _) => End::Later,
        (false, true) => End::Failed,
        (false, false) => End::Lacking,
    }
}

async fn fetch_from(
    peer: &Peer,
    peers: &Peers,
    store: &SharedStore,
    root: Cid,
    via: &Via,
    fetched: &mut Fetched,
) -> End {
    let mut options = peers.options.clone();
    options.dialect = peer.found().dialect;
    options.headers.push((via::HEADER.into(), via.encode()));
    let client = match Client::new(&peer.url, options) {
        Ok(client) => client,
        Err(error) => return fails(peer, peers.pause, &error),
    };
    let counted = Counted { client: &client, fetched };
    // What is not known of the store costs bytes.
    let known = Arc::clone(store);
    let seeds = blocking(move || known.recent_roots(RECENT)).await.unwrap_or_default();
    let pulled = client.pull(root, seeds, Arc::clone(store)).await;
    drop(counted);
    if client.progress().totals().blocks_received > 0 {
        peer.note(|found| found.dialect = Some(client.dialect()));
    }
    match pulled {
        Ok(_) => End::Complete,
        Err(Error::Incomplete { example: Some(_), .. }) => End::Lacking,
        Err(Error::Status { status: StatusCode::NOT_FOUND, .. }) => End::Lacking,
        Err(Error::Status {
            status: StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS,
            ..
        }) => End::Later,
        Err(error @ Error::Store(_)) => {
            tracing::warn!(target: "carpool::fill", %root, %error, "the store takes no more");
            End::Failed
        }
        Err(error) => fails(peer, peers.pause, &error),
    }
}

/// Leaves a peer alone for a while.
fn fails(peer: &Peer, pause: Duration, error: &Error) -> End {
    tracing::warn!(target: "carpool::fill", peer = peer.name(), %error, ?pause, "a peer fails");
    peer.note(|found| found.paused_until = Some(Instant::now() + pause));
    End::Failed
}

/// Counts what a client moved, also where its pull is dropped.
struct Counted<'a> {
    client: &'a Client,
    fetched: &'a mut Fetched,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let totals = self.client.progress().totals();
        self.fetched.blocks += totals.blocks_received;
        self.fetched.bytes += totals.bytes_received;
    }
}
