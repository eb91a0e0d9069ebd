use carpool_bloom::Filter;
use carpool_core::{Block, Bytes, Cid, Limits, Unverified, codec, verify};
use carpool_mirror::{
    Error, Known, Outcome, Sink, SinkOutput, Source, SourceOutput, Status, Summary, Survey,
    extension::{Asked, Request},
    planner::Step,
};
use carpool_selector::Order;
use sim::{Blocks, Store, dag, reference};
use std::collections::{BTreeSet, VecDeque};

use crate::choices::Choices;

/// Rounds after which a sink gives up.
const MAX_ROUNDS: u32 = 24;

/// Whatever happens between a source and a sink: it ends, and the sink stores nothing but blocks
/// that are reachable from what it wants.
pub fn mirror_session(data: &[u8]) {
    let mut session = Session::new(&mut Choices::new(data), steps(data.last()));
    let ended = session.run(&mut Choices::new(&data[data.len().min(24)..]));
    session.check(ended);
}

/// What both sides do with the extension, if they read it.
fn steps(choice: Option<&u8>) -> Vec<Step> {
    match choice.map(|byte| byte % 8) {
        Some(1) => vec![Step::InteriorFilter],
        Some(2) => vec![Step::Bitmaps],
        Some(3) => vec![Step::Filter],
        Some(4) => vec![Step::InteriorFilter, Step::Bitmaps, Step::Everything],
        _ => vec![],
    }
}

struct Session {
    steps: Vec<Step>,
    root: Cid,
    all: Vec<Block>,
    before: Blocks,
    limits: Limits,
    source: Source,
    source_store: Blocks,
    sink: Sink,
    sink_store: Store,
    /// Blocks on their way.
    wire: VecDeque<Block>,
    round_open: bool,
    push: bool,
}

impl Session {
    fn new(choices: &mut Choices<'_>, steps: Vec<Step>) -> Self {
        let all = blocks(choices);
        let root = *all.last().expect("never empty").cid();
        let part = |choices: &mut Choices<'_>| {
            let (mask, rotate) = (choices.byte() | choices.byte(), choices.byte());
            let held = |i: usize| mask >> ((i ^ usize::from(rotate)) % 8) & 1 == 1;
            let blocks = all.iter().enumerate().filter(|(i, _)| held(*i));
            blocks.map(|(_, block)| block.clone().into_parts()).collect::<Blocks>()
        };
        let (before, source_store) = (part(choices), part(choices));
        let mut limits = Limits::default();
        limits.max_rounds = MAX_ROUNDS;
        limits.max_bloom_bytes = 1 << choices.below(8);
        limits.max_wanted = 1 + choices.below(20);
        limits.max_unwanted_bytes = 1 << choices.below(16);
        let seeds = Some(*all[choices.below(all.len())].cid()).filter(|_| choices.byte() & 1 == 1);
        let sink = Sink::new([root], seeds, &limits, 1).with_summary();
        let order = if choices.byte() & 1 == 1 { Order::DepthFirst } else { Order::BreadthFirst };
        let source = Source::new(order, &limits, 2);
        let (sink_store, push) = (before.clone().into(), choices.byte() & 1 == 1);
        let wire = VecDeque::new();
        let round_open = false;
        let sink = if steps.is_empty() { sink } else { sink.with_plan() };
        let source = if steps.is_empty() { source } else { source.with_trail(None) };
        Self {
            steps,
            root,
            all,
            before,
            limits,
            source,
            source_store,
            sink,
            sink_store,
            wire,
            round_open,
            push,
        }
    }

    /// Does as the bytes say, and then goes on without any more accidents.
    fn run(&mut self, choices: &mut Choices<'_>) -> Result<Outcome, Error> {
        if self.push {
            self.source.handle_cold_call(self.root, 300);
            self.fill_wire()?;
            self.sink.handle_begin_round();
            self.round_open = true;
        }
        for _ in 0..100_000 {
            if let Some(outcome) = self.settle()? {
                return Ok(outcome);
            }
            if choices.is_empty() {
                self.proceed()?;
            } else {
                self.accident(choices)?;
            }
        }
        unreachable!("a session ends")
    }

    fn proceed(&mut self) -> Result<(), Error> {
        match self.wire.pop_front() {
            Some(block) => self.sink.handle_block(block).map(|_| ()),
            None => {
                self.end_round();
                Ok(())
            }
        }
    }

    fn end_round(&mut self) {
        self.round_open = false;
        self.sink.handle_end_round();
    }

    fn accident(&mut self, choices: &mut Choices<'_>) -> Result<(), Error> {
        match choices.byte() % 10 {
            0 => drop(self.wire.pop_front()),
            1 => {
                self.wire.clear();
                self.round_open = false;
                self.sink.handle_cut();
            }
            2 => self.end_round(),
            3 => {
                let any = self.all[choices.below(self.all.len())].clone();
                self.sink.handle_block(any).map(|_| ())?;
            }
            4 => {
                let unrelated = Block::new(codec::RAW, Bytes::copy_from_slice(choices.bytes(5)));
                self.sink.handle_block(unrelated).map(|_| ())?;
            }
            5 => self.corrupt(choices.byte()),
            6 => self.sink.handle_load(self.all[choices.below(self.all.len())].cid(), None),
            7 => self.odd_status(choices)?,
            _ => self.proceed()?,
        }
        Ok(())
    }

    /// A block whose bytes were changed does not get past [`verify`].
    fn corrupt(&mut self, change: u8) {
        let Some(block) = self.wire.pop_front() else { return };
        let (cid, data) = block.into_parts();
        let data = [&data[..], &[change]].concat().into();
        assert!(verify(vec![Unverified { cid, data }])[0].is_err());
    }

    /// A sink may say anything of itself: a source sends what is wanted, reachable and held.
    fn odd_status(&mut self, choices: &mut Choices<'_>) -> Result<(), Error> {
        let want: Vec<Cid> = (0..choices.below(24))
            .map(|_| *self.all[choices.below(self.all.len())].cid())
            .collect();
        let k = 1 + u32::from(choices.byte() % 16);
        let have = Filter::from_wire(choices.bytes(7), k, &carpool_bloom::Limits::default());
        let mut source = Source::new(Order::DepthFirst, &self.limits, 3);
        let many = want.len() > self.limits.max_wanted;
        let taken = source.handle_status(Status { want: want.clone(), have: have.ok().flatten() });
        assert_eq!(taken.is_err(), many);
        if many {
            return Ok(());
        }
        let sent = answers(&mut source, &self.source_store)?;
        let distinct: BTreeSet<Cid> = sent.iter().map(|block| *block.cid()).collect();
        assert_eq!(distinct.len(), sent.len());
        let below = |root: &Cid| reference::held_below(*root, &self.source_store);
        assert!(distinct.is_subset(&want.iter().flat_map(below).collect()));
        assert!(
            want.iter().all(|cid| distinct.contains(cid) == self.source_store.contains_key(cid))
        );
        Ok(())
    }

    /// Answers look-ups until the sink waits for its peer.
    fn settle(&mut self) -> Result<Option<Outcome>, Error> {
        while let Some(output) = self.sink.poll()? {
            match output {
                SinkOutput::Load(cid) => self.sink.handle_load(&cid, self.sink_store.get(&cid)),
                SinkOutput::Has(cid) => self.sink.handle_has(&cid, self.sink_store.has(&cid)),
                SinkOutput::Store(block) => self.sink_store.put(block),
                SinkOutput::Summary => self.sink.handle_summary(self.summary()),
                SinkOutput::Plan(_) => self.sink.handle_plan(&self.steps, true),
                SinkOutput::Transmit(status) => self.request(status)?,
                SinkOutput::Ask(request) => self.ask(&request)?,
                SinkOutput::Done(outcome) => return Ok(Some(outcome)),
            }
        }
        Ok(None)
    }

    /// All that is held, so also blocks below which some are missing.
    fn summary(&self) -> Option<Known> {
        let mut summary = Summary::new(16, 1 << 6, 1);
        self.sink_store.blocks().keys().for_each(|cid| {
            summary.insert(cid);
        });
        summary.known()
    }

    fn request(&mut self, status: Status) -> Result<(), Error> {
        assert!(!status.want.is_empty() && status.want.len() <= self.limits.max_wanted);
        assert!(!self.round_open);
        self.round_open = true;
        self.wire.clear();
        if !self.push {
            self.source = Source::forgetful(Order::DepthFirst, &self.limits, 2);
        }
        self.source.handle_status(status)?;
        self.fill_wire()
    }

    /// As [`request`](Self::request), in the extension's form.
    fn ask(&mut self, request: &Request) -> Result<(), Error> {
        assert!(request.want.len() <= self.limits.max_wanted && !self.round_open);
        self.wire.clear();
        let asked = Asked::decode(request.encode(), &self.limits, 2)?;
        if !self.push {
            let answered = self.source.take_answered();
            let source = Source::forgetful(Order::DepthFirst, &self.limits, 2);
            self.source = source.with_trail(answered);
        }
        self.survey(&asked);
        let named = Asked { links: None, ..asked.clone() };
        match self.source.handle_asked(asked) {
            Err(Error::UnknownTrail) if self.push => self.source.handle_asked(named)?,
            Err(Error::UnknownTrail) => {
                self.sink.handle_refused();
                return Ok(());
            }
            begun => begun?,
        }
        self.round_open = true;
        self.fill_wire()
    }

    /// Reads the blocks that the message names to speak of their links.
    fn survey(&mut self, asked: &Asked) {
        let mut survey = Survey::new(&asked.parents, &self.limits);
        while let Some(cid) = survey.poll() {
            survey.handle_load(&cid, self.source_store.get(&cid).cloned());
        }
        survey.finish().into_iter().for_each(|trail| self.source.handle_surveyed(trail));
    }

    fn fill_wire(&mut self) -> Result<(), Error> {
        self.wire = answers(&mut self.source, &self.source_store)?.into();
        Ok(())
    }

    fn check(&self, ended: Result<Outcome, Error>) {
        let all = self.all.iter().cloned().map(Block::into_parts).collect();
        let most = reference::expected(self.root, &all, &self.before);
        let held: BTreeSet<Cid> = self.sink_store.blocks().keys().copied().collect();
        assert!(held.is_subset(&most.held), "an unreachable block is stored");
        if let Ok(outcome) = ended {
            assert!(outcome.rounds <= MAX_ROUNDS);
            let reached = reference::expected(self.root, &Blocks::new(), self.sink_store.blocks());
            let complete = reached.missing.is_empty();
            assert_eq!(outcome.missing == 0, complete, "{outcome:?}");
        }
    }
}

/// All that a source sends for its round.
fn answers(source: &mut Source, store: &Blocks) -> Result<Vec<Block>, Error> {
    let mut sent = Vec::new();
    loop {
        match source.poll()? {
            Some(SourceOutput::Load(cid)) => source.handle_load(&cid, store.get(&cid).cloned()),
            Some(SourceOutput::Transmit(block)) => sent.push(block),
            Some(SourceOutput::Missing(cid)) => assert!(!store.contains_key(&cid)),
            Some(SourceOutput::EndRound) => return Ok(sent),
            None => unreachable!("all look-ups are answered"),
        }
    }
}

/// A DAG of up to 20 nodes, each of which links to some before it.
pub(crate) fn blocks(choices: &mut Choices<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::new(codec::RAW, "leaf".into())];
    for i in 0..1 + choices.below(20) {
        let picks = choices.byte();
        let links = (0..=picks & 3).map(|n| {
            let back = usize::from(picks >> (2 + n)) % blocks.len();
            *blocks[blocks.len() - 1 - back].cid()
        });
        let links: Vec<Cid> = links.collect();
        if picks & 0x80 != 0 {
            let size = i * 17 % 200;
            blocks.push(Block::new(codec::RAW, vec![i.to_le_bytes()[0]; size].into()));
        }
        let last = *blocks.last().expect("never empty").cid();
        blocks.push(dag::node(links.iter().chain([&last])));
    }
    blocks
}
