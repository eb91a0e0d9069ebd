use carpool_core::{Cid, CidMap};
use std::sync::{PoisonError, RwLock};

use super::index::Row;
use crate::key;

/// Blocks that lie in a segment and are not in the index yet. All threads of this process see
/// them; the index gets many at once, because a transaction costs more than a row.
#[derive(Debug)]
pub(crate) struct Pending {
    rows: RwLock<CidMap<Row>>,
}

impl Pending {
    pub(crate) fn new() -> Self {
        Self { rows: RwLock::new(key::map()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.read(CidMap::len)
    }

    /// Puts rows in, by their canonical CIDs.
    pub(crate) fn insert(&self, rows: &[(Cid, Row)]) {
        let mut map = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (canonical, row) in rows {
            map.insert(canonical, *row);
        }
    }

    /// The row of each CID, where there is one.
    pub(crate) fn find(&self, cids: &[Cid]) -> Vec<Option<Row>> {
        self.read(|rows| {
            if rows.is_empty() {
                return vec![None; cids.len()];
            }
            cids.iter().map(|cid| rows.get(&key::canonical(cid)).copied()).collect()
        })
    }

    /// All rows by binary multihash, sorted: neighbours share pages of the index.
    pub(crate) fn sorted(&self) -> Vec<(Vec<u8>, Row)> {
        let mut all = self.read(|rows| {
            let mut all = Vec::with_capacity(rows.len());
            rows.for_each(|key, row| all.push((key[key::CANONICAL_PREFIX..].to_vec(), *row)));
            all
        });
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Forgets all rows, which the index has now.
    pub(crate) fn clear(&self) {
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = key::map();
    }

    fn read<T>(&self, look: impl FnOnce(&CidMap<Row>) -> T) -> T {
        look(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }
}
