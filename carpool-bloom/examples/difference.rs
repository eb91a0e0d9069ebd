//! How many cells and how much time a difference takes: `cargo run --release -p carpool-bloom
//! --example difference`.

use std::time::Instant;

use carpool_bloom::sketch::{Cell, Decoder, Key, Sketch};

const SEEDS: u64 = 100;

fn main() {
    println!("differences  cells a difference  bytes a difference  decoding, µs a difference");
    for d in [1_u64, 10, 100, 1_000, 10_000, 100_000] {
        let seeds = if d > 10_000 { 10 } else { SEEDS };
        let (mut cells, mut times) = (0, Vec::new());
        for seed in 0..seeds {
            let sketch = sketch(seed, d);
            let needed = needed(&sketch);
            cells += needed;
            times.push(seconds(&sketch, needed) * 1e6 / d as f64);
        }
        times.sort_by(f64::total_cmp);
        let each = cells as f64 / (seeds * d) as f64;
        let median = times[times.len() / 2];
        println!("{d:>11}  {each:>18.3}  {:>18.2}  {median:>14.3}", each * Cell::BYTES as f64);
    }
}

/// What is left of two sketches of sets that differ in `d` CIDs once they are put together.
fn sketch(seed: u64, d: u64) -> Sketch {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut sketch = Sketch::new(Key::new(key), usize::try_from(2 * d + 40).expect("in memory"));
    (0..d).for_each(|cid| sketch.toggle(&cid.to_le_bytes()));
    sketch
}

/// The fewest cells that decode: more never decode less, so halving finds it.
fn needed(sketch: &Sketch) -> usize {
    let (mut low, mut high) = (0, sketch.cells().len());
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if decodes(&sketch.cells()[..middle]) { high = middle } else { low = middle }
    }
    high
}

fn decodes(cells: &[Cell]) -> bool {
    let mut decoder = Decoder::new();
    decoder.handle_cells(cells, &vec![Cell::default(); cells.len()]).is_ok() && decoder.is_done()
}

fn seconds(sketch: &Sketch, cells: usize) -> f64 {
    let (theirs, ours) = (&sketch.cells()[..cells], vec![Cell::default(); cells]);
    let begin = Instant::now();
    let mut decoder = Decoder::new();
    decoder.handle_cells(theirs, &ours).expect("cells of two sets");
    assert!(decoder.is_done());
    begin.elapsed().as_secs_f64()
}
