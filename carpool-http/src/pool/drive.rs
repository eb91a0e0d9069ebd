//! The loop that drives the sink of a pool, on a thread that may block.

use carpool_core::{Block, Cid, Limits};
use carpool_pool::{
    Ask, Options, Pool as Sink, PoolOutcome, PoolOutput, RequestId, SESSION_ID_BYTES, SessionKey,
    SourceId, State,
};
use carpool_store::BlockStore;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

pub(super) use super::events::{Event, Joined};
use super::{
    SourceReport,
    aside::Aside,
    fetch::{About, Bases, Line},
    kind_of,
};
use crate::{Client, Error, Result};

/// Batches of blocks that wait for the loop: what a batch has is bounded by what is read at once.
const EVENTS: usize = 32;

/// Blocks are written to the store in batches of about this many bytes.
const STORE_BYTES: usize = 4 << 20;

/// How often it is looked what came and what is to be shown.
const TICK: Duration = Duration::from_millis(50);

/// Sources that answer within so much of the first one that did are waited for: who is there at the
/// beginning takes part in the plan.
const GREETINGS: u32 = 3;

/// A source as the loop sees it.
struct Source {
    id: SourceId,
    client: Client,
    came: Arc<AtomicU64>,
    /// What of that was told.
    told: u64,
    /// Bytes of sections that were handed to the sink.
    taken: u64,
    line: Line,
}

/// A request under way.
struct Under {
    task: AbortHandle,
    /// Whether its answer is read.
    reads: watch::Sender<bool>,
}

pub(super) struct Drive<S: ?Sized> {
    root: Cid,
    held: Arc<Vec<Cid>>,
    store: Arc<S>,
    bases: Bases,
    limits: Limits,
    sink: Sink,
    begun: Instant,
    runtime: Handle,
    events: Receiver<Event>,
    to: SyncSender<Event>,
    /// By place; `None` where a source is not there.
    sources: Vec<Option<Source>>,
    /// Places by number in the sink.
    places: Vec<usize>,
    greeted: usize,
    /// The session's name in public.
    session: [u8; SESSION_ID_BYTES],
    under: BTreeMap<RequestId, Under>,
    aside: Aside,
    pending: Vec<Block>,
    pending_bytes: usize,
    loads: Vec<Cid>,
    leaves: Vec<Cid>,
    seen: Arc<Mutex<Vec<SourceReport>>>,
    shown: Instant,
    last_error: Option<Error>,
    outcome: Option<PoolOutcome>,
}

impl<S: BlockStore + ?Sized + 'static> Drive<S> {
    /// The loop, and where sources that were greeted are told of.
    pub(super) fn new(
        root: Cid,
        held: Vec<Cid>,
        store: Arc<S>,
        limits: &Limits,
        options: Options,
        seen: &Arc<Mutex<Vec<SourceReport>>>,
    ) -> (Self, SyncSender<Event>) {
        let (to, events) = sync_channel(EVENTS);
        let sources = seen.lock().unwrap_or_else(PoisonError::into_inner).len();
        let drive = Self {
            root,
            held: Arc::new(held),
            bases: bases(&store),
            store,
            limits: limits.clone(),
            session: *SessionKey::new(&options.session).id(),
            sink: Sink::new(&[root], limits, options),
            begun: Instant::now(),
            runtime: Handle::current(),
            events,
            to: to.clone(),
            sources: (0..sources).map(|_| None).collect(),
            places: Vec::new(),
            greeted: 0,
            under: BTreeMap::new(),
            aside: Aside::default(),
            pending: Vec::new(),
            pending_bytes: 0,
            loads: Vec::new(),
            leaves: Vec::new(),
            seen: Arc::clone(seen),
            shown: Instant::now(),
            last_error: None,
            outcome: None,
        };
        (drive, to)
    }

    /// Runs the transfer to its end.
    pub(super) fn run(mut self) -> Result<()> {
        let ran = self.greet().and_then(|()| self.transfer());
        for under in self.under.values() {
            under.task.abort();
        }
        let stored = self.store_pending();
        self.show();
        ran?;
        stored?;
        self.store.flush()?;
        let outcome = self.outcome.take().unwrap_or_default();
        match (outcome.missing, self.last_error.take()) {
            (0, _) => Ok(()),
            (_, Some(error)) if self.sink.missing() == 1 && self.all_failed() => Err(error),
            (missing, error) => Err(Error::Incomplete {
                missing: missing as u64,
                example: outcome.named.first().copied(),
                reason: error.map_or_else(
                    || "no source has them".into(),
                    |error| format!("no source that is left has them (last: {error})"),
                ),
            }),
        }
    }

    /// Nothing came of anybody, and for a reason.
    fn all_failed(&self) -> bool {
        let gone = |place: &usize| {
            let id = self.sources[*place].as_ref().map(|source| source.id);
            let state = id.and_then(|id| self.sink.tally(id));
            state.is_none_or(|(tally, state)| tally.blocks == 0 && matches!(state, State::Gone(_)))
        };
        (0..self.sources.len()).all(|place| gone(&place))
    }

    /// Waits for the sources to be greeted: for the first one that answers, and a little longer for the others.
    fn greet(&mut self) -> Result<()> {
        let mut until: Option<Instant> = None;
        while self.greeted < self.sources.len() {
            let event = match until {
                None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => {
                    self.events.recv_timeout(until.saturating_duration_since(Instant::now()))
                }
            };
            match event {
                Ok(event) => self.hear(event)?,
                Err(_) => break,
            }
            if until.is_none() && !self.places.is_empty() {
                let spent = self.begun.elapsed();
                until = Some(Instant::now() + (spent * GREETINGS).max(TICK));
            }
        }
        Ok(())
    }

    fn transfer(&mut self) -> Result<()> {
        loop {
            self.obey()?;
            if self.outcome.is_some() {
                return Ok(());
            }
            let wait = self
                .sink
                .poll_timeout()
                .map_or(TICK, |at| Duration::from_micros(at.saturating_sub(self.now())).min(TICK));
            match self.events.recv_timeout(wait) {
                Ok(event) => {
                    self.hear(event)?;
                    while let Ok(event) = self.events.try_recv() {
                        self.hear(event)?;
                        self.obey()?;
                    }
                }
                Err(_) => self.store_pending()?,
            }
            self.note_bytes();
            if self.shown.elapsed() >= TICK {
                self.show();
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn hear(&mut self, event: Event) -> Result<()> {
        self.note_bytes();
        match event {
            Event::Hello(joined) => self.join(joined),
            Event::Blocks { source, request, blocks } => {
                for block in blocks {
                    self.take(source, request, block)?;
                }
            }
            Event::Said { source, message } => self.sink.handle_message(source, &message),
            Event::End { request } => {
                self.under.remove(&request);
                self.sink.handle_end(request, self.now());
            }
            Event::Trouble { source, request, trouble, error } => {
                if self.under.remove(&request).is_some() {
                    self.note_trouble(self.places[usize::from(source)], &error);
                    self.last_error = Some(error);
                    self.sink.handle_trouble(request, trouble, self.now());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, source: SourceId, request: RequestId, block: Block) -> Result<()> {
        let place = self.place_of(source);
        if let Some(source) = &mut self.sources[place] {
            source.taken += carpool_car::section_len(block.cid(), block.data().len()) as u64;
        }
        let now = self.now();
        self.sink.handle_block(source, request, block, now).map_err(Error::Pool)?;
        self.obey()
    }

    fn join(&mut self, Joined { place, client, hello, again }: Joined) {
        self.greeted += usize::from(!again);
        let place = usize::from(place);
        let hello = match hello {
            Ok(hello) => hello,
            Err(error) => {
                self.note_trouble(place, &error);
                self.seen.lock().unwrap_or_else(PoisonError::into_inner)[place].state = "failed";
                self.last_error = Some(error);
                return;
            }
        };
        let now = self.now();
        let Some(id) = self.sink.handle_source(hello.kind, hello.rtt, hello.rate, now) else {
            return;
        };
        self.places.push(place);
        let came = Arc::new(AtomicU64::new(0));
        let line = Line {
            source: id,
            client: (*client).clone(),
            came: Arc::clone(&came),
            to: self.to.clone(),
            heard: Arc::default(),
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)[place].kind = kind_of(hello.kind);
        self.sources[place] = Some(Source { id, client: *client, came, told: 0, taken: 0, line });
    }

    fn note_trouble(&self, place: usize, error: &Error) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen[place].trouble = Some(error.to_string());
    }

    fn note_bytes(&mut self) {
        let now = self.now();
        for source in self.sources.iter_mut().flatten() {
            let came = source.came.load(Relaxed);
            if came > source.told {
                self.sink.handle_bytes(source.id, came - source.told, now);
                source.told = came;
            }
        }
    }

    /// Does what the sink says, until it waits.
    fn obey(&mut self) -> Result<()> {
        loop {
            let now = self.now();
            while let Some(output) = self.sink.poll(now) {
                self.act(output)?;
            }
            if self.loads.is_empty() && self.leaves.is_empty() {
                return Ok(());
            }
            self.look_up()?;
        }
    }

    fn act(&mut self, output: PoolOutput) -> Result<()> {
        match output {
            PoolOutput::Load(cid) => self.loads.push(cid),
            PoolOutput::Has(cid) => self.leaves.push(cid),
            PoolOutput::Store(block) => self.keep(block)?,
            PoolOutput::Hold(block) => self.aside.put(block).map_err(full)?,
            PoolOutput::Recall(cid) => {
                let data = self.aside.take(&cid).map_err(full)?;
                self.sink.handle_recalled(&cid, data).map_err(Error::Pool)?;
            }
            PoolOutput::Discard(cid) => drop(self.aside.take(&cid).map_err(full)?),
            PoolOutput::Ask(ask) => self.ask(ask),
            PoolOutput::Tell { source, message } => self.say(source, message),
            PoolOutput::Cancel { request, .. } => self.cancel(request),
            PoolOutput::Pause { request, .. } => self.read(request, false),
            PoolOutput::Resume { request, .. } => self.read(request, true),
            PoolOutput::Drop { .. } => self.show(),
            PoolOutput::Done(outcome) => self.outcome = Some(outcome),
        }
        Ok(())
    }

    fn look_up(&mut self) -> Result<()> {
        let (loads, leaves) = (std::mem::take(&mut self.loads), std::mem::take(&mut self.leaves));
        for some in loads.chunks(crate::driver::READ_BLOCKS) {
            for (cid, data) in some.iter().zip(self.store.get_many(some)?) {
                self.sink.handle_load(cid, data).map_err(Error::Pool)?;
            }
        }
        for (cid, held) in leaves.iter().zip(self.store.has_many(&leaves)?) {
            self.sink.handle_has(cid, held);
        }
        Ok(())
    }

    fn keep(&mut self, block: Block) -> Result<()> {
        self.pending_bytes += block.data().len() + block.cid().encoded_len();
        self.pending.push(block);
        if self.pending_bytes >= STORE_BYTES { self.store_pending() } else { Ok(()) }
    }

    fn store_pending(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.store.put_many(&self.pending)?;
        }
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn place_of(&self, source: SourceId) -> usize {
        self.places[usize::from(source)]
    }

    fn ask(&mut self, ask: Ask) {
        let place = self.place_of(ask.source);
        let Some(source) = &self.sources[place] else { return };
        let request = ask.request;
        let line = source.line.clone();
        let (reads, reading) = watch::channel(true);
        let about = About {
            root: self.root,
            held: Arc::clone(&self.held),
            limits: self.limits.clone(),
            bases: Arc::clone(&self.bases),
            reads: reading,
        };
        let task = self.runtime.spawn(line.fetch(about, ask)).abort_handle();
        self.under.insert(request, Under { task, reads });
    }

    fn say(&self, source: SourceId, message: Vec<u8>) {
        if let Some(source) = &self.sources[self.place_of(source)] {
            self.runtime.spawn(source.line.clone().say(self.session, message));
        }
    }

    fn cancel(&mut self, request: RequestId) {
        if let Some(under) = self.under.remove(&request) {
            under.task.abort();
        }
    }

    fn read(&self, request: RequestId, reads: bool) {
        if let Some(under) = self.under.get(&request) {
            let _ = under.reads.send(reads);
        }
    }

    /// Makes what is known of the sources seen.
    fn show(&mut self) {
        self.shown = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (report, source) in seen.iter_mut().zip(&self.sources) {
            let Some(source) = source else { continue };
            if let Some((tally, state)) = self.sink.tally(source.id) {
                report.tell(&tally, state);
            }
            report.rate = self.sink.rate(source.id);
            report.wasted_bytes = source.came.load(Relaxed).saturating_sub(source.taken);
            let totals = source.client.progress().totals();
            (report.bytes_sent, report.bytes_received) = (totals.bytes_sent, totals.bytes_received);
        }
    }
}

fn bases<S: BlockStore + ?Sized + 'static>(store: &Arc<S>) -> Bases {
    let store = Arc::clone(store);
    Arc::new(move |cid: &Cid| Ok(store.get(cid)?))
}

/// What waits on disk could not be written, or read.
fn full(error: std::io::Error) -> Error {
    Error::Aside(error)
}
