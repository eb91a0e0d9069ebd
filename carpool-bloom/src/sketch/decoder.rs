use alloc::vec::Vec;

use super::{Cell, Symbol, mapping::Mapping};
use crate::Error;

/// Finds the symbols in which two sets differ, out of the cells of both.
///
/// Hand in cells in order, from the first, until [`is_done`](Self::is_done). As long as it is not,
/// more cells help; how many it takes is 1.35 to 1.4 a difference beyond some hundreds, up to 2 below.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// What differs and is not recovered yet.
    cells: Vec<Cell>,
    recovered: Vec<Symbol>,
    /// Where each recovered symbol goes on beyond the cells that there are.
    ahead: Vec<Mapping>,
    /// Cells that may hold one symbol.
    look: Vec<usize>,
}

impl Decoder {
    /// A decoder that has seen no cells.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next cells of both sets: as many of `theirs` as of `ours`; the shorter slice
    /// counts. Costs a look at every symbol recovered so far, so hand in a share of what came before
    /// rather than one by one.
    ///
    /// # Errors
    /// [`Error::PeerCells`] once more symbols came out than there are cells, which no two sets make. That
    /// bounds the work to the cells that were sent.
    pub fn handle_cells(&mut self, theirs: &[Cell], ours: &[Cell]) -> Result<(), Error> {
        let begin = self.cells.len();
        self.cells.extend(theirs.iter().zip(ours).map(|(theirs, ours)| *theirs ^ *ours));
        let end = self.cells.len() as u64;
        let cells = &mut self.cells;
        for (mapping, symbol) in self.ahead.iter_mut().zip(&self.recovered) {
            mapping.advance(end, |cell| cells[cell] ^= Cell::of(*symbol));
        }
        self.look.extend(begin..self.cells.len());
        self.peel()
    }

    fn peel(&mut self) -> Result<(), Error> {
        while let Some(cell) = self.look.pop() {
            let Some(symbol) = self.cells[cell].single() else { continue };
            if self.recovered.len() == self.cells.len() {
                return Err(Error::PeerCells { cells: self.cells.len() });
            }
            self.recover(symbol);
        }
        Ok(())
    }

    fn recover(&mut self, symbol: Symbol) {
        let Self { cells, look, .. } = self;
        let (one, mut mapping, end) = (Cell::of(symbol), Mapping::new(symbol), cells.len() as u64);
        mapping.advance(end, |cell| {
            cells[cell] ^= one;
            if cells[cell].single().is_some() {
                look.push(cell);
            }
        });
        self.recovered.push(symbol);
        self.ahead.push(mapping);
    }

    /// Whether all differences are known. Every symbol is in the first cell, so it is empty then.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.cells.first().is_some_and(|first| first.is_empty())
    }

    /// Cells handed in so far.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// What differs, as far as it is known, in the order of recovery. Which side holds a symbol is
    /// not said: look it up among one's own.
    #[must_use]
    pub fn recovered(&self) -> &[Symbol] {
        &self.recovered
    }
}
