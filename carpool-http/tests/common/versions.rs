//! A file before and after something was put into it.

use carpool_core::{Block, Bytes, Cid, cbor, codec};

/// Blocks in preorder: an array of links to arrays of links to pieces of a text.
pub struct Version {
    pub root: Cid,
    pub blocks: Vec<Block>,
}

fn node(children: &[Block]) -> Block {
    let mut data = vec![];
    cbor::write_head(&mut data, cbor::ARRAY, children.len() as u64);
    children.iter().for_each(|block| cbor::write_link(&mut data, block.cid()));
    Block::new(codec::DAG_CBOR, data.into())
}

pub fn version(text: &[u8]) -> Version {
    let leaves: Vec<Block> = text
        .chunks(16 << 10)
        .map(|chunk| Block::new(codec::RAW, Bytes::copy_from_slice(chunk)))
        .collect();
    let nodes: Vec<(Block, &[Block])> = leaves.chunks(8).map(|few| (node(few), few)).collect();
    let root = node(&nodes.iter().map(|(node, _)| node.clone()).collect::<Vec<_>>());
    let below = nodes.iter().flat_map(|(node, few)| [std::slice::from_ref(node), few].concat());
    Version { root: *root.cid(), blocks: [root].into_iter().chain(below).collect() }
}

/// Words that come in no order.
pub fn text(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(format!("{:x} ", state >> 40).as_bytes());
    }
    out.truncate(bytes);
    out
}

/// An insertion near the start shifts all that follows.
pub fn versions() -> (Version, Version) {
    let old = text(1 << 20);
    let new = [&old[..100], b"inserted", &old[100..]].concat();
    (version(&old), version(&new))
}
