//! What the first message of a pull costs that has a sketch, beside one that has none: the walk of the
//! old root is the same. `--nocapture` shows the times, of which none fails a test.

use carpool_bloom::sketch::{Key, Sketch};
use carpool_core::{Cid, CidSet, Limits};
use carpool_mirror::{
    Sink, SinkOutput,
    extension::Request,
    planner::Step,
    sketch::{CellRange, NamedKey},
};
use carpool_store::{BlockStore, LocalOptions, LocalStore, MemoryStore};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::{hint::black_box, time::Instant};

const SHAPE: Shape = Shape { seed: 42, leaves: 1 << 17, leaf_size: 32, fanout: 128 };
const NAMED: NamedKey = NamedKey { number: 1, key: Key::new([7; 16]) };
const RUNS: usize = 5;

/// What a first message took.
struct First {
    request: Box<Request>,
    look_ups: usize,
    seconds: f64,
}

/// Answers the sink's look-ups as the driver does, in batches, up to its first message.
fn first_message(store: &dyn BlockStore, old: Cid, new: Cid, step: Step) -> First {
    let begun = Instant::now();
    let mut sink = Sink::new([new], [old], &Limits::default(), 1).with_plan();
    let (mut loads, mut looks, mut look_ups) = (Vec::new(), Vec::new(), 0);
    loop {
        match sink.poll().expect("what is held parses") {
            Some(SinkOutput::Load(cid)) => loads.push(cid),
            Some(SinkOutput::Has(cid)) => looks.push(cid),
            Some(SinkOutput::Plan(_)) => {
                sink.handle_plan(&[step], true);
                sink.handle_key(NAMED, CellRange::BEGIN);
            }
            Some(SinkOutput::Ask(request)) => {
                return First { request, look_ups, seconds: begun.elapsed().as_secs_f64() };
            }
            None => {
                look_ups += loads.len() + looks.len();
                let data = store.get_many(&loads).expect("it reads");
                loads.drain(..).zip(data).for_each(|(cid, data)| sink.handle_load(&cid, data));
                let held = store.has_many(&looks).expect("it reads");
                looks.drain(..).zip(held).for_each(|(cid, held)| sink.handle_has(&cid, held));
            }
            Some(other) => unreachable!("{other:?} is no first message"),
        }
    }
}

fn milliseconds(mut work: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..RUNS).map(|_| work() * 1e3).collect();
    all.sort_unstable_by(f64::total_cmp);
    all[RUNS / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed().as_secs_f64()
}

/// What a sketch costs that is made, and what it would cost to find out what has to be put into one that
/// was kept and taken out of it: a look at each block.
fn made_and_kept(dag: &Dag, cells: usize) -> (f64, f64) {
    let cids: Vec<Vec<u8>> = dag.blocks.iter().map(|block| block.cid().to_bytes()).collect();
    let mut before = CidSet::with_seed(1);
    for block in &dag.blocks {
        before.insert(block.cid());
    }
    let made = milliseconds(|| {
        timed(|| {
            let mut sketch = Sketch::new(NAMED.key, cells);
            cids.iter().for_each(|cid| sketch.toggle(cid));
            sketch
        })
    });
    let kept =
        milliseconds(|| timed(|| cids.iter().filter(|cid| before.contains_bytes(cid)).count()));
    (made, kept)
}

#[test]
fn a_sketch_asks_for_nothing_that_the_old_root_does_not() {
    let (old, new) = (original(&SHAPE), generate(&SHAPE, &scattered(1, SHAPE.leaves, 50)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let local = LocalStore::open(folder.path(), LocalOptions::default()).expect("a new store");
    let stores: [(&str, &dyn BlockStore); 2] = [("memory", &MemoryStore::new()), ("local", &local)];
    for (name, store) in stores {
        store.put_many(&old.blocks).expect("it takes blocks");
        let [sketch, bitmaps] = [Step::Sketch, Step::Bitmaps].map(|step| {
            let first = first_message(store, old.root, new.root, step);
            let seconds = milliseconds(|| first_message(store, old.root, new.root, step).seconds);
            println!("{name}: {step} after {seconds:.1} ms, {} look-ups", first.look_ups);
            first
        });
        assert_eq!(sketch.request.cells.map(|cells| cells.cells().len()), Some(256));
        assert!(bitmaps.request.cells.is_none() && bitmaps.seconds > 0.0);
        assert_eq!(sketch.look_ups, bitmaps.look_ups);
        assert!(sketch.look_ups >= old.blocks.len(), "leaves are looked for too");
    }
    let (made, kept) = made_and_kept(&old, 1 << 14);
    println!("a sketch of {} blocks: {made:.1} ms; a look at each: {kept:.1} ms", old.blocks.len());
}
