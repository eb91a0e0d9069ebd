//! Sessions of pools that a sink opened here, and what their sources tell each other (`docs/pool-session.md`).

use carpool_core::{Cid, may_link};
use carpool_pool::{Gossip, Plan, Promises, Provided, SESSION_ID_BYTES};
use carpool_store::BlockStore;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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
/// Leaves of others that a pull remembers, those at the far end of its walk; some 100 bytes each.
const MAX_CANDIDATES: usize = 1 << 14;
/// Leaves of others that are promised at a time.
const CHUNK: usize = 32;

/// What names a session in public.
pub(super) type Id = [u8; SESSION_ID_BYTES];

/// The sessions of a server that tells peers of them.
pub(super) struct Pools {
    open: Mutex<HashMap<Id, Arc<Pooled>>>,
    telling: Arc<Telling>,
    timeout: Duration,
}

/// One session.
pub(super) struct Pooled {
    id: Id,
    /// The place of this server in its plans.
    me: u8,
    state: Mutex<State>,
    /// Whether a pull is under way that goes on with blocks of others.
    busy: AtomicBool,
}

struct State {
    view: Provided,
    /// By epoch.
    promises: BTreeMap<u32, Promises>,
    /// Sources that were heard of in this session: they hear what is told, and mind it.
    heard: BTreeSet<u8>,
    used: Instant,
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Taken,
    Refused(carpool_pool::Error),
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

    /// Opens the session of a plan, or goes on with it. `None` where nobody is to be told, where there is no
    /// room, and where another pull of the session is under way.
    pub(super) fn join(&self, plan: &Plan) -> Option<Gossiping> {
        let view = Provided::bounded(plan.session(), MAX_FINGERPRINTS, MAX_FILTER_BYTES);
        let id = *view.key().id();
        let mut open = self.lock();
        open.retain(|_, pooled| !pooled.is_old(self.timeout));
        if self.telling.is_empty() || (open.len() >= MAX_POOLS && !open.contains_key(&id)) {
            return None;
        }
        let new = || Arc::new(Pooled::new(id, plan.me(), view));
        let pooled = Arc::clone(open.entry(id).or_insert_with(new));
        drop(open);
        let joins = pooled.me == plan.me() && !pooled.busy.swap(true, Relaxed);
        joins.then(|| Gossiping::begin(pooled, plan.clone(), Arc::clone(&self.telling)))
    }

    /// Takes a message. Who is heard for the first time is told all that is known, since it may have come
    /// later.
    pub(super) fn hear(&self, pooled: &Pooled, message: &[u8]) -> Heard {
        let mut state = pooled.lock();
        let gossip = match Gossip::decode(state.view.key(), message) {
            Ok(gossip) => gossip,
            Err(error) => return Heard::Refused(error),
        };
        if gossip.source() == pooled.me {
            return Heard::Taken;
        }
        if let Err(error) = state.view.apply(&gossip) {
            return Heard::Refused(error);
        }
        state.used = Instant::now();
        if state.heard.insert(gossip.source()) {
            let hello = Gossip::hello(pooled.me, gossip.epoch());
            let own = state.view.told().filter(|told| told.source() == pooled.me);
            let told = [hello].into_iter().chain(own);
            let messages: Vec<_> = told.map(|told| told.encode(state.view.key())).collect();
            messages.into_iter().for_each(|message| self.telling.tell(&pooled.id, message));
        }
        Heard::Taken
    }
}

impl Pooled {
    fn new(id: Id, me: u8, view: Provided) -> Self {
        let (promises, heard) = Default::default();
        let state = State { view, promises, heard, used: Instant::now() };
        Self { id, me, state: Mutex::new(state), busy: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_old(&self, timeout: Duration) -> bool {
        !self.busy.load(Relaxed) && self.lock().used.elapsed() >= timeout
    }
}

/// The part of one pull in its session.
pub(super) struct Gossiping {
    pooled: Arc<Pooled>,
    plan: Plan,
    telling: Arc<Telling>,
    /// Leaves of others that the walk met, the far end behind.
    others: Mutex<VecDeque<Cid>>,
}

impl Gossiping {
    fn begin(pooled: Arc<Pooled>, plan: Plan, telling: Arc<Telling>) -> Self {
        let hello = Gossip::hello(plan.me(), plan.epoch());
        let message = {
            let mut state = pooled.lock();
            state.used = Instant::now();
            hello.encode(state.view.key())
        };
        telling.tell(&pooled.id, message);
        Self { pooled, plan, telling, others: Mutex::default() }
    }

    /// Whether the pull sends a block as the plan has it: not if another source promised it meanwhile.
    pub(super) fn is_mine(&self, cid: &Cid) -> bool {
        if self.plan.is_mine(cid) {
            return !self.pooled.lock().view.is_provided_beside(self.plan.me(), cid);
        }
        if !may_link(cid) && self.plan.owner(cid).is_some() {
            self.note_other(cid);
        }
        false
    }

    fn note_other(&self, cid: &Cid) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() == MAX_CANDIDATES {
            others.pop_front();
        }
        others.push_back(*cid);
    }

    /// A block that the walk came to is not here: if the plan gives it to this source, the next in preference is
    /// to send it.
    pub(super) fn lacks(&self, cid: &Cid) {
        if self.plan.is_mine(cid) {
            self.say(|promises, view| promises.lack(view, cid).is_ok());
        }
    }

    /// The share is sent.
    pub(super) fn finish(&self) {
        self.say(|promises, view| promises.finish(view).is_ok());
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.make_contiguous().reverse();
    }

    /// The next blocks to send beyond the share, from the far end of the walk: leaves that are held here and that
    /// nobody promised, of sources that hear of it and are at work, or that lack them. They are promised, and
    /// the others told. None are left where there are none.
    pub(super) fn claim<S: BlockStore + ?Sized>(&self, store: &S) -> Result<Vec<Cid>> {
        loop {
            let some = self.candidates();
            let here = store.has_many(&some)?;
            let held: Vec<Cid> =
                some.iter().zip(here).filter_map(|(cid, here)| here.then_some(*cid)).collect();
            if some.is_empty() || !held.is_empty() {
                let promise = |cid: &Cid| {
                    let mut promised = false;
                    self.note(|promises, view| {
                        promised = promises.promise(view, cid).unwrap_or(false);
                    });
                    promised
                };
                let claimed: Vec<Cid> = held.into_iter().filter(promise).collect();
                self.tell();
                return Ok(claimed);
            }
        }
    }

    /// Those whose heir this source is come first: who is idle shares the rest like a plan of its own.
    fn candidates(&self) -> Vec<Cid> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.pooled.lock();
        let heirs = self.heirs(&state);
        let (mut mine, mut rest) = (Vec::new(), VecDeque::new());
        while mine.len() < CHUNK {
            let Some(cid) = others.pop_front() else { break };
            if !self.is_open(&state, &cid) {
                continue;
            }
            if heirs.as_ref().is_none_or(|heirs| heirs.is_mine(&cid)) {
                mine.push(cid);
            } else {
                rest.push_back(cid);
            }
        }
        if mine.is_empty() {
            mine.extend(rest.drain(..rest.len().min(CHUNK)));
        }
        // What is another's for now is looked at again, and taken in the end.
        others.extend(rest);
        mine
    }

    /// The plan of those who are done, of whom this source is one.
    fn heirs(&self, state: &State) -> Option<Plan> {
        let (plan, epoch) = (&self.plan, self.plan.epoch());
        let idle = |place: u8| place == plan.me() || state.view.is_done(place, epoch);
        let weights = (0..).zip(plan.weights()).map(
            |(place, weight)| {
                if idle(place) { (*weight).max(1) } else { 0 }
            },
        );
        Plan::new(*plan.session(), epoch, plan.me(), 0, weights.collect()).ok()
    }

    fn is_open(&self, state: &State, cid: &Cid) -> bool {
        let owner = self.plan.owner(cid).and_then(|owner| u8::try_from(owner).ok());
        let Some(owner) = owner.filter(|owner| state.heard.contains(owner)) else { return false };
        let at_work = !state.view.is_done(owner, self.plan.epoch());
        !state.view.is_provided(cid) && (at_work || state.view.is_lacked_by(owner, cid))
    }

    fn note(&self, note: impl FnOnce(&mut Promises, &mut Provided)) {
        let mut state = self.pooled.lock();
        let State { view, promises, used, .. } = &mut *state;
        let (me, epoch) = (self.plan.me(), self.plan.epoch());
        note(promises.entry(epoch).or_insert_with(|| Promises::new(me, epoch)), view);
        *used = Instant::now();
    }

    fn say(&self, say: impl FnOnce(&mut Promises, &mut Provided) -> bool) {
        self.note(|promises, view| {
            // Past a limit it is not said, which costs blocks that come twice.
            let _said = say(promises, view);
        });
        self.tell();
    }

    fn tell(&self) {
        let message = {
            let mut state = self.pooled.lock();
            let State { view, promises, .. } = &mut *state;
            let news = promises.get_mut(&self.plan.epoch()).and_then(|it| it.take(view));
            news.map(|gossip| gossip.encode(view.key()))
        };
        if let Some(message) = message {
            self.telling.tell(&self.pooled.id, message);
        }
    }
}

impl Drop for Gossiping {
    fn drop(&mut self) {
        self.pooled.lock().used = Instant::now();
        self.pooled.busy.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerOptions;
    use super::*;
    use carpool_core::{Block, codec};

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
    fn a_session_has_one_pull_at_a_time_and_one_place() {
        let pools = pools(&["http://127.0.0.1:9"], HOUR);
        let held = pools.join(&plan(1, 0));
        assert!(held.is_some() && pools.join(&plan(1, 0)).is_none());
        drop(held);
        assert!(pools.join(&plan(1, 1)).is_none(), "it was at another place");
        assert!(pools.join(&plan(1, 0)).is_some());
    }

    #[test]
    fn without_peers_there_are_none() {
        assert!(pools(&[], HOUR).join(&plan(1, 0)).is_none());
        assert!(pools(&["nonsense"], HOUR).join(&plan(1, 0)).is_none());
    }

    #[test]
    fn candidates_at_the_limit_and_one_past_it() {
        let pools = pools(&["http://127.0.0.1:9"], HOUR);
        let ours = pools.join(&plan(1, 0)).expect("room");
        let cid = |n: usize| *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid();
        (0..=MAX_CANDIDATES).for_each(|n| ours.note_other(&cid(n)));
        let others = ours.others.lock().expect("whole");
        assert_eq!(others.len(), MAX_CANDIDATES);
        assert_eq!(others.front(), Some(&cid(1)), "the far end stays");
    }

    /// Of three the first two are done: each begins with a part of the third's, and takes all in the end.
    #[test]
    fn who_is_idle_shares_the_rest() {
        let of = |me| Plan::new([7; 16], 0, me, 0, vec![1; 3]).expect("a good plan");
        let mut firsts = Vec::new();
        for me in [0, 1] {
            let pools = pools(&["http://127.0.0.1:9"], HOUR);
            let ours = pools.join(&of(me)).expect("room");
            let mut view = Provided::new(&[7; 16]);
            let mut other = Promises::new(1 - me, 0);
            other.finish(&mut view).expect("few");
            let done = other.take(&view).expect("it").encode(view.key());
            for message in [done, Gossip::hello(2, 0).encode(view.key())] {
                assert_eq!(pools.hear(&ours.pooled, &message), Heard::Taken);
            }
            (0..100_u8).for_each(|n| {
                ours.is_mine(Block::new(codec::RAW, vec![n].into()).cid());
            });
            ours.finish();
            let first = ours.candidates();
            assert!(!first.is_empty() && first.iter().all(|cid| of(me).owner(cid) == Some(2)));
            firsts.push(first.into_iter().collect::<BTreeSet<_>>());
        }
        assert!(firsts[0].is_disjoint(&firsts[1]));
    }
}
