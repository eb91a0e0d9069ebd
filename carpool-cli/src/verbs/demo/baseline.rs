//! What the same transfer would have cost in other ways, computed from the DAG itself.

use carpool_car::{header, section_len};
use carpool_core::{Bytes, Cid, CidSet, Limits, links};
use carpool_http::gather;
use carpool_store::{BlockStore, LocalStore};

use crate::{
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// Two other ways to move a DAG. HTTP heads are left out of both.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Baseline {
    /// One CAR with every block, in bytes.
    pub(super) everything: u64,
    /// Asking level by level for what is missing, as a want-list does: 36 bytes a CID up, the
    /// blocks down, a round trip a level.
    pub(super) level_by_level: u64,
    /// Round trips of asking level by level.
    pub(super) levels: u64,
}

/// What moving `root` costs to somebody who holds the DAG of `held`.
pub(super) fn baseline(store: &LocalStore, root: Cid, held: Option<Cid>) -> Outcome<Baseline> {
    let held = gather(store, held.as_slice(), &Limits::default(), random_seed())?.held;
    let start = header(&[root]).len() as u64;
    let mut costs = Baseline { everything: start, level_by_level: start, levels: 0 };
    let mut seen = CidSet::with_seed(random_seed());
    let mut level = vec![root];
    while !level.is_empty() {
        level.retain(|cid| seen.insert(cid));
        let blocks = store.get_many(&level)?;
        let mut next = Vec::new();
        let mut missing = 0;
        for (cid, data) in level.iter().zip(blocks) {
            let data = data.ok_or_else(|| lost(cid))?;
            missing += costs.count(cid, &data, &held);
            next.extend(links(cid, &data, &Limits::default())?);
        }
        costs.levels += u64::from(missing > 0);
        level = next;
    }
    Ok(costs)
}

impl Baseline {
    /// Counts one block; 1 when it is missing on the other side.
    fn count(&mut self, cid: &Cid, data: &Bytes, held: &CidSet) -> u64 {
        let section = section_len(cid, data.len()) as u64;
        self.everything += section;
        if held.contains(cid) {
            return 0;
        }
        self.level_by_level += section + cid.encoded_len() as u64;
        1
    }
}

fn lost(cid: &Cid) -> Failure {
    Failure::new(Exit::Incomplete, format_args!("block {cid} is not held"))
}
