mod cells;
mod output;
mod round;
mod speech;
mod steps;
mod told;

use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Block, Bytes, Cid, CidSet, Limits, may_link};
use carpool_selector::{Order, Step, Walk};

use crate::{
    Error, Known, Trail,
    asking::Asking,
    composition::{Composed, Composition},
    planner::Path,
    seeds::Seeds,
    sketching::Sketching,
    wants::Wants,
};
pub use output::{Holding, Outcome, Received, SinkOutput};
use round::Round;

/// Look-ups ahead of the walk: most are answered without data.
pub(crate) const WINDOW: usize = 256;

/// The side that wants the blocks.
///
/// It first looks at what is held: the DAGs of old roots, then whatever of the wanted root's DAG is
/// there. Then it says what it lacks ([`SinkOutput::Transmit`]), takes blocks, looks at what it
/// lacks now, and so on until nothing is missing or the source has no more to give.
///
/// **The contract**: after every `handle_*` poll until `None`, and answer all look-ups before the
/// next block is handed over. A block whose look-up is open counts as unreachable; it is asked for
/// again, so nothing is lost but its bytes.
#[derive(Debug)]
pub struct Sink {
    limits: Limits,
    seed: u64,
    seeds: Seeds,
    walk: Walk,
    wants: Wants,
    ready: VecDeque<Block>,
    round: Round,
    rounds: u32,
    /// Whether the last round brought nothing: then the next goes without a filter (§3.2.4).
    stalled: bool,
    /// Rounds whose filters hid what was missing.
    hidings: u32,
    path: Path,
    summary: Asked,
    plan: Planning,
    asking: Option<Asking>,
    /// What the last round sent, until it is asked of.
    trail: Option<Trail>,
    /// Whether the last round brought nothing beside what was named, until it is judged.
    only_named: Option<bool>,
    composition: Option<Composition>,
    /// The root, where there is one alone: what a sketch is held against.
    root: Option<Cid>,
    sketching: Option<Sketching>,
    /// What the message that is being made asks for by its bitmap.
    links: Option<Composed>,
    /// Whether the old roots are told and not put into a filter.
    tells_roots: bool,
    /// Whether the source forgets what it sent.
    forgetful: bool,
    /// Whether blocks came in the last round that were held.
    repeated: bool,
    /// The blocks that came from a source that remembers to have sent them, as in a push: they are left
    /// out of the filter, which would only be larger and hit more by chance.
    pushed: Option<CidSet>,
    finished: bool,
}

/// Where the question for a summary stands.
#[derive(Debug)]
enum Asked {
    /// It is never asked.
    Never,
    NotYet,
    Open,
    Answered(Option<Known>),
}

/// Where the question for a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planning {
    /// It is never asked, or is answered.
    Done,
    NotYet,
    Open,
}

impl Sink {
    /// A sink for the DAGs below `roots`, which are wanted in that order. `seeds` are roots that are probably held, such as the
    /// version before; they narrow the first request. `seed` is for hash tables, see
    /// [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(
        roots: impl IntoIterator<Item = Cid>,
        seeds: impl IntoIterator<Item = Cid>,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let roots: Vec<Cid> = roots.into_iter().collect();
        let root = roots.first().copied().filter(|_| roots.len() == 1);
        let walk = Walk::new(roots, Order::BreadthFirst, limits, seed).with_window(WINDOW);
        Self {
            limits: limits.clone(),
            seed,
            seeds: Seeds::new(seeds, limits, seed),
            walk,
            wants: Wants::with_seed(seed),
            ready: VecDeque::new(),
            round: Round::default(),
            rounds: 0,
            stalled: false,
            hidings: 0,
            path: Path::ASSUMED,
            summary: Asked::Never,
            plan: Planning::Done,
            asking: None,
            trail: None,
            only_named: None,
            composition: None,
            root,
            sketching: None,
            links: None,
            tells_roots: false,
            forgetful: false,
            repeated: false,
            pushed: None,
            finished: false,
        }
    }

    /// Adds blocks that are held, such as all of a small store: the first request is narrowed by those
    /// of them that are held with all that lies below. Unlike old roots they are never named.
    #[must_use]
    pub fn with_held(mut self, held: impl IntoIterator<Item = Cid>) -> Self {
        self.seeds.add(held);
        self
    }

    /// Asks for a summary of what else is held before each message that has use for it: what lies
    /// below a block that is missing cannot be told from what is held below the root.
    #[must_use]
    pub fn with_summary(mut self) -> Self {
        self.summary = Asked::NotYet;
        self
    }

    /// Asks how to go on before its first message ([`SinkOutput::Plan`]).
    #[must_use]
    pub const fn with_plan(mut self) -> Self {
        self.plan = Planning::NotYet;
        self
    }

    /// Says what lies between the peers: a filter's size is a matter of what its bytes and a round
    /// take. Without it that is [`Path::ASSUMED`]. It may be said again before each message.
    pub const fn handle_path(&mut self, path: Path) {
        self.path = path;
    }

    /// Answers a [`SinkOutput::Summary`]; `None` where nothing is known.
    ///
    /// What `known` claims wrongly (a block that went, or one below which blocks are missing) costs a
    /// round: the sink finds out what did not come and asks for it by name.
    pub fn handle_summary(&mut self, known: Option<Known>) {
        if matches!(self.summary, Asked::Open) {
            self.summary = Asked::Answered(known);
        }
    }

    /// Answers a [`SinkOutput::Load`]: the block's bytes, verified before, or `None`.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        let data = match &mut self.composition {
            Some(composition) => match composition.answer(cid, data) {
                Ok(()) => return,
                Err(data) => data,
            },
            None => data,
        };
        if self.seeds.is_done() {
            self.walk.handle_load(cid, data);
        } else {
            self.seeds.handle_load(cid, data);
        }
    }

    /// Answers a [`SinkOutput::Has`].
    pub fn handle_has(&mut self, cid: &Cid, held: bool) {
        self.handle_load(cid, held.then(Bytes::new));
    }

    /// Whether the whole DAG is held. Settled once look-ups are answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.seeds.is_done() && self.walk.is_done() && self.wants.len() == 0
    }

    /// How many blocks are known to be missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.wants.len()
    }

    /// The next output; `None` while look-ups are awaited or a round is open. Call again after
    /// every `handle_*`, until `None`.
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse.
    pub fn poll(&mut self) -> Result<Option<SinkOutput>, Error> {
        if let Some(block) = self.ready.pop_front() {
            return Ok(Some(SinkOutput::Store(block)));
        }
        if let Some(cid) = self.poll_walks()? {
            let look_up = if may_link(&cid) { SinkOutput::Load } else { SinkOutput::Has };
            return Ok(Some(look_up(cid)));
        }
        let settled = self.seeds.is_done() && self.walk.is_done();
        if !settled || self.round.open || self.finished {
            return Ok(None);
        }
        if let Some(said) = self.compose() {
            return Ok(said);
        }
        Ok(self.next_round())
    }

    fn poll_walks(&mut self) -> Result<Option<Cid>, Error> {
        if let Some(cid) = self.seeds.poll() {
            return Ok(Some(cid));
        }
        if !self.seeds.is_done() {
            return Ok(None);
        }
        loop {
            match self.walk.poll(|cid| !self.seeds.cover(cid))? {
                Some(Step::Load(cid)) => return Ok(Some(cid)),
                Some(Step::Visit(_)) => {}
                Some(Step::Missing { cid, depth }) => {
                    self.wants.insert(&cid, depth, self.walk.parent());
                }
                None => return Ok(None),
            }
        }
    }
}
