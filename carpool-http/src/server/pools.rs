//! Sessions of pools that a sink opened here, and what their sources tell each other (`docs/pool-session.md`).

use bytes::Bytes;
use carpool_core::Cid;
use carpool_pool::{Error, Member, Part, Plan, Provided, PullId, SESSION_ID_BYTES};
use carpool_store::BlockStore;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

use super::{log::Log, telling::Telling};
use crate::{Result, said::Said};

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
    news: watch::Sender<News>,
}

/// What who listens waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    /// The number of the next message.
    next: u64,
    /// Pulls under way.
    pulls: usize,
}

struct State {
    member: Member,
    log: Log,
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
    pub(super) fn join(&self, plan: &Plan, part: Part) -> Option<Gossiping> {
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
        let pull = pooled.note(|member| member.open(plan.clone(), part)).ok();
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
        let state = State { member, log: Log::default(), used: now, told: now, waits: false };
        Self { id, state: Mutex::new(state), news: watch::Sender::default() }
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

    /// Tells peers and the sink what there is to tell.
    fn tell(&self, telling: &Telling) {
        let mut state = self.lock();
        (state.told, state.waits) = (Instant::now(), false);
        let mut messages = Vec::new();
        while let Some(message) = state.member.poll_message().map(Bytes::from) {
            state.log.push(message.clone());
            messages.push(message);
        }
        let news = News { next: state.log.next(), pulls: state.member.pulls() };
        // Under the lock, so that numbers only grow.
        self.news.send_if_modified(|old| std::mem::replace(old, news) != news);
        drop(state);
        messages.into_iter().for_each(|message| telling.tell(&self.id, message));
    }

    /// What was said here from this number on. If that is nothing, and a pull is under way, it waits so long for more.
    pub(super) async fn listen(&self, after: u64, wait: Duration) -> Said {
        let mut news = self.news.subscribe();
        let more = news.wait_for(|news| news.next != after || news.pulls == 0);
        let _waited = tokio::time::timeout(wait, more).await.is_ok();
        self.lock().said(after)
    }
}

impl State {
    /// Whether what waits has waited long enough.
    fn is_due(&self) -> bool {
        self.waits && self.told.elapsed() >= GATHER
    }

    /// Who missed what the log has forgotten is told all by what it comes to.
    fn said(&self, after: u64) -> Said {
        let all = || self.member.told().map(Bytes::from).collect();
        Said { next: self.log.next(), messages: self.log.since(after).unwrap_or_else(all) }
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
    use carpool_core::{Block, codec};
    use carpool_pool::{Gossip, MAX_PULLS};

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
            assert!(pools.join(&plan(session, 0), Part::TakesOver).is_some());
        }
        assert!(pools.join(&plan(MAX_POOLS, 0), Part::TakesOver).is_none());
        assert!(pools.join(&plan(0, 0), Part::TakesOver).is_some(), "it is open");
    }

    #[test]
    fn old_ones_make_room_and_those_under_way_do_not() {
        let pools = pools(&["http://127.0.0.1:9"], Duration::ZERO);
        let held: Vec<_> =
            (0..MAX_POOLS).map(|session| pools.join(&plan(session, 0), Part::TakesOver)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(pools.join(&plan(MAX_POOLS, 0), Part::TakesOver).is_none());
        drop(held);
        assert!(pools.join(&plan(MAX_POOLS, 0), Part::TakesOver).is_some());
        assert_eq!(pools.lock().len(), 1);
    }

    #[test]
    fn a_session_has_several_pulls_and_one_place() {
        let pools = pools(&["http://127.0.0.1:9"], HOUR);
        let held: Vec<_> =
            (0..MAX_PULLS).map(|_| pools.join(&plan(1, 0), Part::TakesOver)).collect();
        assert!(
            held.iter().all(Option::is_some) && pools.join(&plan(1, 0), Part::TakesOver).is_none()
        );
        drop(held);
        assert!(pools.join(&plan(1, 1), Part::TakesOver).is_none(), "it was at another place");
        assert!(pools.join(&plan(1, 0), Part::TakesOver).is_some());
    }

    #[test]
    fn without_peers_there_are_sessions_too() {
        assert!(pools(&[], HOUR).join(&plan(1, 0), Part::TakesOver).is_some());
        assert!(pools(&["nonsense"], HOUR).join(&plan(1, 0), Part::TakesOver).is_some());
    }

    fn id(session: usize) -> Id {
        *Provided::new(plan(session, 0).session()).key().id()
    }

    /// One that lacks some of its share.
    fn lacking(pools: &Pools, cids: usize) -> Gossiping {
        let ours = pools.join(&plan(1, 0), Part::TakesOver).expect("room");
        let of = |n: usize| *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid();
        let mine = (0..).map(of).filter(|cid| plan(1, 0).is_mine(cid)).take(cids);
        mine.for_each(|cid| ours.lacks(&cid));
        ours
    }

    fn heard(said: &Said) -> Provided {
        let mut view = Provided::new(plan(1, 0).session());
        for message in &said.messages {
            let gossip = Gossip::decode(view.key(), message).expect("sealed");
            view.apply(&gossip).expect("within the limits");
        }
        view
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_waits_for_what_is_said_and_for_the_end_of_the_last_pull() {
        let pools = pools(&[], HOUR);
        let ours = pools.join(&plan(1, 0), Part::TakesOver).expect("room");
        let pooled = pools.find(&id(1)).expect("it is open");
        let first = pooled.listen(0, HOUR).await;
        assert_eq!((first.next, first.messages.len()), (1, 1), "hello");
        let begun = tokio::time::Instant::now();
        let none = pooled.listen(1, HOUR).await;
        assert_eq!((none.next, none.messages.len(), begun.elapsed()), (1, 0, HOUR));
        let (more, ()) = tokio::join!(pooled.listen(1, HOUR), async { ours.finish() });
        assert!(more.next == 2 && heard(&more).is_done(0, 0));
        let other = pools.join(&plan(1, 0), Part::TakesOver).expect("room");
        drop(other);
        let (last, ()) = tokio::join!(pooled.listen(3, HOUR), async { drop(ours) });
        assert_eq!((last.next, last.messages.len()), (3, 0));
        assert_eq!(pooled.listen(3, HOUR).await, last, "there is nothing to wait for");
        assert_eq!(begun.elapsed(), HOUR, "nothing else had to wait");
    }

    #[tokio::test]
    async fn what_the_log_has_forgotten_is_told_as_what_it_came_to() {
        let pools = pools(&[], HOUR);
        let cids = 2 * super::super::log::MAX_BYTES / 8;
        let ours = lacking(&pools, cids);
        ours.finish();
        let pooled = pools.find(&id(1)).expect("it is open");
        let said = pooled.listen(0, HOUR).await;
        assert!(said.messages.len() < 5, "a hello and all");
        assert_eq!(said.next, pooled.lock().log.next());
        let (told, ours) = (heard(&said), pooled.lock().member.view().clone());
        assert!(told == ours && told.is_done(0, 0));
    }

    /// All that a view has room for, in the fewest bytes that it can be told in.
    #[tokio::test]
    async fn all_that_can_be_said_is_within_the_limit_of_an_answer() {
        let pools = pools(&[], HOUR);
        let ours = pools.join(&plan(1, 0), Part::TakesOver).expect("room");
        let filters = 86 + carpool_pool::MAX_LAYERS as usize + MAX_FILTER_BYTES;
        let most = 8 + (4 + filters) + MAX_FINGERPRINTS * 8 + MAX_PULLS * (4 + 86);
        assert!(most <= crate::said::MAX_BYTES, "{most}");
        // A log of hellos has the most messages.
        let hello = pools.find(&id(1)).expect("open").lock().said(0).messages[0].len();
        assert!(super::super::log::MAX_BYTES / hello < crate::said::MAX_MESSAGES);
        drop(ours);
    }
}
