//! Pulls by sketch, of honest sinks and of those that say anything: the honest ones get what they lack
//! and nothing else; for the others work and messages are bounded, and with a filter it goes on.

mod common;

use carpool_bloom::sketch::{Cell, Key, Sketch};
use carpool_core::{Block, Cid, CidList, Limits};
use carpool_mirror::{
    Sink, SinkOutput, Source, SourceOutput, Status,
    extension::{Asked, Scope},
    sketch::{
        CellRange, Cells, Lacking, MAX_CELLS, MAX_MESSAGES, NamedKey, Reconciliation, Reconciling,
    },
};
use carpool_selector::Order;
use common::{blocks, tree};
use sim::{
    Blocks,
    dag::{Dag, Shape, chain, generate, hamt, mix, original, scattered},
    reference,
};
use std::collections::BTreeSet;

const NAMED: NamedKey = NamedKey { number: 77, key: Key::new([5; 16]) };

/// What a sink sends in place of the cells of a range that it was asked for.
type Says<'a> = dyn FnMut(&Sketch, CellRange) -> Option<Cells> + 'a;

fn honest(sketch: &Sketch, range: CellRange) -> Option<Cells> {
    Cells::of(sketch, NAMED.number, range)
}

/// A message of nothing but wants.
fn asked(want: CidList) -> Asked {
    let (root, held, have, scope) = (None, Vec::new(), None, Scope::All);
    Asked { root, want, held, have, scope, links: None, session: None, cells: None }
}

/// What a pull took.
#[derive(Debug, Default)]
struct Took {
    rounds: usize,
    messages: u32,
    cells: usize,
    /// Look-ups for the source's sketch.
    loads: usize,
    sent: usize,
    duplicates: usize,
    gave_up: bool,
    complete: bool,
}

struct Pull<'a> {
    root: Cid,
    source: &'a Blocks,
    held: Blocks,
    sink: Sink,
    took: Took,
}

impl<'a> Pull<'a> {
    fn new(root: Cid, old: Option<Cid>, source: &'a Blocks, held: &Blocks) -> Self {
        let sink = Sink::new([root], old, &Limits::default(), 0);
        Self { root, source, held: held.clone(), sink, took: Took::default() }
    }

    fn run(mut self, says: &mut Says<'_>) -> (Took, Blocks) {
        let mut sketches = true;
        while let SinkOutput::Transmit(status) = self.settle() {
            let lacking = if sketches { self.reconcile(says) } else { None };
            self.took.gave_up |= sketches && lacking.is_none();
            sketches = false;
            self.round(status, lacking);
            self.took.rounds += 1;
            assert!(self.took.rounds < 20, "{:?}", self.took);
        }
        self.took.complete = self.sink.is_complete();
        (self.took, self.held)
    }

    fn settle(&mut self) -> SinkOutput {
        loop {
            match self.sink.poll().expect("blocks parse").expect("look-ups are answered") {
                SinkOutput::Load(cid) => {
                    self.sink.handle_load(&cid, self.held.get(&cid).cloned());
                }
                SinkOutput::Has(cid) => self.sink.handle_has(&cid, self.held.contains_key(&cid)),
                SinkOutput::Store(block) => self.held.extend([block.into_parts()]),
                output => return output,
            }
        }
    }

    fn reconcile(&mut self, says: &mut Says<'_>) -> Option<Lacking> {
        let mut sketch = Sketch::new(NAMED.key, MAX_CELLS);
        self.sink.for_each_held(&mut |cid| sketch.toggle(cid));
        let mut machine = Reconciliation::new(NAMED, self.root, &Limits::default(), 0);
        loop {
            match machine.poll().expect("blocks parse").expect("look-ups are answered") {
                Reconciling::Load(cid) => {
                    self.took.loads += 1;
                    machine.handle_load(&cid, self.source.get(&cid).cloned());
                }
                Reconciling::Need(_) if self.took.messages >= MAX_MESSAGES => return None,
                Reconciling::Need(range) => {
                    let cells = says(&sketch, range)?;
                    self.took.messages += 1;
                    self.took.cells += cells.cells().len();
                    machine.handle_cells(&cells);
                }
                Reconciling::Lacking(lacking) => return Some(lacking),
                Reconciling::GaveUp => return None,
            }
        }
    }

    /// By what is lacking, or else by the filter.
    fn round(&mut self, Status { want, have }: Status, lacking: Option<Lacking>) {
        let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
        let mut list = CidList::with_seed(0);
        want.iter().for_each(|cid| {
            list.push(cid);
        });
        match lacking {
            Some(lacking) => source.handle_reconciled(asked(list), lacking).expect("few wants"),
            None => source.handle_request(list, have).expect("few wants"),
        }
        loop {
            match source.poll().expect("blocks parse").expect("look-ups are answered") {
                SourceOutput::Load(cid) => source.handle_load(&cid, self.source.get(&cid).cloned()),
                SourceOutput::Transmit(block) => self.take(block),
                SourceOutput::Missing(_) => {}
                SourceOutput::EndRound => break,
            }
        }
        self.sink.handle_end_round();
    }

    fn take(&mut self, block: Block) {
        self.took.sent += 1;
        self.took.duplicates += usize::from(self.held.contains_key(block.cid()));
        self.sink.handle_block(block).expect("blocks parse");
        while let Some(output) = self.sink.poll().expect("blocks parse") {
            match output {
                SinkOutput::Load(cid) => {
                    self.sink.handle_load(&cid, self.held.get(&cid).cloned());
                }
                SinkOutput::Has(cid) => self.sink.handle_has(&cid, self.held.contains_key(&cid)),
                SinkOutput::Store(block) => self.held.extend([block.into_parts()]),
                _ => unreachable!("the round is open"),
            }
        }
    }
}

/// Pulls `new` to who holds `old`, and holds the end to the reference.
fn pull(new: &Dag, old: &Dag, says: &mut Says<'_>) -> Took {
    let (source, held) = (blocks(new), blocks(old));
    let (took, now) = Pull::new(new.root, Some(old.root), &source, &held).run(says);
    let expected = reference::expected(new.root, &source, &held);
    assert!(now.keys().eq(&expected.held), "{took:?}");
    assert!(took.complete && took.loads <= new.blocks.len(), "{took:?}");
    took
}

fn missing(new: &Dag, old: &Dag) -> usize {
    let held = blocks(old);
    blocks(new).keys().filter(|cid| !held.contains_key(cid)).count()
}

fn versions() -> [(Dag, Dag); 4] {
    let shape = Shape { seed: 3, leaves: 3000, leaf_size: 30, fanout: 12 };
    let changed = |n| scattered(shape.seed, shape.leaves, n);
    [
        (generate(&shape, &changed(40)), original(&shape)),
        (generate(&shape, &changed(900)), original(&shape)),
        (hamt(&shape, &changed(40)), hamt(&shape, &BTreeSet::new())),
        (chain(1, 900, 20), chain(1, 860, 20)),
    ]
}

#[test]
fn what_is_missing_comes_in_one_round_and_nothing_else() {
    for (new, old) in versions() {
        let missing = missing(&new, &old);
        let took = pull(&new, &old, &mut honest);
        assert_eq!((took.rounds, took.sent, took.duplicates), (1, missing, 0), "{took:?}");
        assert!(took.messages <= 3 && !took.gave_up, "{took:?}");
    }
}

#[test]
fn a_sink_that_refuses_more_cells_goes_on_with_a_filter() {
    let (new, old) = &versions()[1];
    let took =
        pull(new, old, &mut |sketch, range| honest(sketch, range).filter(|_| range.first == 0));
    assert!(took.gave_up && took.messages == 1, "{took:?}");
}

/// Cells of noise, under the right number and in the right place, without end.
#[test]
fn endless_noise_is_given_up() {
    let (new, old) = &versions()[0];
    let mut n = 0;
    let took = pull(new, old, &mut |_, range| {
        n += 1;
        let noise = (0..range.count as u64).flat_map(|i| {
            let [a, b] = [mix(n << 32 | i), mix(i)].map(u64::to_le_bytes);
            [&a[..], &b[..2]].concat()
        });
        let zeroth = if range.first > 0 { vec![0; Cell::BYTES] } else { vec![] };
        let bytes: Vec<u8> = zeroth.into_iter().chain(noise).collect();
        Some(Cells::from_bytes(NAMED.number, range.first as u64, &bytes).expect("cells"))
    });
    assert!(took.gave_up && took.messages <= MAX_MESSAGES, "{took:?}");
}

/// One cell for each message, and each of another set.
#[test]
fn cells_by_drops_are_given_up() {
    let (new, old) = &versions()[0];
    let took = pull(new, old, &mut |sketch, range| honest(sketch, CellRange { count: 1, ..range }));
    assert!(took.gave_up && took.messages == MAX_MESSAGES, "{took:?}");
    let mut n = 0;
    let took = pull(new, old, &mut |sketch, range| {
        let mut other = sketch.clone();
        n += 1;
        other.toggle(&[n]);
        honest(&other, range)
    });
    assert!(took.messages <= MAX_MESSAGES, "{took:?}");
}

/// Symbols under the key that the sink was told of a minute ago, or that it made up.
#[test]
fn a_wrong_key_finds_nothing_and_costs_nothing_but_time() {
    let (new, old) = &versions()[0];
    let mut wrong = Sketch::new(Key::new([6; 16]), MAX_CELLS);
    blocks(old).keys().for_each(|cid| wrong.toggle(&cid.to_bytes()));
    let took = pull(new, old, &mut |_, range| honest(&wrong, range));
    assert!(took.messages <= MAX_MESSAGES, "{took:?}");
    let took = pull(new, old, &mut |sketch, range| Cells::of(sketch, NAMED.number + 1, range));
    assert!(took.gave_up && took.messages == MAX_MESSAGES, "{took:?}");
}

/// The sink holds the old version, and says that it holds all of the new, or half of it: it has to ask for
/// what it did not get.
#[test]
fn cells_of_another_set_cost_rounds_and_no_block() {
    for (new, old) in versions() {
        for every in [1, 2, 7] {
            let mut poisoned = Sketch::new(NAMED.key, MAX_CELLS);
            let claimed = new.blocks.iter().enumerate().filter(|(i, _)| i % every == 0);
            claimed.for_each(|(_, block)| poisoned.toggle(&block.cid().to_bytes()));
            let took = pull(&new, &old, &mut |_, range| honest(&poisoned, range));
            assert!(took.rounds <= 12, "{took:?}");
        }
    }
}

/// Symbols that cancel what the source has: each block that the sink lacks is put in a second time as another
/// set would have it, so that the first cell is empty at once.
#[test]
fn a_first_cell_that_is_forged_hides_blocks_until_they_are_asked_for() {
    let (new, old) = &versions()[0];
    let mut ours = Sketch::new(NAMED.key, MAX_CELLS);
    new.blocks.iter().map(Block::cid).collect::<BTreeSet<_>>().iter().for_each(|cid| {
        ours.toggle(&cid.to_bytes());
    });
    let took = pull(new, old, &mut |sketch, range| {
        let mut bytes = honest(sketch, range)?.to_bytes();
        bytes[..Cell::BYTES].copy_from_slice(&ours.cells()[0].to_bytes());
        Cells::from_bytes(NAMED.number, range.first as u64, &bytes).ok()
    });
    assert!(took.rounds <= 12, "{took:?}");
}

/// A sink that was cut holds parents without their children.
#[test]
fn after_a_cut_it_goes_on() {
    let dag = tree();
    for kept in [1, 2, 40, 300, dag.blocks.len() - 1] {
        let held: Blocks = dag.blocks[..kept].iter().cloned().map(Block::into_parts).collect();
        let source = blocks(&dag);
        let (took, now) = Pull::new(dag.root, None, &source, &held).run(&mut honest);
        assert!(now.keys().eq(source.keys()), "{took:?}");
        assert_eq!((took.rounds, took.duplicates), (1, 0), "{kept}: {took:?}");
    }
}
