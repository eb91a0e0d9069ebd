use carpool_bloom::sketch::{Cell, Sketch};

use crate::sketch::{CellRange, Cells, FIRST_CELLS, MAX_CELLS, MAX_MESSAGES, NamedKey};

/// Where a sink stands that sends cells of its sketch.
#[derive(Debug)]
pub(crate) struct Sketching {
    named: NamedKey,
    /// What the next message is to have.
    range: CellRange,
    /// Of all that is held, once it is made; the set stays the same until blocks come.
    sketch: Option<Sketch>,
    /// Cells that are worth sending.
    most: usize,
    messages: u32,
}

impl Sketching {
    pub(crate) const fn new(named: NamedKey, range: CellRange) -> Self {
        Self { named, range, sketch: None, most: 0, messages: 0 }
    }

    pub(crate) const fn named(&self) -> &NamedKey {
        &self.named
    }

    /// What is to be sent next; `false` where that is no use any more.
    pub(crate) fn need(&mut self, range: CellRange) -> bool {
        self.range = range;
        self.messages < MAX_MESSAGES
    }

    /// Says that the set is another now.
    pub(crate) fn begin_anew(&mut self) {
        (self.sketch, self.range) = (None, CellRange::BEGIN);
    }

    /// Whether any cells were sent.
    pub(crate) const fn has_spoken(&self) -> bool {
        self.messages > 0
    }

    pub(crate) const fn is_made(&self) -> bool {
        self.sketch.is_some()
    }

    /// Takes the sketch of all that is held, of which `most` cells are worth sending.
    pub(crate) fn make(&mut self, sketch: Sketch, most: usize) {
        (self.sketch, self.most) = (Some(sketch), most);
    }

    /// The same under another key, for a source that has lost the first.
    pub(crate) fn under(&self, named: NamedKey, range: CellRange) -> Self {
        Self { messages: self.messages, ..Self::new(named, range) }
    }

    /// The next message's cells; `None` where they are not worth it.
    pub(crate) fn cells(&mut self) -> Option<Cells> {
        self.messages += 1;
        let sketch = self.sketch.as_ref().filter(|_| self.range.end() <= self.most)?;
        Cells::of(sketch, self.named.number, self.range)
    }
}

/// As many cells as are worth their bytes where a filter of `filter_bytes` bytes would do: the first
/// message's at least.
pub(crate) fn worth(filter_bytes: usize) -> usize {
    (filter_bytes / Cell::BYTES).clamp(FIRST_CELLS, MAX_CELLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_worth_as_many_bytes_as_a_filter() {
        for (bytes, cells) in
            [(0, 256), (2569, 256), (2570, 257), (1 << 19, 52_428), (1 << 23, MAX_CELLS)]
        {
            assert_eq!(worth(bytes), cells, "{bytes}");
        }
    }
}
