use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use carpool_bloom::{
    Filter,
    sketch::{Key, Sketch},
};
use carpool_core::{Block, Bytes, Cid, CidSet, Limits, cid_exact, may_link};
use carpool_selector::{Order, Step, Walk};

use crate::{
    Error, Known, Status, Trail,
    asking::Asking,
    composition::Composition,
    extension::{LinkBits, Memory, Request, Scope},
    narrowing::{interior_filter_of, interior_params, may_link_bytes},
    planner::{DEEPEST_TREE, Path, Step as Way},
    seeds::Seeds,
    sizing::{Sizing, filled},
    sketch::{CellRange, Cells, NamedKey},
    sketching::{Sketching, worth},
    wants::Wants,
};

/// Look-ups ahead of the walk: most are answered without data.
pub(crate) const WINDOW: usize = 256;

/// Bytes of a filter that are nothing to speak of.
const LITTLE_FILTER: usize = 4096;

/// After so many rounds whose filters hid what was missing there is no filter: someone made blocks for
/// that, or it tells too little.
const MAX_HIDINGS: u32 = 4;

/// Blocks that are taken to be missing for each one that a filter hid.
const BELOW_A_HIDDEN: usize = 32;

/// How many missing CIDs an [`Outcome`] names.
const NAMED_MISSING: usize = 16;

/// What a [`Sink`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkOutput {
    /// Look this CID up and answer with [`Sink::handle_load`].
    Load(Cid),
    /// Say with [`Sink::handle_has`] whether this leaf is held; its bytes are not needed.
    Has(Cid),
    /// Store this block: it is verified, wanted and reachable from the root.
    Store(Block),
    /// Answer with [`Sink::handle_summary`]: what else is held. Only of a sink that is
    /// [`with_summary`](Sink::with_summary), before a message that has use for it.
    Summary,
    /// Answer with [`Sink::handle_plan`]: how to go on, for a sink that holds so much. Only of a sink
    /// that is [`with_plan`](Sink::with_plan), once, before its first message.
    Plan(Holding),
    /// Send this to the source: it is the next request, or the answer to a push.
    Transmit(Status),
    /// As [`Transmit`](Self::Transmit), in the extension's form.
    Ask(Box<Request>),
    /// The transfer has ended; nothing follows.
    Done(Outcome),
}

/// How a transfer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Blocks that were wanted and never came; 0 when the whole DAG is held.
    pub missing: u64,
    /// The first of them, at most 16.
    pub named: Vec<Cid>,
    /// Rounds that this side asked for; the pushes of a source are not among them.
    pub rounds: u32,
}

/// What a sink holds of what may be below its roots: the facts of a
/// [`planner`](crate::planner), as far as they are the sink's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Blocks.
    pub blocks: u64,
    /// Those of them that can have links.
    pub interior: u64,
    /// Links between a root and the deepest of them.
    pub depth: u64,
    /// Some leaves, at most 16, to ask the store for their sizes.
    pub leaves: Vec<Cid>,
    /// Whether all is held below some old root.
    pub old_root: bool,
}

/// How many leaves a [`Holding`] names.
const NAMED_LEAVES: usize = 16;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was wanted and will be stored.
    Wanted,
    /// It is held already.
    Duplicate,
    /// Nothing that is held links to it; it was dropped.
    Unreachable,
}

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
    links: Option<(LinkBits, u64)>,
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

#[derive(Debug, Default)]
struct Round {
    open: bool,
    asked: Vec<Cid>,
    /// Links that a bitmap asked for.
    told: u64,
    /// What was sent, where a bitmap may speak of it.
    trail: Option<Trail>,
    /// Whether there was a filter, and all that was known to be missing was asked for: what is missing
    /// then was hidden.
    may_hide: bool,
    /// Whether the source remembers what it sends.
    remembered: bool,
    wanted: u64,
    unwanted_bytes: u64,
    /// Blocks that came although held, see [`Sink::handle_block`].
    repeated: Option<CidSet>,
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

    /// Answers a [`SinkOutput::Plan`], or changes what was answered: the steps in the order in which
    /// to try them, and whether the source reads the extension, which all of them need but
    /// [`Filter`](Way::Filter) and [`Everything`](Way::Everything). The sink goes on to the next one
    /// where a step does not get on. [`HeldRoots`](Way::HeldRoots) in front is
    /// [`tell_roots`](Self::tell_roots). Without steps it is a filter.
    pub fn handle_plan(&mut self, steps: &[Way], extended: bool) {
        self.plan = Planning::Done;
        self.tells_roots = extended && steps.first() == Some(&Way::HeldRoots);
        self.asking = Some(Asking::new(steps, extended));
    }

    /// Says that the source drew this key, and which cells it needs first: now
    /// [`Sketch`](Way::Sketch) can be taken. What was not taken under another key is under this one.
    pub fn handle_key(&mut self, named: NamedKey, range: CellRange) {
        self.sketching = Some(match &self.sketching {
            Some(before) => before.under(named, range),
            None => Sketching::new(named, range),
        });
    }

    /// Says that the source sent nothing yet and needs these cells. Where they are not worth their
    /// bytes the sink goes on to the next step.
    pub fn handle_need(&mut self, range: CellRange) {
        self.handle_cut();
        let goes_on = self.sketching.as_mut().is_some_and(|sketching| sketching.need(range));
        if !goes_on {
            self.give_up_sketch();
        }
    }

    /// The number of the key under which the message of the open round has cells.
    #[must_use]
    pub fn key_in_use(&self) -> Option<u64> {
        let sketching = self.sketching.as_ref().filter(|it| self.round.open && it.is_made())?;
        (self.step() == Some(Way::Sketch)).then(|| sketching.named().number)
    }

    fn give_up_sketch(&mut self) {
        self.sketching = None;
        if let Some(asking) = self.asking.as_mut().filter(|asking| asking.step() == Way::Sketch) {
            asking.fall_back();
        }
    }

    /// Says that the source has the step's filter already, from a message of another sink.
    pub fn handle_kept_filter(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.filtered = true;
        }
    }

    /// Whether the message of the open round relies on what the source may not know: roots that it was
    /// told of, what it sent, or a key that it drew.
    #[must_use]
    pub fn relies(&self) -> bool {
        self.round.told > 0 || self.tells_roots() || self.step() == Some(Way::Sketch)
    }

    /// Says that the source does not understand what the last message relied on: it has no root that
    /// was named, or does not know any more what it sent. The round counts as cut, and the next
    /// message does without.
    pub fn handle_refused(&mut self) {
        let told = self.round.told > 0;
        self.handle_cut();
        if let (true, Some(asking)) = (told, &mut self.asking) {
            asking.bitmaps = false;
        }
        if self.step() == Some(Way::Sketch) && !told {
            self.give_up_sketch();
        }
        self.tells_roots &= told;
    }

    /// What the sink does now, where it was told what to do.
    #[must_use]
    pub fn step(&self) -> Option<Way> {
        if self.tells_roots() {
            return Some(Way::HeldRoots);
        }
        self.asking.as_ref().map(Asking::step)
    }

    /// Says what lies between the peers: a filter's size is a matter of what its bytes and a round
    /// take. Without it that is [`Path::ASSUMED`]. It may be said again before each message.
    pub const fn handle_path(&mut self, path: Path) {
        self.path = path;
    }

    /// The old roots, once it is known that all that lies below them is held: a source that reads
    /// the extension may be told of them. Empty where any block is missing.
    #[must_use]
    pub fn held_roots(&self) -> &[Cid] {
        self.seeds.complete_roots()
    }

    /// Says that the source is told of [`held_roots`](Self::held_roots), so that statuses carry no
    /// filter as long as there are any; `false` takes it back.
    pub fn tell_roots(&mut self, tells: bool) {
        self.tells_roots = tells;
    }

    /// Whether the next status leaves out what [`held_roots`](Self::held_roots) says.
    #[must_use]
    pub fn tells_roots(&self) -> bool {
        self.tells_roots && !self.held_roots().is_empty()
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

    /// Says that the source begins to send by itself, as in a push: no request is made before
    /// [`handle_end_round`](Self::handle_end_round), and the next status is the answer.
    pub fn handle_begin_round(&mut self) {
        self.open_round(Vec::new(), 0);
        self.handle_memory(Memory::Kept);
    }

    /// Says what the source remembers of the session, before the first block of the round.
    pub fn handle_memory(&mut self, memory: Memory) {
        self.round.remembered = memory != Memory::None;
        if memory == Memory::Begun {
            self.pushed = None;
        }
        if self.round.remembered {
            self.pushed.get_or_insert_with(|| CidSet::with_seed(self.seed));
        }
    }

    /// As [`handle_begin_round`](Self::handle_begin_round), for a source that forgets what it sent:
    /// the answer's filter has these blocks too.
    pub fn handle_begin_round_of_forgetful(&mut self) {
        self.forgetful = true;
        self.open_round(Vec::new(), 0);
    }

    fn open_round(&mut self, asked: Vec<Cid>, told: u64) {
        if let Some(asking) = self.asking.as_mut().filter(|_| !asked.is_empty()) {
            asking.begin();
        }
        let trail = self.asking.as_ref().map(|_| Trail::default());
        self.round = Round { open: true, asked, told, trail, ..Round::default() };
    }

    /// Takes a block of the round.
    ///
    /// A source that knows nothing of the sink may send each held block once; what it sends beyond
    /// that, and what nothing links to, is held to
    /// [`max_unwanted_bytes`](Limits::max_unwanted_bytes).
    ///
    /// # Errors
    /// [`Error::Block`] for a wanted block that does not parse, [`Error::Unwanted`]. The transfer
    /// is to be given up then; blocks stored before stay good.
    pub fn handle_block(&mut self, block: Block) -> Result<Received, Error> {
        if let Some(trail) = &mut self.round.trail {
            trail.push(block.cid(), block.data(), &self.limits);
        }
        let Some(depth) = self.wants.take(block.cid()) else {
            return self.unwanted(&block);
        };
        self.walk.handle_block(&block, depth)?;
        if let Some(sketching) = &mut self.sketching {
            sketching.begin_anew();
        }
        self.round.wanted += 1;
        if let Some(pushed) = &mut self.pushed {
            pushed.insert(block.cid());
        }
        self.ready.push_back(block);
        Ok(Received::Wanted)
    }

    fn unwanted(&mut self, block: &Block) -> Result<Received, Error> {
        let held =
            self.walk.seen().contains(block.cid()) || self.seeds.held().contains(block.cid());
        let repeated = self.round.repeated.get_or_insert_with(|| CidSet::with_seed(self.seed));
        if held && repeated.insert(block.cid()) {
            return Ok(Received::Duplicate);
        }
        self.round.unwanted_bytes += block.data().len() as u64 + 1;
        let (bytes, max) = (self.round.unwanted_bytes, self.limits.max_unwanted_bytes);
        if bytes > max {
            return Err(Error::Unwanted { cid: *block.cid(), bytes, max });
        }
        Ok(if held { Received::Duplicate } else { Received::Unreachable })
    }

    /// Says that the source has ended the round by itself. What was asked for by name and did not
    /// come counts as a miss; after the second the source counts as not having it.
    pub fn handle_end_round(&mut self) {
        let round = core::mem::take(&mut self.round);
        if !round.remembered {
            self.pushed = None;
        }
        let mut missed = self.wants.count_misses(&round.asked);
        if round.told > 0 {
            missed += self.wants.count_told(self.rounds);
        }
        self.hidings += u32::from(round.may_hide && self.wants.len() > missed);
        let asked = round.asked.len() as u64 + round.told;
        (self.trail, self.only_named) = (round.trail, Some(round.wanted <= asked));
        self.repeated = round.repeated.is_some_and(|cids| !cids.is_empty());
        self.stalled = round.wanted == 0 && asked > 0;
    }

    /// Says that the round was cut: nothing is known of what did not come.
    pub fn handle_cut(&mut self) {
        self.round = Round::default();
        self.trail = None;
        self.pushed = None;
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
                Some(Step::Missing { cid, depth }) => self.wants.insert(&cid, depth),
                None => return Ok(None),
            }
        }
    }

    fn next_round(&mut self) -> Option<SinkOutput> {
        let want = self.wants.available(self.limits.max_wanted);
        if want.is_empty() || self.rounds >= self.limits.max_rounds {
            self.finished = true;
            return Some(SinkOutput::Done(self.outcome()));
        }
        match self.plan {
            Planning::NotYet => {
                self.plan = Planning::Open;
                return Some(SinkOutput::Plan(self.holding()));
            }
            Planning::Open => return None,
            Planning::Done => {}
        }
        if self.asking.as_ref().is_some_and(|asking| asking.extended) && !self.tells_roots() {
            return self.next_question();
        }
        // Of leaves there is nothing to leave out: what is wanted by name comes in any case.
        let narrows = self.may_filter()
            && self.step() != Some(Way::Everything)
            && (self.forgetful || want.iter().any(may_link));
        if narrows && let Some(waits) = self.ask_for_summary() {
            return waits;
        }
        let have = if narrows { self.filter() } else { None };
        self.rounds += 1;
        let may_hide = have.is_some() && want.len() == self.wants.len();
        self.open_round(want.clone(), 0);
        self.round.may_hide = may_hide;
        Some(SinkOutput::Transmit(Status { want, have }))
    }

    /// Asks for the summary before a filter is made; `None` where it is answered or of no use. A
    /// source that forgets sends in many rounds what nobody holds, and the answer to each would have
    /// the summary.
    fn ask_for_summary(&mut self) -> Option<Option<SinkOutput>> {
        match self.summary {
            Asked::NotYet if self.repeated || !self.forgetful => {
                self.summary = Asked::Open;
                Some(Some(SinkOutput::Summary))
            }
            Asked::Open => Some(None),
            Asked::Never | Asked::NotYet | Asked::Answered(_) => None,
        }
    }

    fn holding(&self) -> Holding {
        let mut holding = Holding {
            depth: self.seeds.depth().max(self.walk.deepest()).into(),
            old_root: !self.held_roots().is_empty(),
            ..Holding::default()
        };
        self.for_each_told(&mut |cid| {
            holding.blocks += 1;
            let cid = cid_exact(cid).expect("a key is a CID");
            if may_link(&cid) {
                holding.interior += 1;
            } else if holding.leaves.len() < NAMED_LEAVES {
                holding.leaves.push(cid);
            }
        });
        holding
    }

    /// The next message in the extension's form.
    fn next_question(&mut self) -> Option<SinkOutput> {
        if self.links.is_some() {
            return self.ask();
        }
        let fell_back = self.judge();
        let asking = self.asking.as_mut()?;
        // The first message of a step is by name: beside a bitmap the last filter would stay.
        let speaks = asking.bitmaps && !self.stalled && !fell_back;
        let trail = self.trail.take().filter(|_| speaks);
        self.composition = trail.and_then(|trail| Composition::new(trail, self.rounds + 1));
        let held_back = matches!(asking.step(), Way::InteriorFilter | Way::Bitmaps);
        if self.composition.is_none() && held_back && self.wants.len() > self.limits.max_wanted {
            // Too many to be named one by one: subgraphs are fewer.
            asking.fall_back();
        }
        self.compose().unwrap_or_else(|| self.ask())
    }

    /// Judges the round that has ended; whether the sink goes on to another step.
    fn judge(&mut self) -> bool {
        let Some(only_named) = self.only_named.take() else { return false };
        if self.sketching.as_ref().is_some_and(Sketching::has_spoken) {
            // What cells did not bring they would not bring the next time.
            self.give_up_sketch();
            return false;
        }
        let interior = self.wants.any_interior();
        self.asking.as_mut().is_some_and(|asking| asking.judge(only_named, interior))
    }

    /// Goes on with the bitmap; `None` where there is none in the making.
    fn compose(&mut self) -> Option<Option<SinkOutput>> {
        let composition = self.composition.as_mut()?;
        if let Some(cid) = composition.poll(&mut self.wants, &self.limits) {
            return Some(Some(SinkOutput::Load(cid)));
        }
        if !composition.is_done() {
            return Some(None);
        }
        self.links = self.composition.take().and_then(Composition::finish);
        Some(self.ask())
    }

    fn ask(&mut self) -> Option<SinkOutput> {
        let cells = match self.ask_by_cells() {
            Ok(cells) => cells,
            Err(waits) => return waits,
        };
        let narrows = self.needs_filter();
        if narrows && let Some(waits) = self.ask_for_summary() {
            return waits;
        }
        if narrows && self.knows_little() {
            self.asking.as_mut()?.hold_nothing_back();
        }
        let step = self.asking.as_ref()?.step();
        let have = match step {
            _ if !narrows => None,
            Way::InteriorFilter => self.interior_filter(),
            Way::HeldRoots | Way::Filter | Way::Bitmaps | Way::Sketch | Way::Everything => {
                self.filter()
            }
        };
        let scope = match step {
            Way::InteriorFilter if !self.stalled => Scope::Interior,
            Way::Bitmaps if !self.stalled => Scope::Named,
            Way::HeldRoots
            | Way::Filter
            | Way::InteriorFilter
            | Way::Bitmaps
            | Way::Sketch
            | Way::Everything => Scope::All,
        };
        self.rounds += 1;
        let (links, told) = self.links.take().unzip();
        let mut want = self.wants.untold(self.limits.max_wanted, self.rounds);
        let told = told.unwrap_or(0);
        self.open_round(want.clone(), told);
        let all = want.len() as u64 + told == self.wants.len() as u64;
        self.round.may_hide = have.is_some() && scope == Scope::All && all;
        // One that is wanted alone goes as the root, which is shorter.
        let root = if links.is_none() && want.len() == 1 { want.pop() } else { None };
        let root = match &cells {
            Some(cells) => self.whole(root, &mut want, cells),
            None => root,
        };
        if let Some(asking) = &mut self.asking {
            asking.filtered = narrows || links.is_some() && asking.filtered;
        }
        let (held, session) = (Vec::new(), None);
        Some(SinkOutput::Ask(Box::new(Request {
            root,
            want,
            held,
            have,
            scope,
            links,
            session,
            cells,
        })))
    }

    /// Cells are held against all of the DAG, so its root goes with what is wanted. The source of a push
    /// knows from the first of them what is wanted.
    fn whole(&self, only: Option<Cid>, want: &mut Vec<Cid>, cells: &Cells) -> Option<Cid> {
        want.extend(only.filter(|only| self.root != Some(*only)));
        if self.pushed.is_some() && cells.first() > 0 {
            want.clear();
        }
        self.root
    }

    /// The cells of the next message, where the step is to send some and they are worth it; an error
    /// while the summary is awaited.
    fn ask_by_cells(&mut self) -> Result<Option<Cells>, Option<SinkOutput>> {
        if self.step() != Some(Way::Sketch) || !self.wants.any_interior() {
            return Ok(None);
        }
        let made = self.sketching.as_ref().filter(|_| self.root.is_some()).map(Sketching::is_made);
        if made == Some(false) {
            if let Some(waits) = self.ask_for_summary() {
                return Err(waits);
            }
            self.make_sketch();
        }
        let cells = self.sketching.as_mut().and_then(Sketching::cells);
        if cells.is_none() {
            self.give_up_sketch();
        }
        Ok(cells)
    }

    fn make_sketch(&mut self) {
        let (known, interior) = (self.take_known(), self.next_filter_is_interior());
        let Some(key) = self.sketching.as_ref().map(|sketching| sketching.named().key) else {
            return;
        };
        // Where an old root is held, what else there is only differs.
        let known = known.filter(|_| self.held_roots().is_empty());
        let (made, most) = match known {
            Some(known) => {
                let bytes = if interior { known.interior_bytes() } else { known.bytes() };
                (known.sketch_with(&key, |each| self.for_each_held(each)), worth(bytes))
            }
            None => self.own_sketch(key, interior),
        };
        if let (Some(sketching), Some(made)) = (&mut self.sketching, made) {
            sketching.make(made, most);
        }
    }

    /// A sketch of what is known to be held, and how many of its cells are worth sending; none of nothing.
    fn own_sketch(&self, key: Key, interior: bool) -> (Option<Sketch>, usize) {
        let mut n = 0;
        self.for_each_held(&mut |cid| n += usize::from(!interior || may_link_bytes(cid)));
        let max = self.limits.max_bloom_bytes;
        let params = if interior { interior_params(n, max) } else { self.sizing(n).params() };
        let most = worth(params.bytes());
        let mut sketch = Sketch::new(key, most);
        self.for_each_held(&mut |cid| sketch.toggle(cid));
        ((n > 0).then_some(sketch), most)
    }

    fn next_filter_is_interior(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.next_step() == Way::InteriorFilter)
    }

    /// A filter goes with what is named, and with the first bitmap after a step began; then it stays
    /// with the source from bitmap to bitmap.
    fn needs_filter(&self) -> bool {
        let Some(asking) = &self.asking else { return false };
        let kept = self.links.is_some() && asking.filtered;
        let filters = matches!(asking.step(), Way::Filter | Way::InteriorFilter);
        filters && !kept && self.may_filter() && self.wants.any_interior()
    }

    /// Whether a summary was asked for and says so little that a filter of all is no longer than a
    /// round trip.
    fn knows_little(&self) -> bool {
        let Asked::Answered(known) = &self.summary else { return false };
        let own = self.walk.seen().len() + self.seeds.held().len();
        known.as_ref().map_or(0, Known::bytes) <= LITTLE_FILTER && own <= LITTLE_FILTER
    }

    fn may_filter(&self) -> bool {
        !self.stalled && self.hidings < MAX_HIDINGS && !self.tells_roots()
    }

    fn outcome(&self) -> Outcome {
        let mut named = self.wants.unavailable(NAMED_MISSING);
        if named.is_empty() {
            named = self.wants.available(NAMED_MISSING);
        }
        Outcome { missing: self.wants.len() as u64, named, rounds: self.rounds }
    }

    /// All that is known to be held, but for what the source has just sent.
    fn filter(&mut self) -> Option<Filter> {
        let known = self.take_known();
        let both = known.and_then(|known| known.with(|insert| self.for_each_told(insert)));
        if both.is_some() {
            return both;
        }
        let mut held = 0;
        self.for_each_told(&mut |_| held += 1);
        let params = (held > 0).then(|| self.sizing(held).params());
        params.map(|params| filled(params, |insert| self.for_each_told(insert)))
    }

    fn take_known(&mut self) -> Option<Known> {
        let Asked::Answered(known) = &mut self.summary else { return None };
        let known = known.take().filter(|known| known.bytes() <= self.limits.max_bloom_bytes);
        self.summary = Asked::NotYet;
        known
    }

    /// The same of blocks that can have links.
    fn interior_filter(&mut self) -> Option<Filter> {
        let known = self.take_known();
        let own = |each: &mut dyn FnMut(&[u8])| {
            self.for_each_told(&mut |cid| {
                if may_link_bytes(cid) {
                    each(cid);
                }
            });
        };
        let both = known.and_then(|known| known.with_interior(own));
        if both.is_some() {
            return both;
        }
        let mut n = 0;
        own(&mut |_| n += 1);
        interior_filter_of(n, &self.limits, own)
    }

    /// In a tree what two filters hid lies side by side, in a history one behind the other.
    fn sizing(&self, held: usize) -> Sizing {
        let deep = u64::from(self.walk.deepest().max(self.seeds.depth())) > DEEPEST_TREE;
        let known = self.wants.len();
        let missing = match self.hidings {
            0 => Sizing::expected_missing(held, known),
            _ => (known * BELOW_A_HIDDEN) as f64,
        };
        let doublings = self.hidings.saturating_sub(u32::from(!deep));
        let max_bytes = self.limits.max_bloom_bytes;
        Sizing { held, missing, deep, path: self.path, max_bytes, doublings }
    }

    /// What is held below the root and below the old roots. Of the latter, only what is held with all
    /// that lies below it; what is missing below a block under the root is wanted by name.
    fn for_each_held(&self, each: &mut dyn FnMut(&[u8])) {
        let (done, seeds) = (self.walk.seen(), self.seeds.held());
        done.for_each(|cid| {
            if !self.wants.contains_bytes(cid) {
                each(cid);
            }
        });
        seeds.for_each(|cid| {
            if !done.contains_bytes(cid) {
                each(cid);
            }
        });
    }

    /// The same, but for what the source has just sent.
    fn for_each_told(&self, each: &mut dyn FnMut(&[u8])) {
        self.for_each_held(&mut |cid| {
            if self.pushed.as_ref().is_none_or(|pushed| !pushed.contains_bytes(cid)) {
                each(cid);
            }
        });
    }
}
