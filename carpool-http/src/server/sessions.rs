//! What was sent under a session's name, kept from request to request (`docs/extension.md`).

use bytes::Bytes;
use carpool_mirror::{
    Session,
    extension::{Memory, SESSION_BYTES},
};
use http_body::{Body, Frame};
use std::{
    collections::HashSet,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

use super::{ServerOptions, aged::AgedMap};
use crate::body::ChannelBody;

/// The name of a session: a number that the client drew.
pub(super) type Name = [u8; SESSION_BYTES];

/// What a session takes beside what it remembers.
const OVERHEAD: usize = 384;

/// Bytes that a block which was sent takes at most.
const BLOCK_BYTES: usize = 21;

/// The sessions of a server. A name is a client's word: whoever makes up many drives out those of
/// others, which costs them blocks that are sent again and never a block.
pub(super) struct Sessions {
    state: Mutex<State>,
    max_bytes: usize,
    max_blocks: usize,
    timeout: Duration,
    seed: u64,
}

struct State {
    /// Those of which a request is under way.
    busy: HashSet<Name>,
    /// The others, by bytes: longest unused first.
    unused: AgedMap<Name, Session>,
}

/// What is to be seen of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionTally {
    pub(super) sessions: u64,
    pub(super) bytes: u64,
    pub(super) evicted: u64,
}

impl Sessions {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let unused = AgedMap::new(options.max_sessions_bytes, options.session_timeout);
        Self {
            state: Mutex::new(State { busy: HashSet::new(), unused }),
            max_bytes: options.max_sessions_bytes,
            max_blocks: options.max_session_bytes.saturating_sub(OVERHEAD) / BLOCK_BYTES,
            timeout: options.session_timeout,
            seed: options.seed,
        }
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this name, or a new one, until the lease ends. `None` where another request has
    /// it, which nobody waits for, and where there is no room.
    pub(super) fn lease(self: &Arc<Self>, name: Name) -> Option<(Session, Lease)> {
        let (mut state, now) = (self.lock(), Instant::now().into_std());
        if state.busy.contains(&name) {
            return None;
        }
        let begun = state.unused.remove(&name, now);
        let room = self.room_beside(&state, OVERHEAD)?;
        state.unused.lighten(room);
        state.busy.insert(name);
        drop(state);
        let memory = if begun.is_some() { Memory::Kept } else { Memory::Begun };
        let session = begun.unwrap_or_else(|| Session::new(self.max_blocks, self.seed));
        Some((session, Lease { sessions: Arc::clone(self), name, memory, over: false }))
    }

    fn give_back(&self, name: Name, session: Option<Session>) {
        let (mut state, now) = (self.lock(), Instant::now().into_std());
        state.busy.remove(&name);
        let Some(session) = session else { return };
        let bytes = OVERHEAD + session.bytes();
        if let Some(room) = self.room_beside(&state, bytes) {
            state.unused.lighten(room);
            state.unused.insert(name, session, bytes, now);
        }
    }

    /// Bytes that are left for unused sessions beside those in use and so many more.
    fn room_beside(&self, state: &State, bytes: usize) -> Option<usize> {
        self.max_bytes.checked_sub(state.busy.len() * OVERHEAD + bytes)
    }

    /// Looks after the sessions while there are any to look after.
    pub(super) async fn forget_in_time(sessions: Weak<Self>) {
        while let Some(sessions) = sessions.upgrade() {
            sessions.lock().unused.forget_old(Instant::now().into_std());
            let pause = sessions.timeout.max(Duration::from_secs(1));
            drop(sessions);
            tokio::time::sleep(pause).await;
        }
    }

    pub(super) fn tally(&self) -> SessionTally {
        let State { busy, unused } = &mut *self.lock();
        unused.forget_old(Instant::now().into_std());
        SessionTally {
            sessions: (busy.len() + unused.len()) as u64,
            bytes: (busy.len() * OVERHEAD + unused.weight()) as u64,
            evicted: unused.evicted(),
        }
    }
}

/// A session in use. Where it is dropped the session is forgotten: sent is not arrived.
pub(super) struct Lease {
    sessions: Arc<Sessions>,
    name: Name,
    pub(super) memory: Memory,
    over: bool,
}

impl Lease {
    fn give_back(mut self, session: Session) {
        self.over = true;
        self.sessions.give_back(self.name, Some(session));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.over {
            self.sessions.give_back(self.name, None);
        }
    }
}

/// A body that gives a session back once all of it has gone to the network.
pub(super) struct Remembering {
    body: ChannelBody,
    /// The lease, and where the session comes from once the body is made.
    lease: Option<(Lease, oneshot::Receiver<Session>)>,
}

impl Remembering {
    pub(super) const fn new(
        body: ChannelBody,
        lease: Option<(Lease, oneshot::Receiver<Session>)>,
    ) -> Self {
        Self { body, lease }
    }
}

impl Body for Remembering {
    type Data = Bytes;
    type Error = crate::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<crate::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None))
            && let Some((lease, mut session)) = self.lease.take()
            && let Ok(session) = session.try_recv()
        {
            lease.give_back(session);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: usize = 1_000;

    fn of_bytes(max_bytes: usize) -> Arc<Sessions> {
        let options = ServerOptions {
            max_sessions_bytes: max_bytes,
            session_timeout: Duration::from_secs(60),
            ..ServerOptions::default()
        };
        Arc::new(Sessions::new(&options))
    }

    fn name(n: u64) -> Name {
        u128::from(n).to_be_bytes()
    }

    fn use_once(sessions: &Arc<Sessions>, n: u64) -> Option<Memory> {
        let (session, lease) = sessions.lease(name(n))?;
        let memory = lease.memory;
        lease.give_back(session);
        Some(memory)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_kept_for_its_time_and_no_longer() {
        let sessions = of_bytes(ONE * OVERHEAD);
        assert_eq!(use_once(&sessions, 1), Some(Memory::Begun));
        for _ in 0..3 {
            tokio::time::advance(Duration::from_millis(59_999)).await;
            assert_eq!(use_once(&sessions, 1), Some(Memory::Kept), "each use begins it anew");
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(sessions.tally(), SessionTally { evicted: 1, ..SessionTally::default() });
        assert_eq!(use_once(&sessions, 1), Some(Memory::Begun));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_to_ask_for_it_to_go() {
        let sessions = of_bytes(ONE * OVERHEAD);
        use_once(&sessions, 1);
        let looking = tokio::spawn(Sessions::forget_in_time(Arc::downgrade(&sessions)));
        tokio::time::sleep(Duration::from_secs(121)).await;
        assert_eq!(sessions.lock().unused.len(), 0);
        drop(sessions);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(looking.is_finished(), "it goes with the server");
    }

    #[tokio::test]
    async fn one_request_has_it_and_others_do_without() {
        let sessions = of_bytes(ONE * OVERHEAD);
        let held = sessions.lease(name(1)).expect("there is room");
        assert!(sessions.lease(name(1)).is_none());
        assert!(sessions.lease(name(2)).is_some(), "another is not in use");
        assert_eq!(sessions.tally().sessions, 1, "a lease that is dropped leaves nothing");
        held.1.give_back(held.0);
        assert_eq!(use_once(&sessions, 1), Some(Memory::Kept));
    }

    #[tokio::test]
    async fn bytes_at_the_limit_and_one_past_it() {
        let sessions = of_bytes(3 * OVERHEAD);
        (0..3).for_each(|n| assert_eq!(use_once(&sessions, n), Some(Memory::Begun)));
        assert_eq!((sessions.tally().sessions, sessions.tally().evicted), (3, 0));
        use_once(&sessions, 3);
        assert_eq!((sessions.tally().sessions, sessions.tally().evicted), (3, 1));
        assert_eq!(use_once(&sessions, 1), Some(Memory::Kept), "the oldest went");
        let held: Vec<_> = (4..7).map(|n| sessions.lease(name(n)).expect("room")).collect();
        assert!(sessions.lease(name(7)).is_none(), "what is in use is not driven out");
        drop(held);
        assert_eq!(sessions.tally().bytes, 0);
        assert!(of_bytes(OVERHEAD - 1).lease(name(1)).is_none());
    }

    #[tokio::test]
    async fn a_hundred_thousand_sessions_stay_within_the_limit() {
        let sessions = of_bytes(1 << 20);
        for n in 0..100_000 {
            assert!(use_once(&sessions, n).is_some());
            let SessionTally { sessions, bytes, .. } = sessions.tally();
            assert!(bytes <= 1 << 20 && sessions <= (1 << 20) / OVERHEAD as u64);
        }
        let SessionTally { sessions, evicted, .. } = sessions.tally();
        assert_eq!(evicted + sessions, 100_000);
    }
}
