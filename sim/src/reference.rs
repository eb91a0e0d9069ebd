//! What a transfer has to come to, slow and obvious.

use carpool_core::Cid;
use carpool_selector::reference::breadth_first;
use std::collections::BTreeSet;

use crate::Blocks;

/// The end of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What the sink holds afterwards.
    pub held: BTreeSet<Cid>,
    /// What is reachable and held by neither side.
    pub missing: BTreeSet<Cid>,
}

/// What comes of a transfer below `root`: the sink holds what it held before, and of all that is
/// reachable through the blocks of both sides whatever the source has. Nothing else.
#[must_use]
pub fn expected(root: Cid, source: &Blocks, sink: &Blocks) -> Expected {
    let both: Blocks = source.iter().chain(sink).map(|(c, d)| (*c, d.clone())).collect();
    let reachable: BTreeSet<Cid> = breadth_first(&[root], &both).into_iter().collect();
    let given = reachable.iter().filter(|cid| source.contains_key(cid)).copied();
    Expected {
        held: sink.keys().copied().chain(given).collect(),
        missing: reachable.iter().filter(|cid| !both.contains_key(cid)).copied().collect(),
    }
}

/// The CIDs of `blocks` that are reachable from `root`.
#[must_use]
pub fn held_below(root: Cid, blocks: &Blocks) -> BTreeSet<Cid> {
    breadth_first(&[root], blocks).into_iter().filter(|cid| blocks.contains_key(cid)).collect()
}
