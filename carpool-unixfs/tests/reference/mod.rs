//! Slow and obvious twins of the builders, sharing no code with them: everything in memory, all
//! recursion, protobuf spelled out.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use carpool_core::{Block, Bytes, Version, codec};
use carpool_unixfs::Cid;

/// A subtree: its CID, bytes of the file below, bytes of all blocks below.
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    pub cid: Cid,
    pub size: u64,
    pub tsize: u64,
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = vec![];
    while value > 127 {
        out.push((value % 128) as u8 + 128);
        value /= 128;
    }
    out.push(value as u8);
    out
}

fn number(field: u8, value: u64) -> Vec<u8> {
    [vec![field * 8], varint(value)].concat()
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [vec![field * 8 + 2], varint(value.len() as u64), value.to_vec()].concat()
}

fn pb_node(links: &[(Vec<u8>, Tree)], data: &[Vec<u8>], version: Version) -> (Block, u64) {
    let mut node = vec![];
    let mut tsize = 0;
    for (name, child) in links {
        let hash = bytes(1, &child.cid.to_bytes());
        node.extend(bytes(2, &[hash, bytes(2, name), number(3, child.tsize)].concat()));
        tsize += child.tsize;
    }
    node.extend(bytes(1, &data.concat()));
    tsize += node.len() as u64;
    let node = Bytes::from(node);
    let block = match version {
        Version::V0 => Block::new_v0(node),
        Version::V1 => Block::new(codec::DAG_PB, node),
    };
    (block, tsize)
}

/// The balanced tree over raw leaves: as shallow as the leaves allow, then filled from the left.
pub fn balanced(leaves: &[Bytes], width: usize, version: Version) -> Tree {
    let mut depth = 0;
    while width.pow(depth) < leaves.len() {
        depth += 1;
    }
    subtree(leaves, depth, width, version)
}

fn subtree(leaves: &[Bytes], depth: u32, width: usize, version: Version) -> Tree {
    if depth == 0 {
        let block = Block::new(codec::RAW, leaves[0].clone());
        let size = leaves[0].len() as u64;
        return Tree { cid: *block.cid(), size, tsize: size };
    }
    let parts = leaves.chunks(width.pow(depth - 1));
    let children: Vec<Tree> = parts.map(|part| subtree(part, depth - 1, width, version)).collect();
    let size = children.iter().map(|child| child.size).sum();
    let mut data = vec![number(1, 2), number(3, size)];
    data.extend(children.iter().map(|child| number(4, child.size)));
    let links: Vec<_> = children.into_iter().map(|child| (vec![], child)).collect();
    let (block, tsize) = pb_node(&links, &data, version);
    Tree { cid: *block.cid(), size, tsize }
}

/// A sharded directory, built as a tree of maps by inserting one name after another.
pub fn hamt(entries: &BTreeMap<Vec<u8>, Tree>, fanout: u32, version: Version) -> Tree {
    let mut root = Map::default();
    for (name, child) in entries {
        root.insert(name, *child, 0, fanout);
    }
    root.encode(fanout, version)
}

#[derive(Default)]
struct Map(BTreeMap<u64, Slot>);

enum Slot {
    Entry(Vec<u8>, Tree),
    Map(Map),
}

/// The digit at `level` of the hash written in base `fanout`, the most significant first.
fn digit(name: &[u8], level: u32, fanout: u32) -> u64 {
    let hash = fastmurmur3::murmur3_x64_128(name, 0) as u64;
    let bits = fanout.ilog2();
    let written = format!("{hash:064b}");
    let at = (level * bits) as usize;
    u64::from_str_radix(&written[at..at + bits as usize], 2).unwrap()
}

impl Map {
    fn insert(&mut self, name: &[u8], child: Tree, level: u32, fanout: u32) {
        let slot = digit(name, level, fanout);
        match self.0.remove(&slot) {
            None => {
                self.0.insert(slot, Slot::Entry(name.to_vec(), child));
            }
            Some(Slot::Entry(other, twin)) => {
                let mut below = Self::default();
                below.insert(&other, twin, level + 1, fanout);
                below.insert(name, child, level + 1, fanout);
                self.0.insert(slot, Slot::Map(below));
            }
            Some(Slot::Map(mut below)) => {
                below.insert(name, child, level + 1, fanout);
                self.0.insert(slot, Slot::Map(below));
            }
        }
    }

    fn encode(&self, fanout: u32, version: Version) -> Tree {
        let digits = format!("{:X}", fanout - 1).len();
        let mut bits = vec![0u8; fanout as usize / 8];
        let mut links = vec![];
        for (slot, taken) in &self.0 {
            let byte = bits.len() - 1 - *slot as usize / 8;
            bits[byte] |= 1 << (slot % 8);
            let prefix = format!("{slot:0digits$X}").into_bytes();
            links.push(match taken {
                Slot::Entry(name, child) => ([prefix, name.clone()].concat(), *child),
                Slot::Map(below) => (prefix, below.encode(fanout, version)),
            });
        }
        let used: Vec<u8> = bits.into_iter().skip_while(|byte| *byte == 0).collect();
        let data = [number(1, 5), bytes(2, &used), number(5, 0x22), number(6, u64::from(fanout))];
        let (block, tsize) = pb_node(&links, &data, version);
        Tree { cid: *block.cid(), size: 0, tsize }
    }
}
