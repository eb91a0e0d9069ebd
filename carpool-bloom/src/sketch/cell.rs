use alloc::{vec, vec::Vec};
use core::ops::{BitXor, BitXorAssign};

use super::{Key, Symbol, mapping::Mapping};

/// One coded symbol: the exclusive or of the symbols it holds, and of their checks.
///
/// There is no count. The check tells a cell of one symbol from others, and whose the symbol is the
/// decoding side finds out by looking it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    sum: u64,
    check: u32,
}

impl Cell {
    /// Bytes of an encoded cell.
    pub const BYTES: usize = Symbol::BYTES + 4;

    #[inline]
    pub(super) fn of(symbol: Symbol) -> Self {
        Self { sum: symbol.get(), check: check(symbol) }
    }

    /// The symbol of a cell that holds one.
    #[inline]
    pub(super) fn single(self) -> Option<Symbol> {
        let symbol = Symbol::new(self.sum);
        (check(symbol) == self.check && !self.is_empty()).then_some(symbol)
    }

    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.sum == 0 && self.check == 0
    }

    /// The wire form: six bytes of the sum, four of the check, both little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (sum, check) = bytes.split_at_mut(Symbol::BYTES);
        sum.copy_from_slice(&self.sum.to_le_bytes()[..Symbol::BYTES]);
        check.copy_from_slice(&self.check.to_le_bytes());
        bytes
    }

    /// Reads the wire form; any ten bytes are one.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, check @ ..] = *bytes;
        let sum = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        Self { sum, check: u32::from_le_bytes(check) }
    }
}

/// Not linear over exclusive or, so that a cell of several symbols passes for one of one with
/// probability 2^-32. Symbols are secret already, so this need not be.
#[inline]
const fn check(symbol: Symbol) -> u32 {
    let mut x = symbol.get() ^ 0x9e37_79b9_7f4a_7c15;
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (x >> 32) as u32
}

impl BitXorAssign for Cell {
    #[inline]
    fn bitxor_assign(&mut self, other: Self) {
        self.sum ^= other.sum;
        self.check ^= other.check;
    }
}

impl BitXor for Cell {
    type Output = Self;

    #[inline]
    fn bitxor(mut self, other: Self) -> Self {
        self ^= other;
        self
    }
}

/// The first cells of a set under one key.
///
/// A sketch is linear: [`toggle`](Self::toggle) puts a symbol in that is not there and takes out one
/// that is, in time that grows with the logarithm of the number of cells, so whoever keeps one for a
/// peer's key updates it block by block and answers from it at no cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    key: Key,
    cells: Vec<Cell>,
}

impl Sketch {
    /// The sketch of the empty set, of this many cells: about 1.4 for each difference that it has to
    /// tell, and more below some dozens.
    #[must_use]
    pub fn new(key: Key, cells: usize) -> Self {
        Self { key, cells: vec![Cell::default(); cells] }
    }

    /// The key that made the symbols.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// All cells. Those of a smaller sketch of the same set are the first of them.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Puts a binary CID in, or takes it out.
    pub fn toggle(&mut self, cid: &[u8]) {
        self.toggle_symbol(self.key.symbol(cid));
    }

    /// As [`toggle`](Self::toggle), where the symbol is known.
    pub fn toggle_symbol(&mut self, symbol: Symbol) {
        let (one, end) = (Cell::of(symbol), self.cells.len() as u64);
        let cells = &mut self.cells;
        Mapping::new(symbol).advance(end, |cell| cells[cell] ^= one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_little_endian_and_come_back() {
        let cell = Cell { sum: 0x0304_0506_0708, check: 0x090a_0b0c };
        assert_eq!(cell.to_bytes(), [8, 7, 6, 5, 4, 3, 0x0c, 0x0b, 0x0a, 9]);
        assert_eq!(Cell::from_bytes(&cell.to_bytes()), cell);
    }

    #[test]
    fn only_cells_of_one_symbol_are_single() {
        let [a, b, c] = [11, 22, 33].map(Symbol::new);
        assert_eq!(Cell::default().single(), None);
        assert_eq!(Cell::of(a).single(), Some(a));
        assert_eq!((Cell::of(a) ^ Cell::of(b)).single(), None);
        assert_eq!((Cell::of(a) ^ Cell::of(b) ^ Cell::of(c)).single(), None);
    }

    #[test]
    fn what_is_toggled_twice_is_not_there() {
        let mut sketch = Sketch::new(Key::new([1; 16]), 32);
        sketch.toggle(b"cid");
        assert_ne!(sketch, Sketch::new(Key::new([1; 16]), 32));
        sketch.toggle(b"cid");
        assert_eq!(sketch, Sketch::new(Key::new([1; 16]), 32));
    }

    #[test]
    fn a_smaller_sketch_is_the_beginning_of_a_larger() {
        let [mut small, mut large] = [10, 100].map(|cells| Sketch::new(Key::new([1; 16]), cells));
        for i in 0..50_u8 {
            small.toggle(&[i]);
            large.toggle(&[i]);
        }
        assert_eq!(small.cells(), &large.cells()[..10]);
    }
}
