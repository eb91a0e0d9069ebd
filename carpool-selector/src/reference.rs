//! The walk, slow and obvious: recursion over a map. Tests hold [`Walk`](crate::Walk) to it.

use alloc::{collections::BTreeMap, collections::BTreeSet, vec::Vec};
use carpool_core::{Bytes, Cid, Limits, identity_data, links};

/// All CIDs that are reachable from `roots` through `blocks` in depth-first preorder, each once;
/// identity CIDs are entered and left out. A CID without a block is listed and not entered.
#[must_use]
pub fn depth_first(roots: &[Cid], blocks: &BTreeMap<Cid, Bytes>) -> Vec<Cid> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    roots.iter().for_each(|root| visit(*root, blocks, &mut seen, &mut order));
    order
}

fn visit(cid: Cid, blocks: &BTreeMap<Cid, Bytes>, seen: &mut BTreeSet<Cid>, out: &mut Vec<Cid>) {
    if !seen.insert(cid) {
        return;
    }
    let data = identity_data(&cid).map(Bytes::copy_from_slice);
    if data.is_none() {
        out.push(cid);
    }
    let Some(data) = data.or_else(|| blocks.get(&cid).cloned()) else { return };
    let children = links(&cid, &data, &Limits::default()).unwrap_or_default();
    children.into_iter().for_each(|child| visit(child, blocks, seen, out));
}

/// The same CIDs level by level.
#[must_use]
pub fn breadth_first(roots: &[Cid], blocks: &BTreeMap<Cid, Bytes>) -> Vec<Cid> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    let mut level: Vec<Cid> = roots.to_vec();
    while !level.is_empty() {
        let mut next = Vec::new();
        for cid in level {
            if !seen.insert(cid) {
                continue;
            }
            let data = identity_data(&cid).map(Bytes::copy_from_slice);
            if data.is_none() {
                order.push(cid);
            }
            if let Some(data) = data.or_else(|| blocks.get(&cid).cloned()) {
                next.extend(links(&cid, &data, &Limits::default()).unwrap_or_default());
            }
        }
        level = next;
    }
    order
}
