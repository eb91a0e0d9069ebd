//! Transfers by sketch, of honest sinks and of those that say anything: the honest ones get what they
//! lack and nothing else; for the others messages and rounds are bounded, and with a filter it goes
//! on. Whatever is said, the sink ends with all of the DAG.

mod common;

use carpool_bloom::sketch::{Cell as OfSketch, Key, Sketch};
use carpool_core::{Block, Cid};
use carpool_mirror::{
    extension::Request,
    planner::Step,
    sketch::{CellRange, Cells, MAX_CELLS, MAX_MESSAGES},
};
use common::{blocks, missing, tree};
use sim::{
    Direction, End, Pair, Report, Setup,
    dag::{Dag, Shape, chain, generate, hamt, mix, original, scattered},
    link::Cut,
    reference,
};
use std::{cell::Cell, collections::BTreeSet, rc::Rc};

const STEPS: usize = 1_000_000;
/// The number and the key of the simulated sources.
const NUMBER: u64 = 1;
const KEY: Key = Key::new([7; 16]);

/// What a sink sends in place of its cells.
type Says = fn(&Dag, &Dag, &Cells, u64) -> Option<Cells>;

fn setups() -> [Setup; 2] {
    let steps = vec![Step::Sketch, Step::Filter];
    let pull = Setup { steps, ..Setup::pull() };
    let (direction, order) = (Direction::Push, Setup::push().order);
    [pull.clone(), Setup { direction, order, cold_call_bytes: 1, ..pull }]
}

/// Transfers `new` to who holds `old`, and says that of it; how many messages had cells.
fn transfer(setup: &Setup, new: &Dag, old: &Dag, says: Says) -> (Report, u64) {
    let setup = Setup { seeds: vec![old.root], ..setup.clone() };
    let (source, held) = (blocks(new), blocks(old));
    let messages = Rc::new(Cell::new(0));
    let (new_too, old_too, count) = (new.clone(), old.clone(), Rc::clone(&messages));
    let meddle = move |request: &mut Request| {
        if let Some(cells) = &request.cells {
            count.set(count.get() + 1);
            request.cells = says(&new_too, &old_too, cells, count.get());
        }
    };
    let (from, to) = (source.clone().into(), held.clone().into());
    let mut pair = Pair::with_meddling(&setup, new.root, from, to, meddle);
    let report = pair.drive(STEPS).expect("a transfer ends");
    let expected = reference::expected(new.root, &source, &held);
    assert!(pair.sink_store().blocks().keys().eq(&expected.held), "{report:?}");
    assert_eq!(report.end, End::Complete);
    (report, messages.get())
}

const HONEST: Says = |_, _, cells, _| Some(cells.clone());

fn sketch<'a>(key: Key, held: impl IntoIterator<Item = &'a Block>) -> Sketch {
    let mut sketch = Sketch::new(key, MAX_CELLS);
    let cids: BTreeSet<Cid> = held.into_iter().map(|block| *block.cid()).collect();
    cids.iter().for_each(|cid| sketch.toggle(&cid.to_bytes()));
    sketch
}

fn range(cells: &Cells) -> CellRange {
    CellRange { first: cells.first(), count: cells.cells().len() }
}

fn versions() -> [(Dag, Dag); 4] {
    let shape = Shape { seed: 3, leaves: 10_000, leaf_size: 30, fanout: 12 };
    let changed = |n| scattered(shape.seed, shape.leaves, n);
    [
        (generate(&shape, &changed(40)), original(&shape)),
        (generate(&shape, &changed(100)), original(&shape)),
        (hamt(&shape, &changed(40)), hamt(&shape, &BTreeSet::new())),
        (chain(1, 900, 20), chain(1, 860, 20)),
    ]
}

/// Rounds of whatever a sink says: its messages of cells, and then those of a transfer by filter.
const ROUNDS: u32 = MAX_MESSAGES + 14;

/// Says it in both directions and of each of these versions.
fn survives(versions: &[(Dag, Dag)], says: Says) {
    for (setup, (new, old)) in
        setups().iter().flat_map(|setup| versions.iter().map(move |v| (setup, v)))
    {
        let (report, messages) = transfer(setup, new, old, says);
        assert!(report.rounds <= ROUNDS, "{:?}: {report:?}", setup.direction);
        assert!((1..=u64::from(MAX_MESSAGES)).contains(&messages), "{messages}: {report:?}");
    }
}

#[test]
fn what_is_missing_comes_at_once_and_nothing_else() {
    for (setup, (new, old)) in setups().iter().flat_map(|s| versions().map(|v| (s, v))) {
        let (report, messages) = transfer(setup, &new, &old, HONEST);
        let (lacking, _) = missing(&new, &blocks(&old));
        assert_eq!((report.blocks_sent, report.duplicates), (lacking, 0), "{report:?}");
        assert!(report.rounds <= 4 && report.refusals == 0, "{:?}: {report:?}", setup.direction);
        let rounds = messages + u64::from(setup.direction == Direction::Push);
        assert!(messages > 0 && rounds == report.rounds.into(), "{messages}: {report:?}");
    }
}

#[test]
fn a_server_that_forgets_is_sent_all_cells_again() {
    let (new, old) = &versions()[1];
    let [pull, _] = setups();
    let (kept, _) = transfer(&pull, new, old, HONEST);
    let (lost, _) = transfer(&Setup { forgets: true, ..pull }, new, old, HONEST);
    assert_eq!(lost.blocks_sent, kept.blocks_sent);
    assert!(lost.rounds > kept.rounds && lost.rounds <= kept.rounds + 2, "{kept:?}, {lost:?}");
}

/// Cells of noise, under the right number and in the right place, without end.
#[test]
fn endless_noise_is_given_up() {
    survives(&versions()[..1], |_, _, cells, nth| {
        let noise = (0..cells.cells().len() as u64).flat_map(|i| {
            let [a, b] = [mix(nth << 32 | i), mix(i)].map(u64::to_le_bytes);
            [&a[..], &b[..2]].concat()
        });
        let zeroth = if cells.first() > 0 { vec![0; OfSketch::BYTES] } else { vec![] };
        let bytes: Vec<u8> = zeroth.into_iter().chain(noise).collect();
        Some(Cells::from_bytes(NUMBER, cells.first() as u64, &bytes).expect("cells"))
    });
}

#[test]
fn one_cell_in_a_message_is_given_up() {
    survives(&versions()[..1], |_, old, cells, _| {
        let one = CellRange { first: cells.first(), count: 1 };
        Cells::of(&sketch(KEY, &old.blocks), NUMBER, one)
    });
}

#[test]
fn each_message_of_another_set_is_given_up() {
    survives(&versions()[..2], |_, old, cells, nth| {
        let mut other = sketch(KEY, &old.blocks);
        other.toggle(&nth.to_le_bytes());
        Cells::of(&other, NUMBER, range(cells))
    });
}

/// Symbols under a key that the source did not draw, or a number that it does not know.
#[test]
fn a_wrong_key_costs_nothing_but_time() {
    let wrong: Says =
        |_, old, cells, _| Cells::of(&sketch(Key::new([6; 16]), &old.blocks), NUMBER, range(cells));
    survives(&versions()[..1], wrong);
    let unknown: Says =
        |_, old, cells, _| Cells::of(&sketch(KEY, &old.blocks), NUMBER + 1, range(cells));
    survives(&versions()[..1], unknown);
}

/// The sink holds the old version, and says that it holds all of the new, or half of it: it has to ask
/// for what it did not get.
#[test]
fn cells_of_another_set_cost_rounds_and_no_block() {
    fn claims(every: usize, new: &Dag, cells: &Cells) -> Option<Cells> {
        let claimed = new.blocks.iter().enumerate().filter(|(i, _)| i % every == 0);
        let poisoned = sketch(KEY, claimed.map(|(_, block)| block));
        Cells::of(&poisoned, NUMBER, range(cells))
    }
    survives(&versions(), |new, _, cells, _| claims(1, new, cells));
    survives(&versions(), |new, _, cells, _| claims(2, new, cells));
    survives(&versions(), |new, _, cells, _| claims(7, new, cells));
}

/// The first cell is what the source has itself, so that it seems to be done before anything is found.
#[test]
fn a_forged_first_cell_hides_blocks_until_they_are_asked_for() {
    survives(&versions()[..2], |new, old, cells, _| {
        let mut bytes = Cells::of(&sketch(KEY, &old.blocks), NUMBER, range(cells))?.to_bytes();
        bytes[..OfSketch::BYTES].copy_from_slice(&sketch(KEY, &new.blocks).cells()[0].to_bytes());
        Cells::from_bytes(NUMBER, cells.first() as u64, &bytes).ok()
    });
}

/// A sink that says which cells it has and sends none.
#[test]
fn cells_that_are_left_out_are_as_no_cells() {
    survives(&versions()[..2], |_, _, _, _| None);
}

/// Bodies that end too early, or look as if they ended, and messages that do not arrive.
#[test]
fn cut_anywhere_it_goes_on() {
    let dag = tree();
    let old = Dag { root: *dag.blocks[400].cid(), blocks: dag.blocks[400..].to_vec() };
    for setup in setups() {
        for at in [0, 1, 100, 1_000, 2_600, 30_000, 200_000] {
            let broken = vec![Cut::Never, Cut::Broken(at)];
            for (cuts, status_cuts) in [
                (vec![Cut::Broken(at)], vec![]),
                (vec![Cut::Clean(at)], vec![]),
                (vec![], vec![Cut::Broken(at)]),
                (broken.clone(), broken),
            ] {
                let setup = Setup { status_cuts, cuts, ..setup.clone() };
                transfer(&setup, &dag, &old, HONEST);
            }
        }
    }
}
