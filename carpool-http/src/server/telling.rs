//! What a server tells its peers of sessions under way: only those of its own configuration, and never an address
//! that it was told.

use http::{HeaderMap, Request};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::Semaphore};

use super::{ServerOptions, pools::Id};
use crate::{
    ClientOptions, Progress, Result,
    client::{Http, checked_base, full, header_map, hyper_client},
    joined::Joined,
    routes,
};

/// Messages under way at a time; others are lost, which costs blocks that come twice.
const MAX_MESSAGES: usize = 64;
/// How long one may take: later it says little that is new.
const PATIENCE: Duration = Duration::from_secs(5);

/// The peers, and the way to them.
pub(super) struct Telling {
    peers: Vec<String>,
    http: Option<Http>,
    headers: HeaderMap,
    places: Arc<Semaphore>,
}

impl Telling {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let places = Arc::new(Semaphore::new(MAX_MESSAGES));
        let nobody = Self { peers: Vec::new(), http: None, headers: HeaderMap::new(), places };
        // Peers that cannot be used are said by `ServerOptions::check`.
        match way(options) {
            Ok((http, headers)) if !options.peers.is_empty() => {
                let peers = options.peers.iter().filter_map(|peer| checked_base(peer).ok());
                Self { peers: peers.collect(), http: Some(http), headers, ..nobody }
            }
            _ => nobody,
        }
    }

    /// Sends a message of a session to every peer, and waits for none.
    pub(super) fn tell(&self, id: &Id, message: bytes::Bytes) {
        let (Some(http), Ok(runtime)) = (&self.http, Handle::try_current()) else { return };
        let digest = u128::from_be_bytes(*id);
        for peer in &self.peers {
            let uri = format!("{}{}/{digest:032x}", peer, routes::POOL);
            let request = Request::post(uri).body(Joined::new(full(message.clone()), 0));
            let place = Arc::clone(&self.places).try_acquire_owned();
            let (Ok(mut request), Ok(place)) = (request, place) else { continue };
            request.headers_mut().extend(self.headers.clone());
            let told = tokio::time::timeout(PATIENCE, http.request(request));
            runtime.spawn(async move {
                // Whoever does not hear it sends blocks twice.
                let _told = told.await;
                drop(place);
            });
        }
    }
}

fn way(options: &ServerOptions) -> Result<(Http, HeaderMap)> {
    let token = options.peer_token.iter();
    let headers: Vec<(String, String)> =
        token.map(|token| ("authorization".into(), format!("Bearer {token}"))).collect();
    let client = ClientOptions::default();
    Ok((hyper_client(&client, &Arc::new(Progress::default()))?, header_map(&headers)?))
}
