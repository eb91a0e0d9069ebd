use alloc::vec::Vec;
use carpool_bloom::sketch::{Cell, Sketch};

use super::{CellRange, MAX_CELLS};
use crate::Error;

/// Some cells of a sink's sketch, as a message carries them.
///
/// Those that do not begin with cell 0 bring it along: it stands for all of the set, so that cells
/// of a set that has changed between two messages are told from those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells {
    number: u64,
    first: usize,
    zeroth: Cell,
    cells: Vec<Cell>,
}

impl Cells {
    /// Those of `range` that the sketch has, under the key of this number; `None` where it has none
    /// of them.
    #[must_use]
    pub fn of(sketch: &Sketch, number: u64, range: CellRange) -> Option<Self> {
        let (all, first) = (sketch.cells(), range.first);
        let cells = all.get(first..range.end().min(all.len())).filter(|cells| !cells.is_empty())?;
        Some(Self { number, first, zeroth: all[0], cells: cells.to_vec() })
    }

    /// The number of the key.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The place of the first cell.
    #[must_use]
    pub const fn first(&self) -> usize {
        self.first
    }

    /// Cell 0 of the sketch.
    #[must_use]
    pub const fn zeroth(&self) -> Cell {
        self.zeroth
    }

    /// The cells, at least one.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells' bytes: [`Cell::BYTES`] each, cell 0 first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let zeroth = (self.first > 0).then_some(self.zeroth);
        zeroth.iter().chain(&self.cells).flat_map(|cell| cell.to_bytes()).collect()
    }

    /// Reads [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`Error::TooManyCells`] where they end beyond [`MAX_CELLS`], [`Error::NoCells`] for bytes that
    /// are no cells or none.
    pub fn from_bytes(number: u64, first: u64, bytes: &[u8]) -> Result<Self, Error> {
        let (cells, rest) = bytes.as_chunks::<{ Cell::BYTES }>();
        let brought = usize::from(first > 0);
        let (end, max) = (first.saturating_add(cells.len() as u64), (MAX_CELLS + brought) as u64);
        if end > max {
            return Err(Error::TooManyCells { cells: end - brought as u64, max: MAX_CELLS as u64 });
        }
        if cells.len() <= brought || !rest.is_empty() {
            return Err(Error::NoCells { bytes: bytes.len() });
        }
        let zeroth = Cell::from_bytes(&cells[0]);
        let cells = cells[brought..].iter().map(Cell::from_bytes).collect();
        let first = usize::try_from(first).unwrap_or(MAX_CELLS);
        Ok(Self { number, first, zeroth, cells })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use carpool_bloom::sketch::Key;

    fn sketch() -> Sketch {
        let mut sketch = Sketch::new(Key::new([3; 16]), 300);
        (0..100_u8).for_each(|i| sketch.toggle(&[i]));
        sketch
    }

    fn range(first: usize, count: usize) -> CellRange {
        CellRange { first, count }
    }

    #[test]
    fn bytes_come_back() {
        let sketch = sketch();
        for (asked, bytes) in [(range(0, 256), 2560), (range(1, 1), 20), (range(256, 768), 450)] {
            let cells = Cells::of(&sketch, 9, asked).expect("there are some");
            let written = cells.to_bytes();
            assert_eq!(written.len(), bytes);
            assert_eq!(Cells::from_bytes(9, asked.first as u64, &written), Ok(cells));
        }
        assert_eq!(Cells::of(&sketch, 9, range(300, 1)), None);
        assert_eq!(Cells::of(&sketch, 9, range(301, 1)), None);
    }

    #[test]
    fn cells_at_the_limit_and_past_it() {
        let (max, bytes) = (MAX_CELLS as u64, |cells: usize| vec![0; cells * Cell::BYTES]);
        let read = |first, cells| Cells::from_bytes(1, first, &bytes(cells)).map(|_| ());
        let too_many = |cells| Err(Error::TooManyCells { cells, max });
        assert_eq!(read(0, MAX_CELLS), Ok(()));
        assert_eq!(read(0, MAX_CELLS + 1), too_many(max + 1));
        assert_eq!(read(max - 1, 2), Ok(()), "cell 0 and the last");
        assert_eq!(read(max - 1, 3), too_many(max + 1));
        assert_eq!(read(u64::MAX, 2), too_many(u64::MAX - 1));
    }

    #[test]
    fn what_is_no_cells_is_refused() {
        for (first, bytes) in [(0, 0), (0, 9), (0, 11), (1, 10), (1, 0), (1, 21)] {
            let read = Cells::from_bytes(1, first, &vec![0; bytes]);
            assert_eq!(read, Err(Error::NoCells { bytes }), "{first}, {bytes}");
        }
    }
}
