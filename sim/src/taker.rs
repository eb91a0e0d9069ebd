use carpool_core::{Bytes, Cid, verify};
use carpool_mirror::{
    Known, Received, Sink, SinkOutput, Summary, extension::Memory, planner::Step, sketch::CellRange,
};

use crate::{
    Direction, Failure, Setup, Store, answers::AnswerOrder, framing::Unframing, late::Older,
    sender::NAMED,
};

/// The sink's end: a sink, its store, and its way to get blocks out of bytes.
pub(crate) struct Taker {
    sink: Sink,
    pub(crate) store: Store,
    setup: Setup,
    root: Cid,
    answers: AnswerOrder,
    unframing: Unframing,
    pub(crate) duplicates: u64,
    pub(crate) unreachable: u64,
}

/// What the source of a push says of the answer that it can read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) step: Option<Step>,
    pub(crate) keeps_filter: bool,
    /// The cells that it needs.
    pub(crate) cells: Option<CellRange>,
}

impl Taker {
    pub(crate) fn new(setup: &Setup, root: Cid, store: Store) -> Self {
        Self {
            sink: sink(setup, root),
            store,
            setup: setup.clone(),
            root,
            answers: AnswerOrder::new(setup.answers),
            unframing: Unframing::new(setup.framing, &setup.limits),
            duplicates: 0,
            unreachable: 0,
        }
    }

    /// A server at the start of a push: it knows nothing of the request before.
    pub(crate) fn begin_push(&mut self, asked: Asked) -> Result<(), Failure> {
        self.sink = sink(&self.setup, self.root);
        if let Some(step) = asked.step {
            self.sink.handle_plan(&[step], true);
        }
        if let Some(range) = asked.cells {
            self.sink.handle_key(NAMED, range);
        }
        if asked.keeps_filter {
            self.sink.handle_kept_filter();
        }
        self.sink.handle_begin_round();
        self.reset_unframing();
        self.settle().map(drop)
    }

    /// The source needs these cells.
    pub(crate) fn need(&mut self, range: CellRange) {
        self.sink.handle_need(range);
    }

    /// The source did not understand the message.
    pub(crate) fn refuse(&mut self) {
        self.sink.handle_refused();
    }

    /// A new process: what is held is all that is left of the one before.
    pub(crate) fn restart(&mut self) {
        self.sink = sink(&self.setup, self.root);
        drop(self.reset_unframing());
    }

    pub(crate) fn remembered(&mut self, memory: Memory) {
        self.sink.handle_memory(memory);
    }

    pub(crate) const fn root(&self) -> Cid {
        self.root
    }

    pub(crate) fn new_unframing(&self) -> Unframing {
        Unframing::new(self.setup.framing, &self.setup.limits)
    }

    fn reset_unframing(&mut self) -> Unframing {
        std::mem::replace(
            &mut self.unframing,
            Unframing::new(self.setup.framing, &self.setup.limits),
        )
    }

    pub(crate) fn take(&mut self, bytes: Bytes) -> Result<(), Failure> {
        for block in verify(self.unframing.handle_data(bytes)?) {
            match self.sink.handle_block(block.map_err(Failure::Block)?)? {
                Received::Wanted => {}
                Received::Duplicate => self.duplicates += 1,
                Received::Unreachable => self.unreachable += 1,
            }
            self.settle()?;
        }
        Ok(())
    }

    /// The body ended: `false` when that was inside a block, which is a cut in disguise. A body of
    /// no bytes at all is a round without blocks.
    pub(crate) fn end(&mut self, empty: bool) -> bool {
        let whole = empty || self.unframing.handle_eof();
        drop(self.reset_unframing());
        if whole {
            self.sink.handle_end_round();
        } else {
            self.sink.handle_cut();
        }
        whole
    }

    /// The connection broke. What of it is still up somewhere is handed out: in a push the server
    /// still reads it, with the sink that it was opened with.
    pub(crate) fn cut(&mut self, direction: Direction) -> Older {
        let unframing = self.reset_unframing();
        if direction == Direction::Push {
            let older = std::mem::replace(&mut self.sink, sink(&self.setup, self.root));
            return Older { unframing, sink: Some(older) };
        }
        self.sink.handle_cut();
        Older { unframing, sink: None }
    }

    /// Bytes of a connection that was given up, and its end. A server's older connection cannot
    /// fail the new one.
    pub(crate) fn take_late(&mut self, mut older: Older, bytes: Bytes) -> Result<(), Failure> {
        std::mem::swap(&mut self.unframing, &mut older.unframing);
        let taken = match older.sink {
            Some(sink) => {
                let today = std::mem::replace(&mut self.sink, sink);
                let _ = self.take(bytes);
                self.sink = today;
                Ok(())
            }
            None => self.take(bytes),
        };
        self.unframing = older.unframing;
        taken
    }

    /// Answers look-ups until the sink waits for its peer, or has something for it.
    pub(crate) fn settle(&mut self) -> Result<Option<SinkOutput>, Failure> {
        loop {
            let mut asked = Vec::new();
            while let Some(output) = self.sink.poll()? {
                match output {
                    SinkOutput::Load(cid) => asked.push((cid, true)),
                    SinkOutput::Has(cid) => asked.push((cid, false)),
                    SinkOutput::Store(block) => self.store.put(block),
                    SinkOutput::Summary => self.sink.handle_summary(self.summary()),
                    SinkOutput::Plan(_) => {
                        let steps = &self.setup.steps;
                        self.sink.handle_plan(steps, !steps.is_empty());
                        self.sink.handle_key(NAMED, CellRange::BEGIN);
                    }
                    SinkOutput::Transmit(_) | SinkOutput::Ask(_) | SinkOutput::Done(_) => {
                        return Ok(Some(output));
                    }
                }
            }
            if asked.is_empty() {
                return Ok(None);
            }
            self.answer(asked);
        }
    }

    /// All that is held, and so blocks too below which some are missing.
    fn summary(&self) -> Option<Known> {
        let mut summary = Summary::new(1 << 17, 1 << 18, self.setup.seed);
        self.store.blocks().keys().for_each(|cid| {
            summary.insert(cid);
        });
        summary.known_under(&NAMED.key)
    }

    fn answer(&mut self, mut asked: Vec<(Cid, bool)>) {
        self.answers.arrange(&mut asked);
        for (cid, with_data) in asked {
            if with_data {
                self.sink.handle_load(&cid, self.store.get(&cid));
            } else {
                self.sink.handle_has(&cid, self.store.has(&cid));
            }
        }
    }
}

fn sink(setup: &Setup, root: Cid) -> Sink {
    let sink = Sink::new([root], setup.seeds.iter().copied(), &setup.limits, setup.seed);
    let sink = if setup.summary { sink.with_summary() } else { sink };
    let pulls = setup.direction == Direction::Pull && !setup.steps.is_empty();
    if pulls { sink.with_plan() } else { sink }
}
