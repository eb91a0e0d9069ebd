use carpool_core::{Block, Bytes, Cid, Limits, codec, links};
use std::collections::{HashMap, HashSet};

use crate::dag::{self, Dag, Shape, mix};

/// The DAG that is transferred, as sources read it.
#[derive(Debug)]
pub struct World {
    /// Its root.
    pub root: Cid,
    /// Its blocks, in the order of a walk.
    pub order: Vec<Cid>,
    blocks: HashMap<Cid, Block>,
    links: HashMap<Cid, Vec<Cid>>,
    /// What the sink holds from before.
    pub held: Vec<Block>,
    /// The root of that.
    pub old: Option<Cid>,
}

/// The shape of a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file: nodes of 174 links above large leaves.
    Wide,
    /// Many small leaves.
    Small,
    /// A tree of DAG-CBOR nodes that carry data themselves: any block may have links.
    Tree,
    /// A history: each node links to the one before.
    Chain,
}

impl World {
    /// A DAG of this kind with about so many bytes, of which the sink holds all but some of an older version
    /// where `old`.
    #[must_use]
    pub fn new(kind: Kind, bytes: usize, old: bool, seed: u64) -> Self {
        let dag = |version| match kind {
            Kind::Wide => file(bytes, 16 << 10, 174, seed, version),
            Kind::Small => file(bytes, 1 << 10, 174, seed, version),
            Kind::Tree => tree(bytes, 4 << 10, 8, seed, version),
            Kind::Chain => chain(bytes, 4 << 10, seed, version),
        };
        Self::of(&dag(0), old.then(|| dag(1)).as_ref())
    }

    /// The transfer of a DAG to a sink that may hold another.
    #[must_use]
    pub fn of(dag: &Dag, old: Option<&Dag>) -> Self {
        let blocks: HashMap<Cid, Block> =
            dag.blocks.iter().map(|block| (*block.cid(), block.clone())).collect();
        let read = |block: &Block| {
            links(block.cid(), block.data(), &Limits::default()).expect("it was made well")
        };
        let links: HashMap<Cid, Vec<Cid>> =
            blocks.iter().map(|(cid, block)| (*cid, read(block))).collect();
        let held = old.map(|old| old.blocks.clone()).unwrap_or_default();
        let order = walk(dag.root, &links, |_| true);
        Self { root: dag.root, order, blocks, links, held, old: old.map(|old| old.root) }
    }

    /// The bytes of a block.
    #[must_use]
    pub fn data(&self, cid: &Cid) -> Option<&Bytes> {
        self.blocks.get(cid).map(Block::data)
    }

    pub(super) fn links(&self) -> &HashMap<Cid, Vec<Cid>> {
        &self.links
    }

    /// What the sink lacks.
    #[must_use]
    pub fn missing(&self) -> Vec<Cid> {
        let held: HashSet<&Cid> = self.held.iter().map(Block::cid).collect();
        self.order.iter().filter(|cid| !held.contains(cid)).copied().collect()
    }
}

/// All that lies below `root`, depth first, as far as `enter` lets.
pub(super) fn walk(
    root: Cid,
    links: &HashMap<Cid, Vec<Cid>>,
    mut enter: impl FnMut(&Cid) -> bool,
) -> Vec<Cid> {
    let (mut stack, mut seen, mut order) = (vec![root], HashSet::new(), Vec::new());
    while let Some(cid) = stack.pop() {
        if enter(&cid) && seen.insert(cid) {
            order.push(cid);
            stack.extend(links.get(&cid).into_iter().flatten().rev());
        }
    }
    order
}

fn file(bytes: usize, leaf_size: usize, fanout: usize, seed: u64, version: u64) -> Dag {
    let leaves = (bytes / leaf_size).max(1) as u64;
    let shape = Shape { seed, leaves, leaf_size, fanout };
    // The older version has other bytes in a run of a fifth.
    let changed = if version == 0 { 0 } else { leaves / 5 };
    dag::generate(&shape, &dag::run(leaves, changed))
}

/// A block with data and links.
fn carrying(state: u64, size: usize, links: &[Cid]) -> Block {
    use carpool_core::cbor::{ARRAY, BYTES, write_head, write_link};
    let mut data = Vec::with_capacity(size + 64 + links.len() * 41);
    write_head(&mut data, ARRAY, links.len() as u64 + 1);
    write_head(&mut data, BYTES, size as u64);
    let end = data.len() + size;
    let mut state = state;
    while data.len() < end {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        data.extend_from_slice(&mix(state).to_le_bytes());
    }
    data.truncate(end);
    links.iter().for_each(|link| write_link(&mut data, link));
    Block::new(codec::DAG_CBOR, data.into())
}

fn tree(bytes: usize, size: usize, fanout: usize, seed: u64, version: u64) -> Dag {
    let count = (bytes / size).max(1);
    // Node i has the children fanout * i + 1 and so on: made from the last one up.
    let mut blocks: Vec<Option<Block>> = vec![None; count];
    for at in (0..count).rev() {
        let children = (fanout * at + 1..=fanout * at + fanout).take_while(|child| *child < count);
        let below: Vec<Cid> =
            children.map(|child| *blocks[child].as_ref().expect("made before").cid()).collect();
        let changed = version != 0 && at * 5 / count == 4;
        blocks[at] = Some(carrying(mix(seed ^ at as u64) ^ u64::from(changed), size, &below));
    }
    let blocks: Vec<Block> = blocks.into_iter().flatten().collect();
    Dag { root: *blocks[0].cid(), blocks }
}

fn chain(bytes: usize, size: usize, seed: u64, version: u64) -> Dag {
    let count = (bytes / size).max(1);
    let mut blocks: Vec<Block> = Vec::with_capacity(count);
    for at in 0..count {
        let below: Vec<Cid> = blocks.last().map(|block| *block.cid()).into_iter().collect();
        blocks.push(carrying(mix(seed ^ at as u64), size, &below));
    }
    if version != 0 {
        blocks.truncate(count * 4 / 5);
    }
    blocks.reverse();
    Dag { root: *blocks[0].cid(), blocks }
}
