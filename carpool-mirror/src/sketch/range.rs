use alloc::{format, string::String};

use super::{FIRST_CELLS, GROWTH, MAX_CELLS};

/// Which cells a source asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellRange {
    /// The first of them.
    pub first: usize,
    /// How many; the sink may send fewer, and none where something else is cheaper.
    pub count: usize,
}

impl CellRange {
    /// The cells of a first message.
    pub const BEGIN: Self = Self { first: 0, count: FIRST_CELLS };

    /// What to ask for after `cells` cells; `None` at the limit.
    pub(super) fn after(cells: usize) -> Option<Self> {
        let all = (cells * GROWTH).clamp(FIRST_CELLS, MAX_CELLS);
        (all > cells).then(|| Self { first: cells, count: all - cells })
    }

    /// The end of the range.
    #[must_use]
    pub const fn end(self) -> usize {
        self.first + self.count
    }

    /// The text form: both numbers with a full stop between them.
    #[must_use]
    pub fn encode(self) -> String {
        format!("{}.{}", self.first, self.count)
    }

    /// Reads the text form; `None` for what is none, for no cells and beyond [`MAX_CELLS`].
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (first, count) = text.split_once('.')?;
        let number = |digits: &str| {
            let plain = digits.bytes().all(|c| c.is_ascii_digit());
            plain.then(|| digits.parse().ok())?.filter(|n| *n <= MAX_CELLS)
        };
        let range = Self { first: number(first)?, count: number(count)? };
        (range.count > 0 && range.end() <= MAX_CELLS).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_makes_them_four_times_as_many() {
        let (mut cells, mut ends) = (0, alloc::vec![]);
        while let Some(range) = CellRange::after(cells) {
            assert_eq!(range.first, cells);
            cells = range.end();
            ends.push(cells);
        }
        assert_eq!(ends, [256, 1024, 4096, 16384, 65536]);
        assert_eq!(CellRange::after(0), Some(CellRange::BEGIN));
        assert_eq!(CellRange::after(3).map(CellRange::end), Some(256), "fewer came than asked for");
    }

    #[test]
    fn text_at_the_limits_and_past_them() {
        let table = [
            ("0.256", Some((0, 256))),
            ("256.768", Some((256, 768))),
            ("65535.1", Some((65535, 1))),
            ("65535.2", None),
            ("65536.0", None),
            ("0.65536", Some((0, 65536))),
            ("0.65537", None),
            ("0.18446744073709551616", None),
            ("+1.2", None),
            (".5", None),
            ("5", None),
        ];
        for (text, expected) in table {
            let read = CellRange::decode(text);
            assert_eq!(read.map(|range| (range.first, range.count)), expected, "{text}");
            if let Some(range) = read {
                assert_eq!(range.encode(), text);
            }
        }
    }
}
