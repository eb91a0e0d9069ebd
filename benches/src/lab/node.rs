use carpool_core::{Cid, Multihash, SHA2_256, codec};
use sim::dag::mix;

/// Bytes of a binary CID.
pub const CID_BYTES: u64 = 36;

const NEW: u64 = 1 << 63;
const LEVEL: u32 = 56;
const INDEX: u64 = (1 << LEVEL) - 1;

/// A block, by where it stands: level and place in the old version, or in the new one where the
/// old has no equal. Two nodes are the same block exactly when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u64);

impl Node {
    /// Of the old version; leaves are of level 0.
    #[must_use]
    pub fn old(level: u32, index: u64) -> Self {
        debug_assert!(level < 128 && index <= INDEX);
        Self(u64::from(level) << LEVEL | index)
    }

    /// Of the new version alone.
    #[must_use]
    pub fn new(level: u32, index: u64) -> Self {
        Self(Self::old(level, index).0 | NEW)
    }

    /// Whether the old version lacks it.
    #[must_use]
    pub const fn is_new(self) -> bool {
        self.0 & NEW != 0
    }

    /// Links between it and a leaf.
    #[must_use]
    pub const fn level(self) -> u32 {
        (self.0.to_be_bytes()[0] & 0x7f) as u32
    }

    /// Whether it has no links.
    #[must_use]
    pub const fn is_leaf(self) -> bool {
        self.level() == 0
    }

    /// Its place in its level.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0 & INDEX
    }

    /// All of it as a number.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.0
    }

    /// What stands for its CID: of 36 bytes, and of a codec that tells leaves from others. The
    /// digest is no hash of the block's bytes.
    #[must_use]
    pub fn cid(self) -> Cid {
        let mut digest = [0; 32];
        for (n, word) in digest.chunks_exact_mut(8).enumerate() {
            let value = if n == 0 { self.0 } else { mix(self.0.wrapping_add(n as u64)) };
            word.copy_from_slice(&value.to_be_bytes());
        }
        let codec = if self.is_leaf() { codec::RAW } else { codec::DAG_CBOR };
        Cid::new_v1(codec, Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit into 64"))
    }

    /// The node that [`cid`](Self::cid) made this of.
    ///
    /// # Panics
    /// When it made it of none.
    #[must_use]
    pub fn of_cid(cid: &Cid) -> Self {
        let id = cid.hash().digest().first_chunk().expect("digests have 32 bytes");
        Self(u64::from_be_bytes(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_back_from_its_cid() {
        for node in [Node::old(0, 0), Node::old(3, 77), Node::new(0, INDEX), Node::new(127, 1)] {
            assert_eq!(Node::of_cid(&node.cid()), node);
            assert_eq!(node.cid().to_bytes().len() as u64, CID_BYTES);
        }
        assert_eq!((Node::new(5, 9).level(), Node::new(5, 9).index()), (5, 9));
    }
}
