//! The DAG of a session, and how an honest source walks it.

use carpool_core::{Block, Cid, Limits, Multihash, codec, identity_data, links};
use sim::dag;
use std::collections::{BTreeMap, BTreeSet};

use crate::choices::Choices;

pub(super) struct World {
    pub(super) root: Cid,
    /// Every block once; all of them lie below the root.
    pub(super) blocks: Vec<Block>,
    links: BTreeMap<Cid, Vec<Cid>>,
}

impl World {
    /// Up to 24 leaves, nodes above any of what was made before, a root above what nothing links to, and a chain
    /// above that.
    pub(super) fn new(choices: &mut Choices<'_>) -> Self {
        let mut blocks: Vec<Block> = (0..=choices.below(24)).map(leaf).collect();
        let mut linked = BTreeSet::new();
        for _ in 0..choices.below(12) {
            let (picks, from) = (choices.byte(), choices.below(blocks.len()));
            let of = (0..=usize::from(picks) % 6).map(|n| (from + n) % blocks.len());
            let children: BTreeSet<Cid> = of.map(|at| *blocks[at].cid()).collect();
            let node = dag::node(&wrapped(picks, &children));
            if blocks.iter().all(|block| block.cid() != node.cid()) {
                linked.extend(children);
                blocks.push(node);
            }
        }
        let tops = blocks.iter().map(Block::cid).filter(|cid| !linked.contains(*cid));
        let mut root = dag::node(tops);
        for _ in 0..choices.below(10) {
            let above = dag::node([root.cid()]);
            blocks.push(std::mem::replace(&mut root, above));
        }
        let top = *root.cid();
        blocks.push(root);
        Self::of(top, blocks)
    }

    fn of(root: Cid, blocks: Vec<Block>) -> Self {
        let read =
            |cid: &Cid, data: &[u8]| links(cid, data, &Limits::default()).expect("made well");
        let mut links: BTreeMap<Cid, Vec<Cid>> =
            blocks.iter().map(|block| (*block.cid(), read(block.cid(), block.data()))).collect();
        let all: Vec<Cid> = links.values().flatten().copied().collect();
        for cid in all {
            if let Some(data) = identity_data(&cid) {
                links.insert(cid, read(&cid, data));
            }
        }
        Self { root, blocks, links }
    }

    pub(super) fn block(&self, cid: &Cid) -> Option<&Block> {
        self.blocks.iter().find(|block| block.cid() == cid)
    }

    /// What has a block of its own of all that lies below `roots`, depth first, as far as `enter` lets.
    pub(super) fn walk(&self, roots: &[Cid], mut enter: impl FnMut(&Cid) -> bool) -> Vec<Cid> {
        let mut stack: Vec<Cid> = roots.iter().rev().copied().collect();
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        while let Some(cid) = stack.pop() {
            if !seen.insert(cid) {
                continue;
            }
            if identity_data(&cid).is_none() {
                if !enter(&cid) {
                    continue;
                }
                order.push(cid);
            }
            stack.extend(self.links.get(&cid).into_iter().flatten().rev());
        }
        order
    }
}

fn leaf(n: usize) -> Block {
    Block::new(codec::RAW, vec![n.to_le_bytes()[0]; 1 + n * 37 % 150].into())
}

/// Links to `children`: the first of them by way of a CID that carries its block, and a leaf that is in its CID,
/// where `picks` says so.
fn wrapped(picks: u8, children: &BTreeSet<Cid>) -> Vec<Cid> {
    let inline = |codec, data: &[u8]| Cid::new_v1(codec, Multihash::wrap(0, data).expect("short"));
    let mut links: Vec<Cid> = children.iter().copied().collect();
    if picks & 0x40 != 0 {
        links[0] = inline(codec::DAG_CBOR, dag::node([&links[0]]).data());
    }
    if picks & 0x80 != 0 {
        links.push(inline(codec::RAW, b"inline"));
    }
    links
}
