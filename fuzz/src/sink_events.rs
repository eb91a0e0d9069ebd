use carpool_core::{Block, Bytes, Cid, Limits, codec};
use carpool_mirror::{Error, Outcome, Sink, SinkOutput, planner::Step};
use sim::{Blocks, Store, reference};
use std::collections::BTreeSet;

use crate::{choices::Choices, mirror_session::blocks};

/// A sink that is told anything at any time stores nothing but blocks that are reachable from its
/// root, and once its peer and its store behave it ends.
pub fn sink_events(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut events = Events::new(&mut choices);
    while !choices.is_empty() && events.done.is_none() {
        if events.event(&mut choices).is_err() {
            return events.check(None);
        }
    }
    let ended = events.finish();
    events.check(ended.ok());
}

struct Events {
    root: Cid,
    all: Vec<Block>,
    before: Blocks,
    store: Store,
    sink: Sink,
    /// Look-ups that are open, and whether they ask for data.
    asked: Vec<(Cid, bool)>,
    wanted: Vec<Cid>,
    done: Option<Outcome>,
}

impl Events {
    fn new(choices: &mut Choices<'_>) -> Self {
        let all = blocks(choices);
        let root = *all.last().expect("never empty").cid();
        let mask = choices.byte();
        let held = all.iter().enumerate().filter(|(i, _)| mask >> (i % 8) & 1 == 1);
        let before: Blocks = held.map(|(_, block)| block.clone().into_parts()).collect();
        let mut limits = Limits::default();
        limits.max_rounds = 24;
        limits.max_bloom_bytes = 1 << choices.below(8);
        limits.max_wanted = 1 + choices.below(20);
        limits.max_unwanted_bytes = 1 << choices.below(16);
        let seeds = Some(*all[choices.below(all.len())].cid()).filter(|_| choices.byte() & 1 == 1);
        let sink = Sink::new([root], seeds, &limits, 1);
        let store = before.clone().into();
        Self { root, all, before, store, sink, asked: vec![], wanted: vec![], done: None }
    }

    fn event(&mut self, choices: &mut Choices<'_>) -> Result<(), Error> {
        let kind = choices.byte();
        if kind >= 252 {
            let steps = [Step::InteriorFilter, Step::Bitmaps, Step::Filter, Step::Everything];
            self.sink.handle_plan(&steps[choices.below(4)..], kind & 1 == 1);
            return Ok(());
        }
        match kind % 12 {
            0..=2 => return self.poll().map(drop),
            3 | 4 => self.answer(choices.byte(), true),
            5 => self.answer(choices.byte(), false),
            6 => {
                let any = self.all[choices.below(self.all.len())].clone();
                return self.sink.handle_block(any).map(drop);
            }
            7 => {
                let unrelated = Bytes::copy_from_slice(choices.bytes(5));
                return self.sink.handle_block(Block::new(codec::RAW, unrelated)).map(drop);
            }
            8 => self.sink.handle_end_round(),
            9 => self.sink.handle_cut(),
            10 => self.sink.handle_begin_round(),
            _ => {
                let any = *self.all[choices.below(self.all.len())].cid();
                self.sink.handle_load(&any, None);
                self.asked.retain(|(asked, _)| *asked != any);
            }
        }
        Ok(())
    }

    /// Takes one output; `false` when there is none.
    fn poll(&mut self) -> Result<bool, Error> {
        let Some(output) = self.sink.poll()? else { return Ok(false) };
        assert!(self.done.is_none(), "{output:?} follows the end");
        match output {
            SinkOutput::Load(cid) => self.asked.push((cid, true)),
            SinkOutput::Has(cid) => self.asked.push((cid, false)),
            SinkOutput::Store(block) => self.store.put(block),
            SinkOutput::Summary => self.sink.handle_summary(None),
            SinkOutput::Plan(_) => self.sink.handle_plan(&[], true),
            SinkOutput::Transmit(status) => self.wanted = status.want,
            // A source that lost what it sent.
            SinkOutput::Ask(request) if request.links.is_some() => self.sink.handle_refused(),
            SinkOutput::Ask(request) => {
                self.wanted = request.want.into_iter().chain(request.root).collect();
            }
            SinkOutput::Done(outcome) => self.done = Some(outcome),
        }
        Ok(true)
    }

    /// Answers one look-up; a store that forgets says that it does not hold it.
    fn answer(&mut self, pick: u8, truly: bool) {
        if self.asked.is_empty() {
            return;
        }
        let (cid, with_data) = self.asked.swap_remove(usize::from(pick) % self.asked.len());
        if with_data {
            self.sink.handle_load(&cid, self.store.get(&cid).filter(|_| truly));
        } else {
            self.sink.handle_has(&cid, self.store.has(&cid) && truly);
        }
    }

    /// From here on the store answers and a source sends what is wanted.
    fn finish(&mut self) -> Result<Outcome, Error> {
        for _ in 0..10_000 {
            while self.poll()? || !self.asked.is_empty() {
                self.answer(0, true);
            }
            if let Some(outcome) = self.done.take() {
                return Ok(outcome);
            }
            for cid in std::mem::take(&mut self.wanted) {
                let block = self.all.iter().find(|block| *block.cid() == cid);
                self.sink.handle_block(block.expect("only these are linked to").clone())?;
            }
            self.sink.handle_end_round();
        }
        unreachable!("a sink ends")
    }

    fn check(&self, ended: Option<Outcome>) {
        let all = self.all.iter().cloned().map(Block::into_parts).collect();
        let most = reference::expected(self.root, &all, &self.before);
        let held: BTreeSet<Cid> = self.store.blocks().keys().copied().collect();
        assert!(held.is_subset(&most.held), "an unreachable block is stored");
        let Some(outcome) = ended else { return };
        let reached = reference::expected(self.root, &Blocks::new(), self.store.blocks());
        assert!(outcome.missing > 0 || reached.missing.is_empty(), "{outcome:?}");
    }
}
