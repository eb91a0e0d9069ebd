use carpool_bloom::sketch::{Cell, Decoder, Key, Sketch, Symbol};
use std::collections::BTreeSet;

use crate::choices::Choices;

const MOST_CELLS: usize = 64;

/// Cells of any bytes end within as many symbols; those of two sets give their difference, in
/// whatever portions they come, or say that they are too few.
pub fn sketch(data: &[u8]) {
    let mut choices = Choices::new(data);
    if choices.byte() & 1 == 0 {
        any_cells(&mut choices);
    } else {
        two_sets(&mut choices);
    }
}

fn any_cells(choices: &mut Choices<'_>) {
    let mut decoder = Decoder::new();
    while !choices.is_empty() {
        let mut bytes = [0; Cell::BYTES];
        let taken = choices.bytes(Cell::BYTES);
        bytes[..taken.len()].copy_from_slice(taken);
        let cell = Cell::from_bytes(&bytes);
        assert_eq!(cell.to_bytes(), bytes);
        if decoder.handle_cells(&[cell], &[Cell::default()]).is_err() {
            break;
        }
    }
    assert!(decoder.recovered().len() <= decoder.cells());
}

fn two_sets(choices: &mut Choices<'_>) {
    let key = Key::new([choices.byte(); 16]);
    let (cells, step) = (1 + choices.below(MOST_CELLS), 1 + choices.below(MOST_CELLS));
    let mut sketches = [Sketch::new(key, cells), Sketch::new(key, cells)];
    let mut differ = BTreeSet::new();
    while !choices.is_empty() {
        let (side, symbol) = (choices.byte(), key.symbol(choices.bytes(2)));
        for (one, sketch) in sketches.iter_mut().enumerate() {
            if side >> one & 1 == 1 {
                sketch.toggle_symbol(symbol);
                if !differ.remove(&symbol) {
                    differ.insert(symbol);
                }
            }
        }
    }
    let decoder = decoded(&sketches, step);
    if decoder.is_done() {
        let recovered: BTreeSet<Symbol> = decoder.recovered().iter().copied().collect();
        assert_eq!(recovered, differ);
    }
    assert!(decoder.is_done() || !differ.is_empty());
}

fn decoded([theirs, ours]: &[Sketch; 2], step: usize) -> Decoder {
    let mut decoder = Decoder::new();
    for (theirs, ours) in theirs.cells().chunks(step).zip(ours.cells().chunks(step)) {
        decoder.handle_cells(theirs, ours).expect("cells of two sets");
    }
    decoder
}
