//! A server that fills itself: what a pull asks for and is not held here is fetched from the peers of the
//! configuration before it is answered (`docs/operating.md`).

use carpool_core::Cid;
use http::StatusCode;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Server, ServerOptions,
    aged::AgedMap,
    fetch::{End, Fetched, Peers, fetch},
    refusal::Refusal,
    via::{Id, MAX_HOPS, Origin, Via},
};
use crate::{Result, chance::secret, client::blocking, driver::missing_below, message::Request};

/// What is under way, and what came of what was.
pub(super) struct Filling {
    peers: Peers,
    id: Id,
    max_hops: usize,
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    under_way: HashMap<Cid, UnderWay>,
    /// Each weighs 1.
    known: AgedMap<Cid, Known>,
    tally: FillTally,
}

struct UnderWay {
    fill: Id,
    end: watch::Receiver<Option<End>>,
}

/// What is remembered of a root.
#[derive(Clone, Copy)]
enum Known {
    /// All of its DAG is held.
    Complete,
    /// The peers do not have it, as one sees it who is asked after so many servers: the later one is
    /// asked, the fewer of them one asks in turn.
    Lacking { hops: usize },
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FillTally {
    pub(super) under_way: u64,
    pub(super) ended: [u64; End::ALL.len()],
    pub(super) not_begun: [u64; NotBegun::ALL.len()],
    pub(super) blocks: u64,
    pub(super) bytes_received: u64,
}

/// Why a root that is not held completely was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// There are as many fills as may be.
    Busy,
    /// To wait for the fill that is under way could be to wait for oneself.
    Crossed,
    /// The request has come through this server, or through too many.
    Loop,
    /// No peer had it a while ago.
    Remembered,
    /// The request named more roots than are fetched for one.
    TooMany,
}

impl NotBegun {
    pub(super) const ALL: [(Self, &str); 5] = [
        (Self::Busy, "busy"),
        (Self::Crossed, "crossed"),
        (Self::Loop, "loop"),
        (Self::Remembered, "remembered"),
        (Self::TooMany, "too_many"),
    ];
}

/// How a request for a root goes on.
enum Joined {
    /// With what is held.
    No(NotBegun),
    /// When the fill of another request ends.
    Waits(watch::Receiver<Option<End>>),
    /// When this fill ends, which is to be begun.
    Begins(Begun, watch::Receiver<Option<End>>),
}

/// A fill from its beginning to its end. Dropped without one it has failed.
struct Begun {
    filling: Arc<Filling>,
    root: Cid,
    via: Via,
    hops: usize,
    to: watch::Sender<Option<End>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Begun {
    fn drop(&mut self) {
        let end = self.to.borrow().unwrap_or(End::Failed);
        self.filling.ended(&self.root, self.hops, end);
        self.to.send_replace(Some(end));
    }
}

impl Filling {
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            peers: Peers::new(options),
            id: secret().unwrap_or_default(),
            max_hops: options.max_hops.min(MAX_HOPS),
            places: Arc::new(Semaphore::new(options.max_fills)),
            state: Mutex::new(State {
                under_way: HashMap::new(),
                known: AgedMap::new(options.max_remembered_roots, options.remember_roots),
                tally: FillTally::default(),
            }),
        }
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tally(&self) -> FillTally {
        let state = self.lock();
        FillTally { under_way: state.under_way.len() as u64, ..state.tally }
    }

    /// How many servers the request came through; `None` where it is not to be passed on.
    fn hops(&self, origin: &Origin) -> Option<usize> {
        let hops = match origin {
            Origin::Client => 0,
            Origin::Peer(via) if via.by.contains(&self.id) => return None,
            Origin::Peer(via) => via.by.len(),
            Origin::Unreadable => return None,
        };
        (hops < self.max_hops).then_some(hops)
    }

    fn known(&self, root: &Cid) -> Option<Known> {
        self.lock().known.get(root, now()).copied()
    }

    fn note_complete(&self, root: Cid) {
        self.lock().known.insert(root, Known::Complete, 1, now());
    }

    fn not_begun(&self, why: NotBegun) {
        self.lock().tally.not_begun[why as usize] += 1;
    }

    /// Begins a fill of `root`, unless there is one or it is of no use.
    fn join(self: &Arc<Self>, root: Cid, origin: &Origin, hops: usize) -> Joined {
        let mut state = self.lock();
        let lacking =
            |known: &Known| matches!(known, Known::Lacking { hops: then } if *then <= hops);
        if state.known.get(&root, now()).is_some_and(lacking) {
            return Joined::No(NotBegun::Remembered);
        }
        if let Some(running) = state.under_way.get(&root) {
            return match origin {
                // Fills wait for greater ones only, wherever they are: so there is no circle.
                Origin::Peer(via) if via.fill >= running.fill => Joined::No(NotBegun::Crossed),
                Origin::Client | Origin::Peer(_) | Origin::Unreadable => {
                    Joined::Waits(running.end.clone())
                }
            };
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Joined::No(NotBegun::Busy);
        };
        let via = match origin {
            Origin::Peer(via) => via.passed_by(self.id),
            Origin::Client | Origin::Unreadable => {
                Via::begin(secret().unwrap_or_default(), self.id)
            }
        };
        let (to, end) = watch::channel(None);
        state.under_way.insert(root, UnderWay { fill: via.fill, end: end.clone() });
        let filling = Arc::clone(self);
        Joined::Begins(Begun { filling, root, via, hops, to, _place: place }, end)
    }

    fn ended(&self, root: &Cid, hops: usize, end: End) {
        let mut state = self.lock();
        state.under_way.remove(root);
        state.tally.ended[end as usize] += 1;
        match end {
            End::Complete => state.known.insert(*root, Known::Complete, 1, now()),
            End::Lacking => state.known.insert(*root, Known::Lacking { hops }, 1, now()),
            End::Later | End::TimedOut | End::Failed => {}
        }
    }

    fn fetched(&self, fetched: Fetched) {
        let mut state = self.lock();
        state.tally.blocks += fetched.blocks;
        state.tally.bytes_received += fetched.bytes;
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl Server {
    /// Fetches from peers what a pull wants and is not held completely, for as long as one waits for that.
    /// Whether it is worth asking again.
    pub(super) async fn fill(&self, wanted: &Request, origin: &Origin) -> Result<bool, Refusal> {
        if self.filling.peers.is_empty() {
            return Ok(false);
        }
        let until = Instant::now() + self.options.fill_wait;
        // What waits here holds a message, and threads that look.
        let _place = self.place()?;
        let wants: Vec<Cid> = wanted.want.iter().collect();
        let server = self.clone();
        let lacking = blocking(move || server.lacking(&wants)).await?;
        if lacking.is_empty() {
            return Ok(false);
        }
        let Some(hops) = self.filling.hops(origin) else {
            self.filling.not_begun(NotBegun::Loop);
            return Ok(false);
        };
        let most = self.options.max_fill_roots;
        if lacking.len() > most {
            self.filling.not_begun(NotBegun::TooMany);
        }
        let mut later = false;
        for root in lacking.into_iter().take(most) {
            later |= self.fill_below(root, origin, hops, until).await;
        }
        Ok(later)
    }

    /// Whether all below one root may be here later.
    async fn fill_below(&self, root: Cid, origin: &Origin, hops: usize, until: Instant) -> bool {
        let mut end = match self.filling.join(root, origin, hops) {
            Joined::No(why) => {
                self.filling.not_begun(why);
                return matches!(why, NotBegun::Busy | NotBegun::Crossed);
            }
            Joined::Waits(end) => end,
            Joined::Begins(begun, end) => {
                // It goes on when the request does not.
                tokio::spawn(self.clone().run(begun));
                end
            }
        };
        let end = timeout_at(until, end.wait_for(Option::is_some)).await;
        match end {
            Ok(Ok(end)) => matches!(*end, Some(End::Later | End::TimedOut)),
            Ok(Err(_)) => false,
            Err(_) => true,
        }
    }

    async fn run(self, begun: Begun) {
        let (filling, store, root) = (&self.filling, &self.store, begun.root);
        let (time, began) = (self.options.fill_timeout, Instant::now());
        let mut fetched = Fetched::default();
        let work = fetch(&filling.peers, store, root, &begun.via, &mut fetched);
        let end = timeout(time, work).await.unwrap_or(End::TimedOut);
        if end == End::Complete {
            let store = Arc::clone(store);
            // Where it is not noted it is looked through again.
            let _ = blocking(move || store.note_root(&root)).await;
        }
        filling.fetched(fetched);
        tracing::info!(
            target: "carpool::fill",
            %root,
            end = end.name(),
            hops = begun.hops,
            blocks = fetched.blocks,
            bytes = fetched.bytes,
            seconds = began.elapsed().as_secs_f64(),
            "fill"
        );
        begun.to.send_replace(Some(end));
    }

    /// What is to be fetched, so that all below `wants` is held: a root that is wanted alone, and of several
    /// what is missing below them.
    fn lacking(&self, wants: &[Cid]) -> Result<Vec<Cid>> {
        let [root] = wants else {
            let (limits, seed) = (&self.options.limits, self.options.seed);
            let most = self.options.max_fill_roots + 1;
            return missing_below(&*self.store, wants, limits, seed, most);
        };
        if matches!(self.filling.known(root), Some(Known::Complete)) {
            return Ok(Vec::new());
        }
        if self.holds(*root)? {
            self.filling.note_complete(*root);
            return Ok(Vec::new());
        }
        Ok(vec![*root])
    }
}

impl Refusal {
    /// Says that it is worth asking again, where it is.
    pub(super) fn or_later(self, later: bool) -> Self {
        if later {
            let reason = "it is being fetched from a peer";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, reason);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_has_its_own_place() {
        for (at, end) in End::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, at);
        }
        for (at, (why, _)) in NotBegun::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
    }

    #[tokio::test]
    async fn fills_wait_for_greater_ones_only() {
        let filling = Arc::new(Filling::new(&ServerOptions::default()));
        let root = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        let from = |fill| Origin::Peer(Via { fill: [fill; 16], by: vec![[1; 16]] });
        let Joined::Begins(_begun, _) = filling.join(root, &from(5), 1) else {
            panic!("it begins")
        };
        for (fill, waits) in [(4, true), (5, false), (6, false)] {
            let joined = filling.join(root, &from(fill), 1);
            assert_eq!(matches!(joined, Joined::Waits(_)), waits, "{fill}");
        }
        assert!(
            matches!(filling.join(root, &Origin::Client, 0), Joined::Waits(_)),
            "nobody waits for it"
        );
    }

    #[tokio::test]
    async fn who_asks_fewer_servers_is_not_believed_by_who_asks_more() {
        let filling = Arc::new(Filling::new(&ServerOptions::default()));
        let root = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".parse().unwrap();
        filling.ended(&root, 1, End::Lacking);
        for (hops, remembered) in [(0, false), (1, true), (2, true)] {
            let joined = filling.join(root, &Origin::Client, hops);
            assert_eq!(matches!(joined, Joined::No(NotBegun::Remembered)), remembered, "{hops}");
        }
    }
}
