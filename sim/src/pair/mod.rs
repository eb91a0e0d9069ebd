mod cuts;
mod report;
mod sink_side;
mod source_side;

use carpool_bloom::Filter;
use carpool_core::{Cid, sha2_256};
use carpool_mirror::{Question, extension::Request, sketch::CellRange};
use std::collections::VecDeque;

use crate::{
    Clock, Direction, Failure, Setup, Store,
    late::Late,
    lies::{SinkLie, SourceLie},
    link::{Arrival, Conditions, Cut, Link},
    message::Kind,
    sender::{NAMED, Sender, Tamper},
    taker::Taker,
};
use report::empty_report;
pub use report::{End, Report, Stuck};

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

    const fn kind(&self) -> Kind {
        match self.setup.direction {
            Direction::Pull => Kind::PullRequest,
            Direction::Push => Kind::PushResponse,
        }
    }

    fn record(&mut self, bytes: &[u8]) {
        self.report.transcript = sha2_256(&[&self.report.transcript, bytes].concat());
    }
}

/// How the next connection will be cut.
fn next(cuts: &mut Vec<Cut>) -> Cut {
    if cuts.is_empty() { Cut::Never } else { cuts.remove(0) }
}
