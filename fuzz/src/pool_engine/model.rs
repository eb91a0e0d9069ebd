//! A driver that does what a pool says, late where it may be, and knows what may be said.

use carpool_core::{Block, Bytes, Cid, Limits, may_link};
use carpool_pool::{
    Ask, Error, Form, Gone, Gossip, Kind, Options, Pool, PoolOutcome, PoolOutput, Promises,
    Provided, RequestId, SessionKey, SourceId, State, Took, Trouble,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Choices, world::World};

/// Requests of one source at a time, as the engine has it, and its shares of the plans that are in force.
const MAX_OPEN: usize = 8 + 8;

pub(super) struct Peer {
    pub(super) kind: Kind,
    pub(super) gone: bool,
    /// It holds everything and answers whatever it is asked.
    pub(super) honest: bool,
    /// Bytes of what it sent that waits.
    waiting: u64,
    /// When it last sent something, or began to be asked.
    heard: u64,
    /// How often it failed.
    failures: u64,
}

impl Peer {
    const fn new(kind: Kind, honest: bool, now: u64) -> Self {
        Self { kind, gone: false, honest, waiting: 0, heard: now, failures: 0 }
    }
}

pub(super) struct Request {
    pub(super) source: SourceId,
    pub(super) open: bool,
    /// It is not read.
    pub(super) paused: bool,
    /// What an honest source sends for it, in its order.
    pub(super) left: VecDeque<Cid>,
}

/// A look-up that is not answered yet.
enum LookUp {
    Load(Cid),
    Has(Cid),
    Recall(Cid, Bytes),
}

pub(super) struct Model {
    pub(super) world: World,
    pub(super) pool: Pool,
    pub(super) options: Options,
    pub(super) now: u64,
    pub(super) peers: Vec<Peer>,
    /// By number.
    pub(super) requests: Vec<Request>,
    /// Whether look-ups are answered at once.
    pub(super) prompt: bool,
    pub(super) done: Option<PoolOutcome>,
    store: BTreeMap<Cid, Bytes>,
    stored: BTreeSet<Cid>,
    aside: BTreeMap<Cid, (SourceId, Bytes)>,
    look_ups: Vec<LookUp>,
    /// What was put aside and lost: it is asked for again, whether the store has it or not.
    lost: BTreeSet<Cid>,
    /// Who sent the block that was handled last.
    sender: SourceId,
}

impl Model {
    pub(super) fn new(world: World, held: impl Fn(usize) -> bool, options: Options) -> Self {
        let pool = Pool::new(&[world.root], &Limits::default(), options.clone());
        let held = world.blocks.iter().enumerate().filter(|(place, _)| held(*place));
        let store = held.map(|(_, block)| block.clone().into_parts()).collect();
        Self {
            world,
            pool,
            options,
            now: 0,
            peers: Vec::new(),
            requests: Vec::new(),
            prompt: true,
            done: None,
            store,
            stored: BTreeSet::new(),
            aside: BTreeMap::new(),
            look_ups: Vec::new(),
            lost: BTreeSet::new(),
            sender: 0,
        }
    }

    /// Whether the sink has a block, as far as the pool can know.
    pub(super) fn holds(&self, cid: &Cid) -> bool {
        self.store.contains_key(cid) && !self.lost.contains(cid)
    }

    pub(super) fn join(&mut self, kind: Kind, rtt: u64, rate: u64, honest: bool) {
        let id = self.pool.handle_source(kind, rtt, rate, self.now).expect("they are few");
        assert_eq!(usize::from(id), self.peers.len());
        self.peers.push(Peer::new(kind, honest, self.now));
    }

    /// Some request that is open.
    pub(super) fn open(&self, is: impl Fn(&Peer) -> bool) -> Option<usize> {
        self.requests
            .iter()
            .position(|of| of.open && !of.paused && is(&self.peers[usize::from(of.source)]))
    }

    /// A source says something to the others: what is sealed as it should be, or is not.
    pub(super) fn say(&mut self, source: SourceId, how: u8, choices: &mut Choices<'_>) {
        let mut view = Provided::new(&self.options.session);
        let of = if how == 7 { source ^ 1 } else { source };
        let mut said = Promises::new(of, u32::from(how % 2));
        for _ in 0..how {
            let cid = *self.world.blocks[choices.below(self.world.blocks.len())].cid();
            let _said = said.promise(&mut view, &cid);
            let _said = said.lack(&mut view, &cid);
        }
        let mut message =
            said.take(&view).unwrap_or_else(|| Gossip::hello(of, 0)).encode(view.key());
        if how == 6 {
            message.truncate(30);
        }
        self.pool.handle_message(source, &message);
    }

    pub(super) fn bytes(&mut self, source: SourceId, bytes: u64) {
        self.peers[usize::from(source)].heard = self.now;
        self.pool.handle_bytes(source, bytes, self.now);
    }

    /// A block comes of a request; who is paused is not read.
    pub(super) fn deliver(&mut self, request: usize, block: Block) -> Result<(), Error> {
        let source = self.requests[request].source;
        if self.requests[request].paused {
            return Ok(());
        }
        let cid = *block.cid();
        self.sender = source;
        self.bytes(source, block.data().len() as u64);
        let took = self.pool.handle_block(source, number(request), block, self.now)?;
        match took {
            Took::Wanted => assert!(!self.stored.contains(&cid)),
            Took::Duplicate => assert!(self.holds(&cid) || self.aside.contains_key(&cid)),
            Took::Waits => assert!(!self.aside.contains_key(&cid)),
            Took::Unasked => {}
        }
        self.drain()?;
        // What everybody waits for is read on, up to twice as much.
        let full = self.peers[usize::from(source)].waiting > 2 * self.options.max_waiting;
        let of = &self.requests[request];
        assert!(!full || took != Took::Waits || of.paused || !of.open, "more waits than may");
        Ok(())
    }

    pub(super) fn end(&mut self, request: usize) -> Result<(), Error> {
        self.requests[request].open = false;
        self.pool.handle_end(number(request), self.now);
        self.drain()
    }

    pub(super) fn trouble(&mut self, request: usize, trouble: Trouble) -> Result<(), Error> {
        // Who lies is dropped, and what it was asked for cancelled.
        if trouble != Trouble::Lie {
            self.requests[request].open = false;
        }
        self.pool.handle_trouble(number(request), trouble, self.now);
        let source = self.requests[request].source;
        self.peers[usize::from(source)].failures = self.failures(source);
        self.drain()
    }

    /// Answers one look-up; what was put aside may be lost.
    pub(super) fn answer(&mut self, pick: usize, lost: bool) -> Result<(), Error> {
        if self.look_ups.is_empty() {
            return Ok(());
        }
        match self.look_ups.swap_remove(pick % self.look_ups.len()) {
            LookUp::Load(cid) => self.pool.handle_load(&cid, self.store.get(&cid).cloned())?,
            LookUp::Has(cid) => self.pool.handle_has(&cid, self.holds(&cid)),
            LookUp::Recall(cid, _) if lost => {
                if !self.stored.contains(&cid) {
                    self.lost.insert(cid);
                }
                self.pool.handle_recalled(&cid, None)?;
            }
            LookUp::Recall(cid, data) => self.pool.handle_recalled(&cid, Some(data))?,
        }
        Ok(())
    }

    /// Polls until nothing comes: after every event that is little.
    pub(super) fn drain(&mut self) -> Result<(), Error> {
        self.poll_all()?;
        if self.is_late() {
            // Who has rested may turn out to stand still, which takes one more look.
            self.poll_all()?;
        }
        assert!(!self.is_late(), "it asks for a time that is over");
        Ok(())
    }

    fn is_late(&self) -> bool {
        let timeout = self.pool.poll_timeout();
        self.look_ups.is_empty() && timeout.is_some_and(|at| at <= self.now)
    }

    fn poll_all(&mut self) -> Result<(), Error> {
        let most = 16 + 8 * self.world.blocks.len() + 64 * self.peers.len();
        for polls in 0.. {
            while self.prompt && !self.look_ups.is_empty() {
                self.answer(0, false)?;
            }
            let Some(output) = self.pool.poll(self.now) else { break };
            assert!(polls < most, "it does not come to rest: {output:?}");
            assert!(self.done.is_none(), "{output:?} follows the end");
            self.obey(output);
        }
        self.check_stalls();
        Ok(())
    }

    fn failures(&self, source: SourceId) -> u64 {
        self.pool.tally(source).expect("it joined").0.failures
    }

    /// Only who could send and did not stands still.
    fn check_stalls(&mut self) {
        for source in 0..self.peers.len() {
            let failures = self.failures(u8::try_from(source).expect("they are few"));
            let peer = &mut self.peers[source];
            let fails = failures > peer.failures;
            peer.failures = failures;
            assert!(
                !fails || self.now >= peer.heard + self.options.stall,
                "{source} does not stand still"
            );
        }
    }

    fn obey(&mut self, output: PoolOutput) {
        match output {
            PoolOutput::Load(cid) => self.look_ups.push(LookUp::Load(cid)),
            PoolOutput::Has(cid) => {
                assert!(!may_link(&cid));
                self.look_ups.push(LookUp::Has(cid));
            }
            PoolOutput::Store(block) => self.put(block),
            PoolOutput::Hold(block) => self.hold(block),
            PoolOutput::Recall(cid) => {
                let data = self.unhold(&cid);
                self.look_ups.push(LookUp::Recall(cid, data));
            }
            PoolOutput::Discard(cid) => drop(self.unhold(&cid)),
            PoolOutput::Ask(ask) => self.ask(&ask),
            PoolOutput::Cancel { source, request } => {
                let of = &mut self.requests[index(request)];
                assert!(of.open && of.source == source);
                of.open = false;
            }
            PoolOutput::Pause { source, request } => {
                let of = &mut self.requests[index(request)];
                assert!(of.open && !of.paused && of.source == source);
                of.paused = true;
            }
            PoolOutput::Resume { source, request } => {
                let of = &mut self.requests[index(request)];
                assert!(of.open && of.paused && of.source == source);
                of.paused = false;
                self.peers[usize::from(source)].heard = self.now;
            }
            PoolOutput::Tell { source, message } => self.told(source, &message),
            PoolOutput::Drop { source, why } => self.dropped(source, why),
            PoolOutput::Done(outcome) => self.ended(outcome),
        }
    }

    fn put(&mut self, block: Block) {
        let (cid, data) = block.into_parts();
        let known = self.world.block(&cid).expect("what is stored lies below the root");
        assert_eq!(known.data(), &data);
        let parents = self.world.walk(&[self.world.root], |at| *at == cid || self.holds(at));
        assert!(parents.contains(&cid), "nothing that is held links to what is stored");
        assert!(self.stored.insert(cid), "{cid} is stored twice");
        self.lost.remove(&cid);
        self.store.insert(cid, data);
    }

    fn hold(&mut self, block: Block) {
        let (cid, data) = block.into_parts();
        let peer = &mut self.peers[usize::from(self.sender)];
        peer.waiting += data.len() as u64;
        assert!(self.aside.insert(cid, (self.sender, data)).is_none());
    }

    fn unhold(&mut self, cid: &Cid) -> Bytes {
        let (source, data) = self.aside.remove(cid).expect("it was put aside");
        self.peers[usize::from(source)].waiting -= data.len() as u64;
        data
    }

    fn ask(&mut self, ask: &Ask) {
        let peer = &self.peers[usize::from(ask.source)];
        assert_eq!(index(ask.request), self.requests.len());
        assert!(!peer.gone);
        assert_eq!(self.pool.tally(ask.source).map(|of| of.1), Some(State::Ready));
        let of = self.requests.iter().filter(|of| of.open && of.source == ask.source);
        let open = of.count();
        assert!(open < MAX_OPEN, "{ask:?} is one too many");
        assert!((1..=self.options.max_named).contains(&ask.want.len()), "{ask:?}");
        assert!(!ask.want.iter().any(|cid| self.holds(cid)), "{ask:?} names what is held");
        assert_eq!(ask.want.iter().collect::<BTreeSet<_>>().len(), ask.want.len());
        let left = match &ask.form {
            Form::Named => {
                assert!(peer.kind.named || !ask.want.iter().any(may_link));
                ask.want.iter().copied().collect()
            }
            Form::Share(plan) => {
                assert!(peer.kind.aware && plan.me() == ask.source);
                let below = self.world.walk(&ask.want, |_| true).into_iter();
                below.filter(|cid| plan.is_mine(cid) && !ask.have.contains(cid)).collect()
            }
            Form::Below | _ => self.world.walk(&ask.want, |_| true).into(),
        };
        let read = |of: &&Request| of.open && of.source == ask.source && !of.paused;
        if self.requests.iter().filter(read).count() == 0 {
            self.peers[usize::from(ask.source)].heard = self.now;
        }
        self.requests.push(Request { source: ask.source, open: true, paused: false, left });
    }

    fn told(&self, source: SourceId, message: &[u8]) {
        let peer = &self.peers[usize::from(source)];
        assert!(peer.kind.gossips && !peer.gone);
        let key = SessionKey::new(&self.options.session);
        assert!(Gossip::decode(&key, message).is_ok(), "it is sealed");
    }

    fn dropped(&mut self, source: SourceId, why: Gone) {
        let peer = &mut self.peers[usize::from(source)];
        assert!(!peer.gone);
        peer.gone = true;
        let kept = matches!(why, Gone::Left | Gone::Failed);
        assert!(kept || peer.waiting == 0, "what it sent that belongs to nothing goes with it");
        assert!(self.requests.iter().all(|of| !of.open || of.source != source));
        let Peer { honest, kind, .. } = *peer;
        if honest {
            assert_eq!(why, Gone::Wasteful, "only for what it repeats");
            self.join(kind, 0, 0, true);
        }
    }

    /// Says truly what is missing.
    fn ended(&mut self, outcome: PoolOutcome) {
        assert!(self.requests.iter().all(|of| !of.open));
        let mut missing = BTreeSet::new();
        self.world.walk(&[self.world.root], |cid| {
            let held = self.holds(cid);
            if !held {
                missing.insert(*cid);
            }
            held
        });
        assert_eq!(outcome.missing, missing.len());
        assert!(outcome.named.iter().all(|cid| missing.contains(cid)));
        assert_eq!(outcome.named.len(), missing.len().min(16));
        self.done = Some(outcome);
    }
}

fn number(request: usize) -> RequestId {
    request as RequestId
}

fn index(request: RequestId) -> usize {
    usize::try_from(request).expect("they are few")
}
