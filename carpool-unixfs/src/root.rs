use alloc::vec::Vec;

use carpool_core::{Block, Bytes, Cid, Version, codec};

/// A finished file, directory or symbolic link: what a directory's entry needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The CID of the root block.
    pub cid: Cid,
    /// Bytes of the file or of the link's target; 0 for a directory.
    pub size: u64,
    /// Bytes of all blocks below and including the root, repeated ones counted each time: the
    /// `Tsize` of a link to it.
    pub tsize: u64,
}

/// A root and the blocks of it that have not been handed out before, children first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The root.
    pub root: Root,
    /// Blocks, the root's last; none when a leaf is the root.
    pub blocks: Vec<Block>,
}

/// A DAG-PB block with a CID of the version that the options ask for.
pub(crate) fn dag_pb_block(version: Version, data: Vec<u8>) -> Block {
    let data = Bytes::from(data);
    match version {
        Version::V0 => Block::new_v0(data),
        Version::V1 => Block::new(codec::DAG_PB, data),
    }
}
