//! Sessions of pools that a sink opened here, and what their sources tell each other (`docs/pool-session.md`).

use carpool_core::Cid;
use carpool_pool::{Error, Member, Part, Plan, Provided, PullId, SESSION_ID_BYTES};
use carpool_store::BlockStore;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::telling::Telling;
use crate::Result;

/// Sessions that are open at a time; a pull of a further one is answered without gossip.
pub(super) const MAX_POOLS: usize = 64;
/// Fingerprints of one of them, about 16 bytes each.
const MAX_FINGERPRINTS: usize = 1 << 17;
/// Bytes of the filters of one of them.
const MAX_FILTER_BYTES: usize = 1 << 20;
/// How long what a walk lacks may wait for more of it, which is told in one message.
const GATHER: Duration = Duration::from_millis(10);

/// What names a session in public.
pub(super) type Id = [u8; SESSION_ID_BYTES];

/// The sessions that are open, and the peers that are told of them, if there are any.
pub(super) struct Pools {
    open: Mutex<HashMap<Id, Arc<Pooled>>>,
    telling: Arc<Telling>,
    timeout: Duration,
}

/// One session.
pub(super) struct Pooled {
    id: Id,
    state: Mutex<State>,
}

struct State {
    member: Member,
    used: Instant,
    told: Instant,
    /// Whether something waits to be told.
    waits: bool,
}

impl Pools {
    pub(super) fn new(telling: Telling, timeout: Duration) -> Self {
        Self { open: Mutex::default(), telling: Arc::new(telling), timeout }
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Arc<Pooled>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, id: &Id) -> Option<Arc<Pooled>> {
        self.lock().get(id).cloned()
    }

    /// Opens the session of a plan, or goes on with it. `None` where there is no room, and for a plan that has
    /// this server at another place than the session.
    pub(super) fn join(&self, plan: &Plan) -> Option<Gossiping> {
        let view = Provided::bounded(plan.session(), MAX_FINGERPRINTS, MAX_FILTER_BYTES);
        let id = *view.key().id();
        let mut open = self.lock();
        open.retain(|_, pooled| !pooled.is_old(self.timeout));
        if open.len() >= MAX_POOLS && !open.contains_key(&id) {
            return None;
        }
        let new = || Arc::new(Pooled::new(id, plan.me(), view));
        let pooled = Arc::clone(open.entry(id).or_insert_with(new));
        // While the table is locked nobody takes out what is in use.
        let pull = pooled.note(|member| member.open(plan.clone(), Part::TakesOver)).ok();
        drop(open);
        let gossiping = Gossiping { pull: pull?, telling: Arc::clone(&self.telling), pooled };
        gossiping.tell();
        Some(gossiping)
    }

    /// Takes a message, and tells what it is answered with.
    pub(super) fn hear(&self, pooled: &Pooled, message: &[u8]) -> Result<(), Error> {
        pooled.note(|member| member.handle_message(message))?;
        pooled.tell(&self.telling);
        Ok(())
    }
}

impl Pooled {
    fn new(id: Id, me: u8, view: Provided) -> Self {
        let (member, now) = (Member::new(me, view), Instant::now());
        Self { id, state: Mutex::new(State { member, used: now, told: now, waits: false }) }
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_old(&self, timeout: Duration) -> bool {
        let state = self.lock();
        state.member.pulls() == 0 && state.used.elapsed() >= timeout
    }

    /// Does something that keeps the session open.
    fn note<T>(&self, note: impl FnOnce(&mut Member) -> T) -> T {
        let mut state = self.lock();
        state.used = Instant::now();
        note(&mut state.member)
    }

    /// Tells what there is to tell.
    fn tell(&self, telling: &Telling) {
        let mut state = self.lock();
        (state.told, state.waits) = (Instant::now(), false);
        let messages: Vec<_> = std::iter::from_fn(|| state.member.poll_message()).collect();
        drop(state);
        messages.into_iter().for_each(|message| telling.tell(&self.id, message));
    }
}

impl State {
    /// Whether what waits has waited long enough.
    fn is_due(&self) -> bool {
        self.waits && self.told.elapsed() >= GATHER
    }
}

/// The part of one pull in its session.
pub(super) struct Gossiping {
    pooled: Arc<Pooled>,
    pull: PullId,
    telling: Arc<Telling>,
}

impl Gossiping {
    /// Whether the pull sends a block.
    pub(super) fn is_mine(&self, cid: &Cid) -> bool {
        let mut state = self.pooled.lock();
        let (mine, due) = (state.member.is_mine(self.pull, cid), state.is_due());
        drop(state);
        if due {
            self.tell();
        }
        mine
    }

    /// A block that the walk came to is not here.
    pub(super) fn lacks(&self, cid: &Cid) {
        let mut state = self.pooled.lock();
        state.member.handle_lack(self.pull, cid);
        (state.used, state.waits) = (Instant::now(), true);
        let due = state.is_due();
        drop(state);
        if due {
            self.tell();
        }
    }

    /// The share is sent.
    pub(super) fn finish(&self) {
        self.pooled.note(|member| member.handle_sent(self.pull));
        self.tell();
    }

    /// The next blocks to send beyond the share. They are promised, and the others told. None are left where there
    /// are none.
    pub(super) fn claim<S: BlockStore + ?Sized>(&self, store: &S) -> Result<Vec<Cid>> {
        loop {
            let some = self.pooled.note(|member| member.candidates(self.pull));
            if some.is_empty() {
                return Ok(some);
            }
            let here = store.has_many(&some)?;
            let held: Vec<Cid> =
                some.iter().zip(here).filter_map(|(cid, here)| here.then_some(*cid)).collect();
            let claimed = self.pooled.note(|member| member.promise(self.pull, &held));
            self.tell();
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    fn tell(&self) {
        self.pooled.tell(&self.telling);
    }
}

impl Drop for Gossiping {
    fn drop(&mut self) {
        self.pooled.note(|member| member.handle_closed(self.pull));
        // A walk that broke off may have lacked something just before.
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerOptions;
    use super::*;
    use carpool_pool::MAX_PULLS;

    const HOUR: Duration = Duration::from_secs(3600);

    fn pools(peers: &[&str], timeout: Duration) -> Pools {
        let peers = peers.iter().map(|peer| (*peer).to_owned()).collect();
        let options = ServerOptions { peers, ..ServerOptions::default() };
        Pools::new(Telling::new(&options), timeout)
    }

    fn plan(session: usize, me: u8) -> Plan {
        let session = (session as u128).to_be_bytes();
        Plan::new(session, 0, me, 0, vec![1, 1]).expect("a good plan")
    }

    #[test]
    fn sessions_at_the_limit_and_one_past_it() {
        let pools = pools(&["http://127.0.0.1:9"], HOUR);
        for session in 0..MAX_POOLS {
            assert!(pools.join(&plan(session, 0)).is_some());
        }
        assert!(pools.join(&plan(MAX_POOLS, 0)).is_none());
        assert!(pools.join(&plan(0, 0)).is_some(), "it is open");
    }

    #[test]
    fn old_ones_make_room_and_those_under_way_do_not() {
        let pools = pools(&["http://127.0.0.1:9"], Duration::ZERO);
        let held: Vec<_> = (0..MAX_POOLS).map(|session| pools.join(&plan(session, 0))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(pools.join(&plan(MAX_POOLS, 0)).is_none());
        drop(held);
        assert!(pools.join(&plan(MAX_POOLS, 0)).is_some());
        assert_eq!(pools.lock().len(), 1);
    }

    #[test]
    fn a_session_has_several_pulls_and_one_place() {
        let pools = pools(&["http://127.0.0.1:9"], HOUR);
        let held: Vec<_> = (0..MAX_PULLS).map(|_| pools.join(&plan(1, 0))).collect();
        assert!(held.iter().all(Option::is_some) && pools.join(&plan(1, 0)).is_none());
        drop(held);
        assert!(pools.join(&plan(1, 1)).is_none(), "it was at another place");
        assert!(pools.join(&plan(1, 0)).is_some());
    }

    #[test]
    fn without_peers_there_are_sessions_too() {
        assert!(pools(&[], HOUR).join(&plan(1, 0)).is_some());
        assert!(pools(&["nonsense"], HOUR).join(&plan(1, 0)).is_some());
    }
}
