//! Pools in virtual time: one sink, many sources, each with a line of its own.

mod ideal;
mod line;
mod source;
mod world;

use carpool_core::{Block, Bytes, Cid};
use carpool_pool::{
    Ask, Form, Member, Options, Pool, PoolOutcome, PoolOutput, Promises, Provided, SourceId, State,
    Tally, Trouble,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use crate::dag::mix;
use line::{Line, next_of};
use source::Job;
pub use source::{Behaviour, Lie};
pub use world::{Kind as Shape, World};

/// Bytes of a request's head, and of an answer's.
const HEAD: u64 = 220;
/// Bytes of a CID in a request, to a server of the specification's dialect, and to car-mirror.
const NAME: u64 = 40;
/// Bytes of a section beside its block.
const SECTION: u64 = 40;
/// Pieces in which a block arrives at least; one comes every half a second.
const PIECES: u64 = 4;

/// A run to be simulated.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The DAG.
    pub world: Arc<World>,
    /// The sources.
    pub sources: Vec<Behaviour>,
    /// The round trip to each of them, in microseconds.
    pub rtt: u64,
    /// The round trip between sources that know each other, and tell each other what they say; else the sink tells
    /// them what concerns them.
    pub peers: Option<u64>,
    /// The pool's options.
    pub options: Options,
    /// When the sink's process is started anew, with what its store holds.
    pub restarts: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was over, in microseconds.
    pub micros: u64,
    /// The best that any assignment could do.
    pub ideal: u64,
    /// Bytes of blocks that were wanted.
    pub payload: u64,
    /// Bytes of blocks that came though they were held, and that came of requests that were given up.
    pub duplicate: u64,
    /// Bytes that the sink said, and of heads of answers.
    pub control: u64,
    /// What each source did.
    pub sources: Vec<(Tally, State)>,
    /// The most bytes that waited for parents.
    pub waited: u64,
    /// Whether the store holds all that some living source has.
    pub complete: bool,
    /// What the pool says.
    pub outcome: PoolOutcome,
    /// How often the pool was polled or told something.
    pub steps: u64,
}

impl Report {
    /// Ideal time over actual time, in thousandths.
    #[must_use]
    pub const fn efficiency(&self) -> u64 {
        self.ideal * 1000 / if self.micros == 0 { 1 } else { self.micros }
    }

    /// Duplicate bytes of the payload, in hundredths of a percent.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicate * 10_000 / if self.payload == 0 { 1 } else { self.payload }
    }

    /// Control bytes of the payload, in hundredths of a percent.
    #[must_use]
    pub const fn controls(&self) -> u64 {
        self.control * 10_000 / if self.payload == 0 { 1 } else { self.payload }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Joins(usize),
    Dies(usize),
    Asked(usize, u64),
    Cancelled(usize, u64),
    /// The line of a source is free.
    Free(usize),
    Bytes(usize, u64),
    Block(usize, u64, Vec<u8>, bool),
    Ends(usize, u64),
    Breaks(usize, u64),
    Timer,
    Restart,
    /// A source hears what another, or the sink, says.
    Told(usize, Vec<u8>),
    /// The sink hears what a source says.
    Heard(usize, Vec<u8>),
}

struct Run<'a> {
    swarm: &'a Swarm,
    now: u64,
    pool: Pool,
    lines: Vec<Line>,
    places: HashMap<SourceId, usize>,
    numbers: HashMap<Cid, u64>,
    store: HashMap<Cid, Bytes>,
    asks: HashMap<u64, Ask>,
    given_up: HashSet<u64>,
    aside: HashMap<Cid, Bytes>,
    events: BinaryHeap<Reverse<(u64, u64, What)>>,
    sequence: u64,
    timer: Option<u64>,
    hidden: HashSet<Cid>,
    control: u64,
    wasted: u64,
    waited: u64,
    waiting: u64,
    steps: u64,
    outcome: Option<PoolOutcome>,
}

/// A run that takes longer does not end.
const HOUR: u64 = 4 * 3_600_000_000;

impl Swarm {
    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it does not come to one.
    #[must_use]
    pub fn run(&self) -> Report {
        let mut run = Run::new(self);
        run.go();
        run.report()
    }
}

impl<'a> Run<'a> {
    fn new(swarm: &'a Swarm) -> Self {
        let world = &swarm.world;
        let numbers = world.order.iter().zip(0..).map(|(cid, n)| (*cid, n)).collect();
        let store: HashMap<Cid, Bytes> =
            world.held.iter().map(|block| (*block.cid(), block.data().clone())).collect();
        let hidden = store.keys().copied().collect();
        let pool =
            Pool::new(&[world.root], &carpool_core::Limits::default(), swarm.options.clone());
        let mut run = Self {
            swarm,
            now: 0,
            pool,
            lines: Vec::new(),
            places: HashMap::new(),
            numbers,
            store,
            asks: HashMap::new(),
            given_up: HashSet::new(),
            aside: HashMap::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            timer: None,
            hidden,
            control: 0,
            wasted: 0,
            waited: 0,
            waiting: 0,
            steps: 0,
            outcome: None,
        };
        for (place, behaviour) in swarm.sources.iter().enumerate() {
            run.lines.push(Line {
                behaviour: behaviour.clone(),
                id: None,
                jobs: VecDeque::new(),
                busy: false,
                dead: false,
                paused: HashSet::new(),
                sent: 0,
                random: mix(behaviour.seed ^ 0x5EED ^ place as u64),
                member: None,
            });
            if behaviour.joins == 0 {
                run.join(place);
            } else {
                run.at(behaviour.joins, What::Joins(place));
            }
            if let Some(dies) = behaviour.dies {
                run.at(dies, What::Dies(place));
            }
        }
        if let Some(at) = swarm.restarts {
            run.at(at, What::Restart);
        }
        run
    }

    fn at(&mut self, time: u64, what: What) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, what)));
    }

    fn join(&mut self, place: usize) {
        let behaviour = &self.lines[place].behaviour;
        let id = self.pool.handle_source(behaviour.kind, self.swarm.rtt, behaviour.told, self.now);
        self.lines[place].id = id;
        if let Some(id) = id {
            self.places.insert(id, place);
        }
    }

    fn go(&mut self) {
        loop {
            self.obey();
            if self.outcome.is_some() {
                return;
            }
            let next = self.events.pop();
            let Reverse((time, _, what)) = next.expect("something happens until the pool is done");
            self.now = self.now.max(time);
            assert!(self.now < HOUR, "it does not end: {:?}", self.pool);
            self.steps += 1;
            self.happen(what);
        }
    }

    /// Does what the pool says.
    fn obey(&mut self) {
        while let Some(output) = self.pool.poll(self.now) {
            self.steps += 1;
            match output {
                PoolOutput::Load(cid) => {
                    let data = self.store.get(&cid).cloned();
                    self.pool.handle_load(&cid, data).expect("blocks parse");
                }
                PoolOutput::Has(cid) => self.pool.handle_has(&cid, self.store.contains_key(&cid)),
                PoolOutput::Store(block) => {
                    let (cid, data) = block.into_parts();
                    assert!(self.store.insert(cid, data).is_none(), "{cid} is stored twice");
                }
                PoolOutput::Hold(block) => {
                    let (cid, data) = block.into_parts();
                    self.waiting += data.len() as u64;
                    self.waited = self.waited.max(self.waiting);
                    self.aside.insert(cid, data);
                }
                PoolOutput::Recall(cid) => {
                    let data = self.aside.remove(&cid);
                    self.waiting -= data.as_ref().map_or(0, |data| data.len() as u64);
                    self.pool.handle_recalled(&cid, data).expect("blocks parse");
                }
                PoolOutput::Discard(cid) => {
                    let data = self.aside.remove(&cid);
                    self.waiting -= data.map_or(0, |data| data.len() as u64);
                }
                PoolOutput::Ask(ask) => self.ask(ask),
                PoolOutput::Tell { source, message } => {
                    self.control += 2 * HEAD + message.len() as u64;
                    let at = self.now + self.swarm.rtt / 2;
                    self.at(at, What::Told(self.places[&source], message));
                }
                PoolOutput::Cancel { source, request } => {
                    self.given_up.insert(request);
                    let place = self.places[&source];
                    self.control += HEAD / 8;
                    self.at(self.now + self.swarm.rtt / 2, What::Cancelled(place, request));
                }
                PoolOutput::Pause { source, request } => {
                    self.lines[self.places[&source]].paused.insert(request);
                }
                PoolOutput::Resume { source, request } => {
                    let place = self.places[&source];
                    self.lines[place].paused.remove(&request);
                    self.send(place);
                }
                PoolOutput::Drop { .. } => {}
                PoolOutput::Done(outcome) => self.outcome = Some(outcome),
            }
        }
        let timer = self.pool.poll_timeout();
        if let Some(at) = timer.filter(|_| timer != self.timer) {
            self.at(at.max(self.now), What::Timer);
        }
        self.timer = timer;
    }

    fn ask(&mut self, ask: Ask) {
        let place = self.places[&ask.source];
        let plan = match &ask.form {
            Form::Share(plan) => plan.encode().len() as u64,
            Form::Named | Form::Below | _ => 0,
        };
        // Without our extension a CID is text.
        let name = if self.lines[place].behaviour.kind.aware { NAME } else { 61 };
        // A filter that errs once in a million.
        let filter = ask.have.len() as u64 * 29 / 8;
        self.control += 2 * HEAD + ask.want.len() as u64 * name + plan + filter;
        let request = ask.request;
        self.asks.insert(request, ask);
        self.at(self.now + self.swarm.rtt / 2, What::Asked(place, request));
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Joins(place) => self.join(place),
            What::Dies(place) => {
                self.lines[place].dead = true;
                let jobs = std::mem::take(&mut self.lines[place].jobs);
                for job in jobs {
                    self.at(self.now + self.swarm.rtt / 2, What::Breaks(place, job.request));
                }
            }
            What::Asked(place, request) => self.asked(place, request),
            What::Cancelled(place, request) => {
                let line = &mut self.lines[place];
                for pull in line.jobs.iter().filter(|job| job.request == request) {
                    if let (Some(member), Some(pull)) = (&mut line.member, pull.pull) {
                        member.handle_closed(pull);
                    }
                }
                line.jobs.retain(|job| job.request != request);
            }
            What::Free(place) => {
                self.lines[place].busy = false;
                self.send(place);
            }
            What::Bytes(place, bytes) => self.bytes(place, bytes),
            What::Block(place, request, cid, good) => self.block(place, request, &cid, good),
            What::Ends(_, request) => self.pool.handle_end(request, self.now),
            What::Breaks(_, request) => {
                self.pool.handle_trouble(request, Trouble::Broken, self.now);
            }
            What::Timer => {}
            What::Told(place, message) => self.told(place, &message),
            What::Heard(place, message) => {
                if let Some(id) = self.lines[place].id {
                    self.pool.handle_message(id, &message);
                }
            }
            What::Restart => self.restart(),
        }
    }

    /// The sink's process begins anew; its store is what it was.
    fn restart(&mut self) {
        let root = [self.swarm.world.root];
        let limits = carpool_core::Limits::default();
        self.pool = Pool::new(&root, &limits, self.swarm.options.clone());
        self.aside.clear();
        self.waiting = 0;
        self.asks.clear();
        self.given_up.clear();
        self.hidden = self.store.keys().copied().collect();
        self.events.retain(|Reverse((_, _, what))| {
            matches!(what, What::Joins(_) | What::Dies(_) | What::Restart)
        });
        self.places.clear();
        for place in 0..self.lines.len() {
            self.lines[place].jobs.clear();
            self.lines[place].member = None;
            self.lines[place].busy = false;
            self.lines[place].paused.clear();
            if self.lines[place].behaviour.joins <= self.now {
                self.join(place);
            }
        }
        self.timer = None;
    }

    fn asked(&mut self, place: usize, request: u64) {
        let Some(ask) = self.asks.get(&request) else { return };
        if self.lines[place].dead {
            self.at(self.now + self.swarm.rtt / 2, What::Breaks(place, request));
            return;
        }
        let behaviour = self.lines[place].behaviour.clone();
        let (numbers, world) = (&self.numbers, &self.swarm.world);
        let holds = |cid: &Cid| numbers.get(cid).is_some_and(|number| behaviour.has(*number));
        if let (Form::Share(plan), Some(part)) = (&ask.form, ask.part) {
            let view = || Provided::new(plan.session());
            let member =
                self.lines[place].member.get_or_insert_with(|| Member::new(plan.me(), view()));
            if let Ok(pull) = member.open(plan.clone(), part) {
                let job = Job::gossiping(ask, pull, world, holds, &self.hidden);
                self.lines[place].jobs.push_back(job);
                self.say(place);
                return self.send(place);
            }
        }
        // Held roots, or a filter, hide what the sink held at the beginning.
        let job = Job::new(ask, world, holds, &self.hidden);
        self.lines[place].jobs.push_back(job);
        self.send(place);
    }

    /// A source hears something, if it takes part in the session.
    fn told(&mut self, place: usize, message: &[u8]) {
        let line = &mut self.lines[place];
        if let Some(member) = line.member.as_mut().filter(|_| !line.dead) {
            // What is of an epoch that is over, or of one too many, is not taken.
            let _taken = member.handle_message(message);
            self.say(place);
        }
    }

    /// What a source has to say goes to the sink, and to its peers.
    fn say(&mut self, place: usize) {
        let line = &mut self.lines[place];
        let Some(member) = &mut line.member else { return };
        let mut said: Vec<Vec<u8>> = std::iter::from_fn(|| member.poll_message()).collect();
        match line.behaviour.lie {
            Some(Lie::Forges) => said.iter_mut().for_each(|message| message[20] ^= 1),
            Some(Lie::Promises) if !said.is_empty() => said.extend(self.promise_all(place)),
            _ => {}
        }
        for message in said {
            self.tell_peers(place, &message);
            self.control += HEAD + message.len() as u64;
            let at = self.now + self.swarm.rtt / 2;
            self.at(at, What::Heard(place, message));
        }
    }

    fn tell_peers(&mut self, place: usize, message: &[u8]) {
        let Some(rtt) = self.swarm.peers else { return };
        for other in (0..self.lines.len()).filter(|other| *other != place) {
            self.at(self.now + rtt / 2, What::Told(other, message.to_vec()));
        }
    }

    fn promise_all(&self, place: usize) -> Option<Vec<u8>> {
        let member = self.lines[place].member.as_ref()?;
        let (mut view, mut promises) = (member.view().clone(), Promises::new(member.me(), 0));
        for cid in &self.swarm.world.order {
            promises.promise(&mut view, cid).ok()?;
        }
        Some(promises.take(&view)?.encode(view.key()))
    }

    /// Puts the next block of a source on its line.
    fn send(&mut self, place: usize) {
        let (now, rtt) = (self.now, self.swarm.rtt);
        let (numbers, behaviour) = (&self.numbers, self.lines[place].behaviour.clone());
        let holds = |cid: &Cid| numbers.get(cid).is_some_and(|number| behaviour.has(*number));
        let line = &mut self.lines[place];
        if line.busy || line.dead {
            return;
        }
        if let Some((from, long)) = line.behaviour.stalls
            && (from..from + long).contains(&now)
        {
            line.busy = true;
            self.at(from + long, What::Free(place));
            return;
        }
        line.turn();
        let Some(job) = line.jobs.front_mut().filter(|job| !line.paused.contains(&job.request))
        else {
            return;
        };
        let request = job.request;
        let next = match line.behaviour.lie {
            Some(Lie::Silent | Lie::Promises) => None,
            Some(Lie::Repeats) => job.blocks.front().copied(),
            Some(Lie::Unrelated) => {
                Some(*Block::new(0x55, line.sent.to_le_bytes().to_vec().into()).cid())
            }
            _ => next_of(job, &mut line.member, &holds),
        };
        self.say(place);
        let line = &mut self.lines[place];
        let Some(cid) = next else {
            line.jobs.pop_front();
            self.at(now + rtt / 2, What::Ends(place, request));
            return self.send(place);
        };
        line.sent += 1;
        let size = self.swarm.world.data(&cid).map_or(8, |data| data.len() as u64) + SECTION;
        let slow = if line.behaviour.lie == Some(Lie::Dribbles) { 1000 } else { 1 };
        let off = match line.behaviour.jitter {
            0 => 100,
            jitter => {
                line.random = mix(line.random.wrapping_add(1));
                100 - jitter + line.random % (2 * jitter + 1)
            }
        };
        let rate = (line.behaviour.rate * off / 100 / slow).max(1);
        let takes = size * 1_000_000 / rate;
        let good = line.behaviour.lie != Some(Lie::Garbage);
        line.busy = true;
        let pieces = PIECES.max(takes / 500_000);
        for piece in 1..=pieces {
            let at = now + takes * piece / pieces + rtt / 2;
            self.at(at, What::Bytes(place, size / pieces));
        }
        self.at(now + takes + rtt / 2, What::Block(place, request, cid.to_bytes(), good));
        self.at(now + takes, What::Free(place));
    }

    fn bytes(&mut self, place: usize, bytes: u64) {
        if let Some(id) = self.lines[place].id {
            self.pool.handle_bytes(id, bytes, self.now);
        }
    }

    fn block(&mut self, place: usize, request: u64, cid: &[u8], good: bool) {
        let cid = Cid::try_from(cid).expect("it was one");
        let data = self.swarm.world.data(&cid).cloned();
        let data = data.unwrap_or_else(|| Bytes::from_static(b"no such"));
        if self.given_up.contains(&request) {
            self.wasted += data.len() as u64;
            return;
        }
        if !good {
            self.pool.handle_trouble(request, Trouble::Lie, self.now);
            return;
        }
        let Some(id) = self.lines[place].id else { return };
        let block = Block::new_unchecked(cid, data);
        self.pool.handle_block(id, request, block, self.now).expect("blocks parse");
    }

    fn report(self) -> Report {
        let world = &self.swarm.world;
        let missing = world.missing();
        let size = |cid: &Cid| world.data(cid).map_or(0, |data| data.len() as u64);
        let payload: u64 = missing.iter().map(size).sum();
        let sources: Vec<(Tally, State)> =
            self.lines.iter().filter_map(|line| self.pool.tally(line.id?)).collect();
        let duplicate: u64 = sources.iter().map(|(tally, _)| tally.duplicate_bytes).sum();
        let alive = |number: u64| {
            self.lines.iter().any(|line| {
                let behaviour = &line.behaviour;
                let good = behaviour.joins == 0
                    && behaviour.dies.is_none()
                    && behaviour.stalls.is_none()
                    && behaviour.lie.is_none();
                good && behaviour.has(number)
            })
        };
        let held: HashSet<Cid> = world.held.iter().map(|block| *block.cid()).collect();
        let there = |cid: &Cid| held.contains(cid) || alive(self.numbers[cid]);
        let wanted = world::walk(world.root, world.links(), there);
        let complete = wanted.iter().all(|cid| self.store.contains_key(cid));
        Report {
            micros: self.now,
            ideal: ideal::time(self.swarm),
            payload,
            duplicate: duplicate + self.wasted,
            control: self.control,
            sources,
            waited: self.waited,
            complete,
            outcome: self.outcome.clone().expect("it is over"),
            steps: self.steps,
        }
    }
}
