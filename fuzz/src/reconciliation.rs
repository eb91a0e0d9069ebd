use carpool_bloom::sketch::{Cell, Key, Sketch};
use carpool_core::{Cid, Limits};
use carpool_mirror::sketch::{
    CellRange, Cells, Lacking, MAX_CELLS, NamedKey, Reconciliation, Reconciling,
};
use carpool_selector::reference::breadth_first;
use sim::Blocks;
use std::collections::BTreeSet;

use crate::{choices::Choices, mirror_session::blocks};

/// The sink's cells here: more than its blocks need.
const CELLS: usize = 1024;

/// Cells of any set and of none, in any portions and order, answers in any order: it ends, walks the
/// DAG once, and where all cells were of one set what it finds is the difference.
pub fn reconciliation(data: &[u8]) {
    let mut choices = Choices::new(data);
    let all = blocks(&mut choices);
    let (missing_there, held) = (choices.byte(), choices.byte());
    let part = |skip: u8| -> Blocks {
        let left = all.iter().enumerate().filter(|(i, _)| i % 8 != usize::from(skip % 16));
        left.map(|(_, block)| block.clone().into_parts()).collect()
    };
    let mut exchange = Exchange::new(*all[all.len() - 1].cid(), part(missing_there), &part(held));
    let lacking = exchange.run(&mut choices);
    assert!(exchange.loads <= all.len(), "{} look-ups of {} blocks", exchange.loads, all.len());
    if let Some(lacking) = lacking.filter(|_| exchange.honest) {
        exchange.check(&lacking);
    }
}

struct Exchange {
    root: Cid,
    store: Blocks,
    held: BTreeSet<Cid>,
    sketch: Sketch,
    machine: Reconciliation,
    /// Whether no cell came that is not of the sketch.
    honest: bool,
    loads: usize,
}

impl Exchange {
    fn new(root: Cid, store: Blocks, held: &Blocks) -> Self {
        let named = NamedKey { number: 1, key: Key::new([1; 16]) };
        let mut sketch = Sketch::new(named.key, CELLS);
        held.keys().for_each(|cid| sketch.toggle(&cid.to_bytes()));
        let machine = Reconciliation::new(named, root, &Limits::default(), 1);
        let held = held.keys().copied().collect();
        Self { root, store, held, sketch, machine, honest: true, loads: 0 }
    }

    fn run(&mut self, choices: &mut Choices<'_>) -> Option<Lacking> {
        let mut asked = Vec::new();
        loop {
            match self.machine.poll().expect("blocks that parse") {
                Some(Reconciling::Load(cid)) => asked.push(cid),
                None => {
                    let cid: Cid = asked.swap_remove(choices.below(asked.len()));
                    self.machine.handle_load(&cid, self.store.get(&cid).cloned());
                    self.loads += 1;
                }
                Some(Reconciling::Need(range)) => {
                    assert!(range.count > 0 && range.end() <= MAX_CELLS);
                    let cells = self.cells(range, choices)?;
                    self.machine.handle_cells(&cells);
                }
                Some(Reconciling::Lacking(lacking)) => return Some(lacking),
                Some(Reconciling::GaveUp) => return None,
            }
        }
    }

    /// What is asked for while there are choices left, or anything else; then what is asked for, as far
    /// as there is any.
    fn cells(&mut self, range: CellRange, choices: &mut Choices<'_>) -> Option<Cells> {
        let portion = CellRange { count: range.count.min(1 + choices.below(256)), ..range };
        match choices.byte() % 8 {
            1 => {
                self.honest = false;
                let cells = 1 + choices.below(8);
                let bytes = choices.bytes(Cell::BYTES * cells);
                let first = range.first as u64;
                Cells::from_bytes(1, first, bytes).ok().or_else(|| self.of(portion))
            }
            2 => self.of(CellRange { first: choices.below(CELLS), ..portion }),
            3 => Cells::of(&self.sketch, 2, portion),
            4..=7 => self.of(portion),
            _ => self.of(range),
        }
    }

    fn of(&self, range: CellRange) -> Option<Cells> {
        Cells::of(&self.sketch, 1, range)
    }

    fn check(&self, lacking: &Lacking) {
        let reached = breadth_first(&[self.root], &self.store);
        let missing = reached.iter().filter(|cid| !self.held.contains(cid));
        assert!(missing.into_iter().all(|cid| lacking.contains(cid)), "what is missing is known");
        let held = reached.iter().filter(|cid| self.held.contains(cid));
        assert!(held.into_iter().all(|cid| !lacking.contains(cid)), "and so is what is held");
    }
}
