//! DAGs made from a seed, the same on every machine and in every language.
//!
//! # The recipe
//!
//! `mix` is the finaliser of splitmix64. The state of leaf `i` in version `v` is
//! `mix(mix(seed) + (i + 1) * GOLDEN + v * VERSION)`, wrapping; its bytes are the little-endian
//! outputs of splitmix64 from that state, cut to `leaf_size`. Leaves are raw blocks. Above them lie
//! DAG-CBOR arrays of links to `fanout` consecutive blocks, level upon level until one is left; a
//! single leaf has a root above it too. CIDs are of version 1 with SHA2-256.
//!
//! A *changed* leaf is of version 1, every other of version 0. So two versions share all leaves
//! that did not change, and all nodes above only such.

use carpool_core::{
    Block, Bytes, Cid, Multihash,
    cbor::{ARRAY, write_head, write_link},
    codec,
};
use std::collections::BTreeSet;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const VERSION: u64 = 0xD1B5_4A32_D192_ED03;

/// The finaliser of splitmix64.
#[must_use]
pub const fn mix(mut z: u64) -> u64 {
    z ^= z >> 30;
    z = z.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= z >> 27;
    z = z.wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A balanced tree of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Decides every byte of every leaf.
    pub seed: u64,
    /// How many leaves.
    pub leaves: u64,
    /// Bytes of one leaf.
    pub leaf_size: usize,
    /// Links in one node, at least two.
    pub fanout: usize,
}

impl Shape {
    /// 256 leaves of 256 KiB: a file of 64 MiB.
    pub const BIG: Self = Self { seed: 42, leaves: 256, leaf_size: 262_144, fanout: 16 };
    /// 65,536 leaves of 1 KiB: a directory of 64 MiB.
    pub const SMALL: Self = Self { seed: 42, leaves: 65_536, leaf_size: 1024, fanout: 64 };
}

/// A DAG: its root and each of its blocks once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dag {
    /// The root.
    pub root: Cid,
    /// Level by level from the root down, each level from left to right.
    pub blocks: Vec<Block>,
}

impl Dag {
    fn from_levels(levels: Vec<Vec<Block>>) -> Self {
        let mut seen = BTreeSet::new();
        let top_down = levels.into_iter().rev().flatten();
        let blocks: Vec<Block> = top_down.filter(|block| seen.insert(*block.cid())).collect();
        let root = *blocks.first().expect("a DAG has a root").cid();
        Self { root, blocks }
    }

    /// Bytes of all blocks.
    #[must_use]
    pub fn block_bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.data().len() as u64).sum()
    }

    /// Bytes of a CAR with this root and all blocks.
    #[must_use]
    pub fn car_bytes(&self) -> u64 {
        let section = |b: &Block| carpool_car::section_len(b.cid(), b.data().len()) as u64;
        let header = carpool_car::header(&[self.root]).len() as u64;
        header + self.blocks.iter().map(section).sum::<u64>()
    }
}

/// The DAG of `shape` in which the leaves of these numbers are changed.
#[must_use]
pub fn generate(shape: &Shape, changed: &BTreeSet<u64>) -> Dag {
    let leaf = |i| leaf(shape, i, u64::from(changed.contains(&i)));
    stack((0..shape.leaves).map(leaf).collect(), shape.fanout)
}

/// The DAG of `shape` with nothing changed.
#[must_use]
pub fn original(shape: &Shape) -> Dag {
    generate(shape, &BTreeSet::new())
}

fn leaf(shape: &Shape, index: u64, version: u64) -> Block {
    let mut state = mix(mix(shape.seed)
        .wrapping_add((index + 1).wrapping_mul(GOLDEN))
        .wrapping_add(version.wrapping_mul(VERSION)));
    let mut data = Vec::with_capacity(shape.leaf_size + 8);
    while data.len() < shape.leaf_size {
        state = state.wrapping_add(GOLDEN);
        data.extend_from_slice(&mix(state).to_le_bytes());
    }
    data.truncate(shape.leaf_size);
    Block::new(codec::RAW, data.into())
}

/// Lays nodes of `fanout` links above `leaves` until one is left.
fn stack(leaves: Vec<Block>, fanout: usize) -> Dag {
    let mut levels = vec![leaves];
    while let Some(below) = levels.last() {
        if below.len() == 1 && levels.len() > 1 {
            break;
        }
        let above = below.chunks(fanout).map(|children| node(children.iter().map(Block::cid)));
        levels.push(above.collect());
    }
    Dag::from_levels(levels)
}

/// A DAG-CBOR array of links.
pub fn node<'a>(links: impl IntoIterator<Item = &'a Cid>) -> Block {
    let links: Vec<_> = links.into_iter().collect();
    let mut data = Vec::with_capacity(9 + links.len() * 41);
    write_head(&mut data, ARRAY, links.len() as u64);
    links.into_iter().for_each(|link| write_link(&mut data, link));
    Block::new(codec::DAG_CBOR, data.into())
}

/// `count` leaves of `leaves`, scattered: a partial Fisher-Yates shuffle.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "as many leaves as lie in memory")]
pub fn scattered(seed: u64, leaves: u64, count: u64) -> BTreeSet<u64> {
    let mut order: Vec<u64> = (0..leaves).collect();
    let mut state = mix(seed ^ 0xA5A5_A5A5);
    for i in 0..count.min(leaves) {
        state = state.wrapping_add(GOLDEN);
        order.swap(i as usize, (i + mix(state) % (leaves - i)) as usize);
    }
    order.into_iter().take(count as usize).collect()
}

/// `count` consecutive leaves in the middle of `leaves`.
#[must_use]
pub fn run(leaves: u64, count: u64) -> BTreeSet<u64> {
    let count = count.min(leaves);
    let start = (leaves - count) / 2;
    (start..start + count).collect()
}

fn leaves(seed: u64, leaves: u64, leaf_size: usize) -> Vec<Block> {
    let shape = Shape { seed, leaves, leaf_size, fanout: 2 };
    (0..leaves).map(|i| leaf(&shape, i, 0)).collect()
}

/// A history: every node links to the one before and to a leaf of its own.
#[must_use]
pub fn chain(seed: u64, length: u64, leaf_size: usize) -> Dag {
    let mut levels: Vec<Vec<Block>> = Vec::new();
    for leaf in leaves(seed, length, leaf_size) {
        let before = levels.last().and_then(|level| level.first()).map(|node| *node.cid());
        let top = node(before.iter().chain([leaf.cid()]));
        match levels.last_mut() {
            Some(level) => level.push(leaf),
            None => levels.push(vec![leaf]),
        }
        levels.push(vec![top]);
    }
    Dag::from_levels(levels)
}

/// One node above `width` leaves.
#[must_use]
pub fn wide(seed: u64, width: u64, leaf_size: usize) -> Dag {
    let leaves = leaves(seed, width, leaf_size);
    let root = node(leaves.iter().map(Block::cid));
    Dag::from_levels(vec![leaves, vec![root]])
}

/// An irregular tree, like that of a HAMT: nodes of up to `fanout` children, and leaves that lie
/// less deep than others. Which, the seed decides, so that versions share what did not change.
#[must_use]
pub fn hamt(shape: &Shape, changed: &BTreeSet<u64>) -> Dag {
    let leaf = |i| leaf(shape, i, u64::from(changed.contains(&i)));
    let mut levels: Vec<Vec<Block>> = vec![(0..shape.leaves).map(leaf).collect()];
    let mut state = mix(shape.seed);
    while let Some(below) = levels.last() {
        if below.len() == 1 && levels.len() > 1 {
            break;
        }
        let above = irregular(below, shape.fanout, &mut state);
        levels.push(above);
    }
    Dag::from_levels(levels)
}

/// Some blocks stay alone and so lie nearer to the root than others.
fn irregular(below: &[Block], fanout: usize, state: &mut u64) -> Vec<Block> {
    let mut above = Vec::new();
    let mut rest = below;
    while !rest.is_empty() {
        *state = state.wrapping_add(GOLDEN);
        let wish = 1 + usize::try_from(mix(*state) % fanout as u64).expect("below the fanout");
        let least = if rest.len() == below.len() { 2 } else { 1 };
        let (children, others) = rest.split_at(wish.max(least).min(rest.len()));
        above.push(match children {
            [only] if below.len() > 1 => only.clone(),
            _ => node(children.iter().map(Block::cid)),
        });
        rest = others;
    }
    above
}

/// Shared subtrees: in every level two nodes, each of which links to both below.
#[must_use]
pub fn diamond(seed: u64, levels: u64, leaf_size: usize) -> Dag {
    let mut stack = vec![leaves(seed, 2, leaf_size)];
    for _ in 1..levels {
        let below: Vec<Cid> = stack.last().into_iter().flatten().map(|b| *b.cid()).collect();
        let mirrored: Vec<Cid> = below.iter().rev().copied().collect();
        stack.push(vec![node(&below), node(&mirrored)]);
    }
    let below: Vec<Cid> = stack.last().into_iter().flatten().map(|b| *b.cid()).collect();
    stack.push(vec![node(below.iter().chain(&below))]);
    Dag::from_levels(stack)
}

/// A tree whose inner nodes lie inside identity CIDs: none of them is a block of its own.
#[must_use]
pub fn identities(seed: u64, leaves: u64, leaf_size: usize) -> Dag {
    let leaves = self::leaves(seed, leaves, leaf_size);
    let inlined: Vec<Cid> = leaves.iter().map(|leaf| identity_of(leaf.cid())).collect();
    Dag::from_levels(vec![leaves, vec![node(&inlined)]])
}

/// The identity CID of a node with one link.
fn identity_of(link: &Cid) -> Cid {
    let node: Bytes = node([link]).data().clone();
    let hash = Multihash::wrap(carpool_core::IDENTITY, &node).expect("one link fits into 64 bytes");
    Cid::new_v1(codec::DAG_CBOR, hash)
}
