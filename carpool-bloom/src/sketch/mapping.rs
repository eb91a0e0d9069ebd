use super::Symbol;

/// The cells that hold a symbol, in ascending order: cell 0, and cell `i` with a probability within
/// a twentieth of `1 / (1 + i / 2)`.
///
/// The arithmetic is that of IEEE 754 binary64, whose operations and square root are exactly
/// rounded, so that both sides find the same cells on any machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping {
    state: u64,
    cell: u64,
}

/// Of Steele and Vigna, *Computationally easy, spectrally good multipliers*.
const MULTIPLIER: u64 = 0xda94_2042_e4dd_58b5;

impl Mapping {
    pub(super) const fn new(symbol: Symbol) -> Self {
        Self { state: symbol.get() << 16 | 1, cell: 0 }
    }

    #[inline]
    pub(super) fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER);
        let uniform = ((self.state >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64);
        let jump = (self.cell as f64 + 1.5) * (1.0 / libm::sqrt(uniform) - 1.0);
        self.cell = self.cell.saturating_add(up(jump).max(1));
    }

    /// Calls `each` with every cell below `end` from here on.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "`end` is a length in memory")]
    pub(super) fn advance(&mut self, end: u64, mut each: impl FnMut(usize)) {
        while self.cell < end {
            each(self.cell as usize);
            self.step();
        }
    }
}

/// The least integer not below `x`, which is not negative.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and so do cells")]
fn up(x: f64) -> u64 {
    let floor = x as u64;
    floor + u64::from((floor as f64) < x)
}

#[cfg(test)]
mod tests {
    use super::{super::Key, *};
    use alloc::vec;

    #[test]
    fn rounds_up() {
        for (x, expected) in [(0.0, 0), (0.1, 1), (1.0, 1), (1.5, 2), (4e15, 4_000_000_000_000_000)]
        {
            assert_eq!(up(x), expected);
        }
    }

    #[test]
    fn cells_ascend_from_the_first_and_end() {
        for symbol in [0, 1, u64::MAX, 0x8000_0000_0000] {
            let (mut mapping, mut last) = (Mapping::new(Symbol::new(symbol)), None);
            mapping.advance(1 << 40, |cell| {
                assert!(last.map_or(cell == 0, |last| cell > last));
                last = Some(cell);
            });
            assert!(mapping.cell >= 1 << 40);
        }
    }

    #[test]
    fn a_cell_holds_its_share() {
        let mut held = vec![0_u32; 64];
        for symbol in 0..100_000_u64 {
            Mapping::new(Key::new([7; 16]).symbol(&symbol.to_le_bytes()))
                .advance(64, |cell| held[cell] += 1);
        }
        for (cell, held) in held.iter().enumerate() {
            let expected = 100_000.0 / (1.0 + cell as f64 / 2.0);
            let off = (f64::from(*held) - expected).abs();
            assert!(
                off < 0.05 * expected + 5.0 * libm::sqrt(expected),
                "cell {cell}: {held}, {expected}"
            );
        }
    }
}
