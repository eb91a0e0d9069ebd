use carpool_bloom::Filter;
use carpool_core::{Bytes, Cid, sha2_256};
use carpool_mirror::{
    Outcome, Question, SinkOutput, Status,
    extension::{self, Offer, Request},
    sketch::{CellRange, MAX_MESSAGES},
};
use std::{collections::VecDeque, time::Duration};

use crate::{
    Clock, Direction, Failure, Setup, Store,
    late::{Late, Older},
    lies::{SinkLie, SourceLie},
    link::{Arrival, Conditions, Cut, Link},
    message::{self, Dialect, Kind},
    sender::{NAMED, Sender, Sending, Sketched, Tamper},
    taker::{Asked, Taker},
};

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The sink says that it holds the whole DAG.
    Complete,
    /// The source had no more to give.
    Incomplete(Outcome),
    /// One side gave up.
    Failed(Failure),
}

/// Neither side has anything to do, or the steps ran out, and the transfer has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

/// What a transfer took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// Requests that were made.
    pub rounds: u32,
    /// Connections that were cut.
    pub cuts: u32,
    /// Messages of the sink that relied on what the source does not know.
    pub refusals: u32,
    /// Bytes of the sink's messages.
    pub status_bytes: u64,
    /// Bytes of the source's bodies, whether they arrived or not.
    pub body_bytes: u64,
    /// Blocks in those bodies.
    pub blocks_sent: u64,
    /// Blocks that arrived and were held already.
    pub duplicates: u64,
    /// Blocks that arrived and that nobody wanted.
    pub unreachable: u64,
    /// Blocks that the sink stored.
    pub stored: u64,
    /// Bytes that arrived on connections that had been given up.
    pub late_bytes: u64,
    /// The most bytes that were under way at once.
    pub peak_in_flight: usize,
    /// Virtual time.
    pub time: Duration,
    /// Stands for every byte that either side gave to the network, in order.
    pub transcript: [u8; 32],
}

/// What becomes of the sink's extended messages: the hand of a sink that lies.
type Meddling = Box<dyn FnMut(&mut Request)>;
type Forge = Box<dyn FnMut(Option<Filter>) -> Option<Filter>>;

/// A source and a sink, and the network between them.
pub struct Pair {
    setup: Setup,
    clock: Clock,
    sender: Sender,
    taker: Taker,
    blocks: Link,
    statuses: Link,
    /// How the connection that is up will be cut.
    cut: Cut,
    late: VecDeque<Late>,
    sink_lie: Option<SinkLie>,
    meddling: Option<Meddling>,
    /// Whether the message that is under way is in the extension's form.
    extended: bool,
    /// The cells that the source of a pull needs, until the sink is told.
    need: Option<CellRange>,
    /// Messages of cells that the source of a push has taken.
    sketched: u32,
    /// What the source of a push asks for.
    question: Question,
    forge: Option<Forge>,
    sending: bool,
    body_empty: bool,
    message: Vec<u8>,
    wanted_before: Vec<Cid>,
    report: Report,
    end: Option<End>,
}

impl Pair {
    /// A transfer of the DAG below `root`, about to begin.
    #[must_use]
    pub fn new(setup: &Setup, root: Cid, source: Store, sink: Store) -> Self {
        Self::begun(setup, root, source, sink, None, None)
    }

    /// As [`new`](Self::new), with what `meddle` makes of the sink's messages of the extension.
    #[must_use]
    pub fn with_meddling(
        setup: &Setup,
        root: Cid,
        source: Store,
        sink: Store,
        meddle: impl FnMut(&mut Request) + 'static,
    ) -> Self {
        Self::begun(setup, root, source, sink, None, Some(Box::new(meddle)))
    }

    /// As [`new`](Self::new), with what `forge` makes of it in place of each filter of the sink.
    #[must_use]
    pub fn with_forged_filters(
        setup: &Setup,
        root: Cid,
        source: Store,
        sink: Store,
        forge: impl FnMut(Option<Filter>) -> Option<Filter> + 'static,
    ) -> Self {
        Self::begun(setup, root, source, sink, Some(Box::new(forge)), None)
    }

    fn begun(
        setup: &Setup,
        root: Cid,
        source: Store,
        sink: Store,
        forge: Option<Forge>,
        meddling: Option<Meddling>,
    ) -> Self {
        let conditions = &setup.network;
        let statuses = Conditions { reader: None, ..conditions.clone() };
        let mut pair = Self {
            clock: Clock::default(),
            sender: Sender::new(setup, root, source),
            taker: Taker::new(setup, root, sink),
            blocks: Link::new(conditions.clone()),
            statuses: Link::new(statuses),
            cut: Cut::Never,
            late: VecDeque::new(),
            sink_lie: None,
            meddling,
            extended: false,
            need: None,
            sketched: 0,
            question: Question::keyed(&setup.steps, Some(NAMED)),
            forge,
            sending: false,
            body_empty: true,
            message: Vec::new(),
            wanted_before: Vec::new(),
            report: empty_report(),
            end: None,
            setup: setup.clone(),
        };
        pair.begin();
        pair
    }

    /// Lets `tamper` decide what is sent in place of each block.
    #[must_use]
    pub fn with_tamper(
        mut self,
        tamper: impl FnMut(carpool_core::Block) -> Vec<carpool_core::Unverified> + 'static,
    ) -> Self {
        let boxed: Tamper = Box::new(tamper);
        self.sender.tamper = Some(boxed);
        self
    }

    /// Makes the sink say this in place of what is so.
    #[must_use]
    pub const fn with_sink_lie(mut self, lie: SinkLie) -> Self {
        self.sink_lie = Some(lie);
        self
    }

    /// Makes the source do this in place of what it should.
    #[must_use]
    pub fn with_source_lie(mut self, lie: SourceLie) -> Self {
        self.sender.endless = lie == SourceLie::Endless;
        self.with_tamper(lie.tamper())
    }

    /// The sink's store.
    #[must_use]
    pub const fn sink_store(&self) -> &Store {
        &self.taker.store
    }

    /// The source's store.
    #[must_use]
    pub const fn source_store(&self) -> &Store {
        &self.sender.store
    }

    /// The sink's store, for a transfer that goes on from here.
    #[must_use]
    pub fn into_sink_store(self) -> Store {
        self.taker.store
    }

    /// Drives both sides as far as they go, then jumps to the next deadline. `false` at the end.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn step(&mut self) -> Result<bool, Stuck> {
        if self.end.is_none() {
            let driven = self.send().and_then(|()| self.deliver());
            if let Err(failure) = driven {
                self.end = Some(End::Failed(failure));
            }
        }
        if self.end.is_some() {
            return Ok(false);
        }
        if !(self.sending && self.blocks.has_room()) {
            let late = self.late.front().map(|late| late.at);
            let next = [self.blocks.poll_timeout(), self.statuses.poll_timeout(), late];
            self.clock.jump(next.into_iter().flatten().min().ok_or(Stuck)?);
        }
        Ok(true)
    }

    /// Steps to the end.
    ///
    /// # Errors
    /// [`Stuck`], also when there is no end after `max_steps`.
    pub fn drive(&mut self, max_steps: usize) -> Result<Report, Stuck> {
        for _ in 0..max_steps {
            if !self.step()? {
                return Ok(self.report());
            }
        }
        Err(Stuck)
    }

    fn report(&self) -> Report {
        Report {
            end: self.end.clone().unwrap_or(End::Complete),
            blocks_sent: self.sender.blocks_sent,
            duplicates: self.taker.duplicates,
            unreachable: self.taker.unreachable,
            stored: self.taker.store.writes(),
            peak_in_flight: self.blocks.peak(),
            time: self.clock.now(),
            ..self.report.clone()
        }
    }

    fn begin(&mut self) {
        let begun = match self.setup.direction {
            Direction::Pull => self.speak(),
            Direction::Push => {
                let estimate = self.setup.estimate.clone();
                self.sender.open(&estimate);
                self.begin_push()
            }
        };
        if let Err(failure) = begun {
            self.end = Some(End::Failed(failure));
        }
    }

    fn begin_push(&mut self) -> Result<(), Failure> {
        self.connect();
        self.report.rounds += 1;
        self.sending = true;
        let Offer { ask: step, keeps_filter, cells, .. } =
            self.sender.offer(&self.question).unwrap_or_default();
        self.taker.begin_push(Asked { step, keeps_filter, cells })
    }

    /// Every request is a connection of its own as far as cuts go.
    fn connect(&mut self) {
        let now = self.clock.now();
        self.cut = next(&mut self.setup.cuts);
        self.blocks.connect(now, Some(self.cut));
        self.statuses.connect(now, Some(next(&mut self.setup.status_cuts)));
        self.message.clear();
        self.sending = false;
        self.body_empty = true;
        if self.setup.direction == Direction::Pull {
            self.need = None;
        }
    }

    /// The source's side of the network, as far as there is room.
    fn send(&mut self) -> Result<(), Failure> {
        while self.sending && self.blocks.has_room() {
            match self.sender.poll()? {
                Some(Sending::Bytes(bytes)) => {
                    self.report.body_bytes += bytes.len() as u64;
                    self.record(&bytes);
                    self.blocks.handle_packet(self.clock.now(), bytes);
                }
                Some(Sending::End) | None => {
                    self.sending = false;
                    self.blocks.handle_end(self.clock.now());
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        while self.late.front().is_some_and(|late| late.at <= now) {
            if let Some(late) = self.late.pop_front() {
                self.deliver_late(late)?;
            }
        }
        while let Some(arrival) = self.blocks.poll(now) {
            self.at_sink(arrival)?;
        }
        while let Some(arrival) = self.statuses.poll(now) {
            match arrival {
                Arrival::Data(bytes) => self.message.extend_from_slice(&bytes),
                Arrival::End => self.at_source()?,
                Arrival::Cut => self.status_cut()?,
            }
        }
        Ok(())
    }

    fn at_sink(&mut self, arrival: Arrival) -> Result<(), Failure> {
        match arrival {
            Arrival::Data(bytes) => {
                self.body_empty = false;
                self.taker.take(bytes)
            }
            Arrival::End if self.pulls_and_needs() => self.speak(),
            Arrival::End if self.taker.end(self.body_empty) => self.speak(),
            Arrival::End => self.again(),
            Arrival::Cut => {
                let withheld = self.blocks.withheld();
                let older = self.taker.cut(self.setup.direction);
                self.keep_late(withheld, Some(older));
                self.again()
            }
        }
    }

    /// Whether the answer was that more cells are needed, which the sink is told.
    fn pulls_and_needs(&mut self) -> bool {
        let need = self.need.take_if(|_| self.setup.direction == Direction::Pull);
        need.is_some_and(|range| {
            self.taker.need(range);
            true
        })
    }

    /// The sink's message did not arrive whole: a pull's request, or the answer to a push.
    fn status_cut(&mut self) -> Result<(), Failure> {
        if self.setup.direction == Direction::Pull {
            let mut whole = vec![std::mem::take(&mut self.message).into()];
            whole.append(&mut self.statuses.withheld());
            drop(self.taker.cut(Direction::Pull));
            self.keep_late(whole, None);
        }
        self.again()
    }

    /// What a stalled connection took in comes out later, if it does.
    fn keep_late(&mut self, withheld: Vec<Bytes>, older: Option<Older>) {
        let bytes: Bytes = withheld.concat().into();
        if let (Some(delay), false) = (self.setup.late, bytes.is_empty()) {
            self.late.push_back(Late { at: self.clock.now() + delay, bytes, older });
        }
    }

    /// A late body goes to the sink that was on its connection. A late request is answered, and
    /// the answer goes to the sink of today, as does all else on a client's older connections.
    fn deliver_late(&mut self, late: Late) -> Result<(), Failure> {
        self.report.late_bytes += late.bytes.len() as u64;
        match late.older {
            Some(older) => self.taker.take_late(older, late.bytes),
            None => {
                let limits = &self.setup.limits;
                let status = message::decode(Dialect::Spec, self.kind(), &late.bytes, limits);
                let Ok(status) = status else { return Ok(()) };
                let body = self.sender.answer_late(status)?;
                let older = Older { unframing: self.taker.new_unframing(), sink: None };
                self.taker.take_late(older, body)
            }
        }
    }

    /// After a cut: a new connection, and nothing is known of what was sent. A process that died
    /// knows nothing at all.
    fn again(&mut self) -> Result<(), Failure> {
        self.report.cuts += 1;
        if !self.setup.session || matches!(self.cut, Cut::SourceDied(_)) {
            self.sender.renew();
        }
        (self.sending, self.need) = (false, None);
        self.question.handle_need(CellRange::BEGIN);
        if matches!(self.cut, Cut::SinkDied(_)) {
            self.taker.restart();
        }
        match self.setup.direction {
            Direction::Pull => self.speak(),
            Direction::Push => {
                self.wanted_before.clear();
                let reborn = matches!(self.cut, Cut::SourceDied(_));
                let estimate = if reborn { self.setup.estimate.clone() } else { Vec::new() };
                self.sender.open(&estimate);
                self.begin_push()
            }
        }
    }

    /// The sink says what it wants, or that it has ended.
    fn speak(&mut self) -> Result<(), Failure> {
        let push = self.setup.direction == Direction::Push;
        let said = self.taker.settle()?;
        self.extended = false;
        let status = match (self.sink_lie, said) {
            (Some(lie), _) => match self.lie(lie) {
                Some(status) => status,
                None => return Ok(()),
            },
            (None, Some(SinkOutput::Transmit(status))) => match &mut self.forge {
                Some(forge) => Status { have: forge(status.have), ..status },
                None => status,
            },
            (None, Some(SinkOutput::Ask(request))) => {
                self.ask(*request);
                return Ok(());
            }
            (None, Some(SinkOutput::Done(outcome))) if push && outcome.missing == 0 => {
                Status::default()
            }
            (None, Some(SinkOutput::Done(outcome))) => {
                self.end = Some(end_of(outcome));
                return Ok(());
            }
            _ => unreachable!("a sink whose look-ups are answered speaks between rounds"),
        };
        self.connect_to_pull();
        let message = message::encode(Dialect::Spec, self.kind(), &status);
        self.say(message);
        Ok(())
    }

    fn connect_to_pull(&mut self) {
        if self.setup.direction == Direction::Pull {
            self.report.rounds += 1;
            self.connect();
        }
    }

    fn ask(&mut self, mut request: Request) {
        if let Some(meddle) = &mut self.meddling {
            meddle(&mut request);
        }
        self.connect_to_pull();
        self.extended = true;
        self.say(request.into());
    }

    /// What a lying sink says. As a client it decides itself when it has had enough.
    fn lie(&mut self, lie: SinkLie) -> Option<Status> {
        let (rounds, max) = (self.report.rounds, self.setup.limits.max_rounds);
        let want = lie.want(self.taker.root(), rounds);
        if self.setup.direction == Direction::Pull && rounds >= max {
            let missing = want.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: want, rounds }));
            return None;
        }
        Some(Status { want, have: None })
    }

    fn say(&mut self, message: Bytes) {
        self.report.status_bytes += message.len() as u64;
        self.record(&message);
        self.statuses.handle_packet(self.clock.now(), message);
        self.statuses.handle_end(self.clock.now());
    }

    const fn kind(&self) -> Kind {
        match self.setup.direction {
            Direction::Pull => Kind::PullRequest,
            Direction::Push => Kind::PushResponse,
        }
    }

    /// A whole message from the sink.
    fn at_source(&mut self) -> Result<(), Failure> {
        let message = std::mem::take(&mut self.message);
        if self.extended {
            return self.extended_at_source(message);
        }
        let status = message::decode(Dialect::Spec, self.kind(), &message, &self.setup.limits);
        let status = status.map_err(Failure::Message)?;
        match self.setup.direction {
            Direction::Pull => {
                let memory = self.sender.resume();
                self.taker.remembered(memory);
                self.sending = true;
                self.sender.handle_request(status)
            }
            Direction::Push => self.push_on(status),
        }
    }

    /// The client's side of a push: on until the server wants nothing, or the same again.
    fn push_on(&mut self, status: Status) -> Result<(), Failure> {
        let rounds = self.report.rounds;
        if status.want.is_empty() {
            self.end = Some(End::Complete);
            return Ok(());
        }
        if status.want == self.wanted_before || rounds >= self.setup.limits.max_rounds {
            let missing = status.want.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: status.want, rounds }));
            return Ok(());
        }
        self.wanted_before.clone_from(&status.want);
        self.sender.handle_status(status)?;
        self.begin_push()
    }

    fn extended_at_source(&mut self, message: Vec<u8>) -> Result<(), Failure> {
        let (limits, seed) = (&self.setup.limits, self.setup.seed);
        let asked = extension::Asked::decode(message, limits, seed)?;
        if self.setup.direction == Direction::Push {
            return self.push_on_as_asked(asked);
        }
        self.sender.renew();
        let begun = match self.take_cells(asked) {
            Err(failure) => Err(failure),
            Ok(Ok(asked)) => self.sender.handle_asked(asked),
            Ok(Err(Sketched::GaveUp)) => {
                self.report.refusals += 1;
                self.taker.refuse();
                return self.speak();
            }
            Ok(Err(_)) => Ok(()),
        };
        match begun {
            // A round trip for an answer without a body.
            Err(Failure::Mirror(carpool_mirror::Error::UnknownTrail)) => {
                self.report.refusals += 1;
                self.taker.refuse();
                self.speak()
            }
            begun => {
                self.sending = true;
                begun
            }
        }
    }

    /// What becomes of a message's cells; the message, where it has none.
    fn take_cells(
        &mut self,
        asked: extension::Asked,
    ) -> Result<Result<extension::Asked, Sketched>, Failure> {
        if asked.cells.is_none() {
            return Ok(Ok(asked));
        }
        let sketched = self.sender.handle_cells(asked)?;
        if let Sketched::Need(range) = sketched {
            self.need = Some(range);
        }
        Ok(Err(sketched))
    }

    /// A source that gave up, or that was sent cells too often, asks in another way from now on.
    fn push_on_by_cells(&mut self, sketched: &Sketched) -> Result<(), Failure> {
        self.sketched += 1;
        match sketched {
            Sketched::Need(range) if self.sketched < MAX_MESSAGES => {
                self.question.handle_need(*range);
            }
            Sketched::Need(_) | Sketched::Sends | Sketched::GaveUp => self.question.end_sketch(),
        }
        self.wanted_before = Vec::new();
        self.begin_push()
    }

    fn push_on_as_asked(&mut self, asked: extension::Asked) -> Result<(), Failure> {
        let asked = match self.take_cells(asked) {
            Ok(Ok(asked)) => asked,
            Ok(Err(sketched)) => return self.push_on_by_cells(&sketched),
            Err(Failure::Mirror(carpool_mirror::Error::UnknownTrail)) => {
                return self.push_on_by_cells(&Sketched::GaveUp);
            }
            Err(failure) => return Err(failure),
        };
        let mut wanted: Vec<Cid> = asked.want.iter().collect();
        let links = asked.links.clone();
        let understood = self.sender.answer_asked(&mut self.question, asked)?;
        self.report.refusals += u32::from(!understood);
        let rounds = self.report.rounds;
        let repeats = links.is_none() && wanted == self.wanted_before;
        if repeats || rounds >= self.setup.limits.max_rounds {
            wanted.push(self.taker.root());
            let missing = wanted.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: wanted, rounds }));
            return Ok(());
        }
        self.wanted_before = if links.is_none() { wanted } else { Vec::new() };
        self.begin_push()
    }

    fn record(&mut self, bytes: &[u8]) {
        self.report.transcript = sha2_256(&[&self.report.transcript, bytes].concat());
    }
}

/// How the next connection will be cut.
fn next(cuts: &mut Vec<Cut>) -> Cut {
    if cuts.is_empty() { Cut::Never } else { cuts.remove(0) }
}

fn end_of(outcome: Outcome) -> End {
    if outcome.missing == 0 { End::Complete } else { End::Incomplete(outcome) }
}

const fn empty_report() -> Report {
    Report {
        end: End::Complete,
        rounds: 0,
        cuts: 0,
        refusals: 0,
        status_bytes: 0,
        body_bytes: 0,
        blocks_sent: 0,
        duplicates: 0,
        unreachable: 0,
        stored: 0,
        late_bytes: 0,
        peak_in_flight: 0,
        time: Duration::ZERO,
        transcript: [0; 32],
    }
}
