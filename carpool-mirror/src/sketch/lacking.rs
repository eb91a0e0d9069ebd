use alloc::vec::Vec;
use carpool_bloom::sketch::{Key, Symbol};
use carpool_core::Cid;

use crate::narrowing::with_bytes;

/// What one of two sets has and the other does not, as symbols under a key: of a source's own blocks
/// those that the sink lacks. One in 2^48 of the others is among them by chance, for each symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    key: Key,
    /// Sorted: a table would be a target for who chooses symbols.
    symbols: Vec<Symbol>,
}

impl Lacking {
    pub(super) fn new(key: Key, mut symbols: Vec<Symbol>) -> Self {
        symbols.sort_unstable();
        Self { key, symbols }
    }

    /// Whether the sink lacks this block, if it is one of the source's.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        let symbol = with_bytes(cid, |bytes| self.key.symbol(bytes));
        self.symbols.binary_search(&symbol).is_ok()
    }

    /// How many blocks differ, those among them that only the sink holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }
}
