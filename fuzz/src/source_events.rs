use carpool_bloom::{Filter, Limits as BloomLimits};
use carpool_core::{Block, Cid, CidSet, Limits};
use carpool_mirror::{
    Error, Narrowing, Source, SourceOutput, Status, Trail, bitmap,
    extension::{Asked, LinkBits, Request, Scope},
};
use carpool_selector::Order;
use sim::{Blocks, reference};
use std::collections::BTreeSet;

use crate::{choices::Choices, mirror_session::blocks};

/// A source that is told anything at any time sends nothing but blocks that it holds and that are
/// reachable from what was wanted last, each once a round, and its rounds end.
pub fn source_events(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut events = Events::new(&mut choices);
    while !choices.is_empty() {
        events.event(&mut choices);
    }
    events.finish();
}

struct Events {
    all: Vec<Block>,
    store: Blocks,
    source: Source,
    asked: Vec<Cid>,
    /// What the round may send.
    reachable: BTreeSet<Cid>,
    sent: BTreeSet<Cid>,
    open: bool,
    budget: Option<u64>,
    max_wanted: usize,
    limits: Limits,
    /// What the last round sent.
    trail: Trail,
}

impl Events {
    fn new(choices: &mut Choices<'_>) -> Self {
        let all = blocks(choices);
        let mask = choices.byte();
        let held = all.iter().enumerate().filter(|(i, _)| mask >> (i % 8) & 1 == 1);
        let store = held.map(|(_, block)| block.clone().into_parts()).collect();
        let mut limits = Limits::default();
        limits.max_wanted = 1 + choices.below(8);
        let order = if choices.byte() & 1 == 1 { Order::DepthFirst } else { Order::BreadthFirst };
        Self {
            all,
            store,
            source: Source::new(order, &limits, 1).with_trail(None),
            asked: vec![],
            reachable: BTreeSet::new(),
            sent: BTreeSet::new(),
            open: false,
            budget: None,
            max_wanted: limits.max_wanted,
            limits,
            trail: Trail::default(),
        }
    }

    fn event(&mut self, choices: &mut Choices<'_>) {
        let kind = choices.byte();
        if kind >= 250 {
            return self.ask(choices);
        }
        match kind % 10 {
            0..=3 => drop(self.poll()),
            4 | 5 => self.answer(choices.byte()),
            6 => self.status(choices),
            7 => self.estimate(choices),
            8 => {
                let (root, budget) = (self.pick(choices), u64::from(choices.byte()) * 4);
                self.source.handle_cold_call(root, budget);
                self.begin(&[root], Some(budget));
            }
            _ => {
                let cid = self.pick(choices);
                self.asked.retain(|asked| *asked != cid);
                self.source.handle_load(&cid, self.store.get(&cid).cloned());
            }
        }
    }

    /// A message of the extension: where it has a bitmap over what the last round sent, what lies
    /// below those blocks may be sent as well.
    fn ask(&mut self, choices: &mut Choices<'_>) {
        let names = choices.byte();
        let wanted = usize::from(names % 4).min(self.max_wanted);
        let want: Vec<Cid> = (0..wanted).map(|_| self.pick(choices)).collect();
        let scope = [Scope::All, Scope::Interior, Scope::Named][usize::from(names >> 6) % 3];
        let check = self.trail.check().filter(|_| names & 0x20 == 0).unwrap_or_default();
        let links = (names & 0x10 == 0 || want.is_empty()).then(|| {
            let bits = (0..self.trail.links()).map(|_| choices.byte() & 1 == 1);
            let bits: Vec<bool> = bits.collect();
            let bits = match names & 8 {
                0 => bitmap::encode(bits).expect("few bits"),
                _ => choices.bytes(5).to_vec(),
            };
            LinkBits { check, bits }
        });
        let request = Request { want: want.clone(), scope, links, ..Request::default() };
        let asked = Asked::decode(request.encode(), &self.limits, 1).expect("within the limits");
        let named = request.links.is_some();
        let over = self.trail.clone();
        match self.source.handle_asked(asked) {
            Ok(()) => {
                let blocks: Vec<Cid> = over.iter().map(|(cid, _)| cid).filter(|_| named).collect();
                self.begin(&[want, blocks].concat(), None);
            }
            Err(error) => assert!(named, "{error}"),
        }
    }

    fn pick(&self, choices: &mut Choices<'_>) -> Cid {
        *self.all[choices.below(self.all.len())].cid()
    }

    fn status(&mut self, choices: &mut Choices<'_>) {
        let want: Vec<Cid> = (0..choices.below(10)).map(|_| self.pick(choices)).collect();
        let k = 1 + u32::from(choices.byte() % 16);
        let bits = choices.below(24);
        let limits = BloomLimits { max_bytes: 24, max_k: 16 };
        let have = Filter::from_wire(choices.bytes(bits), k, &limits);
        let many = want.len() > self.max_wanted;
        let status = Status { want: want.clone(), have: have.ok().flatten() };
        let taken = self.source.handle_status(status);
        assert_eq!(taken.is_err(), many);
        if !many {
            self.begin(&want, None);
        }
    }

    fn estimate(&mut self, choices: &mut Choices<'_>) {
        let (root, mut known) = (self.pick(choices), CidSet::with_seed(1));
        for _ in 0..choices.below(8) {
            known.insert(&self.pick(choices));
        }
        self.source.handle_estimate(root, Narrowing::Known(known));
        self.begin(&[root], None);
    }

    fn begin(&mut self, want: &[Cid], budget: Option<u64>) {
        let below = |root: &Cid| reference::held_below(*root, &self.store);
        self.reachable = want.iter().flat_map(below).collect();
        self.sent.clear();
        self.trail = Trail::default();
        self.asked.clear();
        self.open = true;
        self.budget = budget.map(|budget| budget.max(1));
    }

    /// Takes one output; `false` when there is none.
    fn poll(&mut self) -> Result<bool, Error> {
        let output = self.source.poll()?;
        assert!(self.open || output.is_none(), "{output:?} outside of a round");
        match output {
            None => return Ok(false),
            Some(SourceOutput::Load(cid)) => self.asked.push(cid),
            Some(SourceOutput::Transmit(block)) => self.transmit(block),
            Some(SourceOutput::Missing(cid)) => assert!(!self.store.contains_key(&cid)),
            Some(SourceOutput::EndRound) => self.open = false,
        }
        Ok(true)
    }

    fn transmit(&mut self, block: Block) {
        let (cid, data) = block.into_parts();
        assert!(self.reachable.contains(&cid) && self.sent.insert(cid));
        assert_eq!(self.store.get(&cid), Some(&data));
        self.trail.push(&cid, &data, &self.limits);
        if let Some(budget) = &mut self.budget {
            let cost = data.len() as u64 + 1;
            assert!(self.sent.len() == 1 || cost <= *budget, "a block beyond the budget");
            *budget = budget.saturating_sub(cost);
        }
    }

    fn answer(&mut self, pick: u8) {
        if !self.asked.is_empty() {
            let cid = self.asked.swap_remove(usize::from(pick) % self.asked.len());
            self.source.handle_load(&cid, self.store.get(&cid).cloned());
        }
    }

    /// From here on the store answers.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            match self.poll() {
                Ok(false) if self.asked.is_empty() => break,
                Ok(_) => self.answer(0),
                Err(error) => unreachable!("its own blocks parse: {error}"),
            }
        }
        assert!(!self.open, "a round ends");
    }
}
