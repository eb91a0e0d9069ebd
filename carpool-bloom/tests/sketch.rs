//! Sketches of two sets give their difference, held to a decoder that is slow and obvious.

use std::collections::BTreeSet;

use carpool_bloom::sketch::{Cell, Decoder, Key, Sketch, Symbol};
use proptest::prelude::*;

fn sketch(symbols: &BTreeSet<u64>, cells: usize) -> Sketch {
    let mut sketch = Sketch::new(Key::new([0; 16]), cells);
    symbols.iter().for_each(|symbol| sketch.toggle_symbol(Symbol::new(*symbol)));
    sketch
}

/// Looks at every cell again after every symbol; makes the sketch of one symbol to take it out.
fn reference(mut left: Vec<Cell>) -> (Vec<u64>, bool) {
    let mut found = Vec::new();
    'again: loop {
        for cell in left.clone() {
            let mut sum = [0; 8];
            sum[..6].copy_from_slice(&cell.to_bytes()[..6]);
            let sum = u64::from_le_bytes(sum);
            let mut one = Sketch::new(Key::new([0; 16]), left.len());
            one.toggle_symbol(Symbol::new(sum));
            if one.cells()[0] == cell && cell != Cell::default() {
                left.iter_mut().zip(one.cells()).for_each(|(left, one)| *left ^= *one);
                found.push(sum);
                continue 'again;
            }
        }
        break;
    }
    found.sort_unstable();
    let done = left[0] == Cell::default();
    (found, done)
}

fn decode(theirs: &Sketch, ours: &Sketch, step: usize) -> Decoder {
    let mut decoder = Decoder::new();
    for (theirs, ours) in theirs.cells().chunks(step).zip(ours.cells().chunks(step)) {
        decoder.handle_cells(theirs, ours).expect("cells of two sets");
    }
    decoder
}

proptest! {
    #[test]
    fn the_decoder_finds_what_the_reference_finds(
        common in prop::collection::btree_set(0..1_u64 << 48, 0..60),
        left in prop::collection::btree_set(0..1_u64 << 48, 0..12),
        right in prop::collection::btree_set(0..1_u64 << 48, 0..12),
        cells in 1..64_usize,
        step in 1..64_usize,
    ) {
        let with = |own: &BTreeSet<u64>| -> BTreeSet<u64> { common.union(own).copied().collect() };
        let (left, right) = (with(&left), with(&right));
        let (theirs, ours) = (sketch(&left, cells), sketch(&right, cells));
        let decoder = decode(&theirs, &ours, step);
        let both = theirs.cells().iter().zip(ours.cells()).map(|(a, b)| *a ^ *b).collect();
        let (found, done) = reference(both);
        let mut recovered: Vec<u64> = decoder.recovered().iter().map(|symbol| symbol.get()).collect();
        recovered.sort_unstable();
        prop_assert_eq!(&recovered, &found);
        prop_assert_eq!(decoder.is_done(), done);
        if done {
            let differ: Vec<u64> = left.symmetric_difference(&right).copied().collect();
            prop_assert_eq!(found, differ);
        }
    }

    #[test]
    fn any_bytes_end_within_the_cells_that_were_sent(
        bytes in prop::collection::vec(any::<[u8; Cell::BYTES]>(), 1..200),
    ) {
        let theirs: Vec<Cell> = bytes.iter().map(Cell::from_bytes).collect();
        let mut decoder = Decoder::new();
        let _ = decoder.handle_cells(&theirs, &vec![Cell::default(); theirs.len()]);
        prop_assert!(decoder.recovered().len() <= theirs.len());
    }
}

#[test]
fn equal_sets_differ_in_nothing() {
    let set: BTreeSet<u64> =
        (0..1000).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16).collect();
    let decoder = decode(&sketch(&set, 1), &sketch(&set, 1), 1);
    assert!(decoder.is_done());
    assert_eq!(decoder.recovered(), []);
}

#[test]
fn cells_that_no_set_makes_are_refused() {
    // Every cell claims another symbol; taking one out of all that hold it makes new claims.
    let cells: Vec<Cell> = (0..64_u64)
        .map(|i| {
            let mut one = Sketch::new(Key::new([0; 16]), 1);
            one.toggle_symbol(Symbol::new(i.wrapping_mul(0xd6e8_feb8_6659_fd93) | 1));
            one.cells()[0]
        })
        .collect();
    let mut decoder = Decoder::new();
    let outcome = decoder.handle_cells(&cells, &vec![Cell::default(); cells.len()]);
    assert!(outcome.is_err() || !decoder.is_done());
    assert!(decoder.recovered().len() <= cells.len());
}
