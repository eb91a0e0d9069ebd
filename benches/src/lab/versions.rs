use super::node::{CID_BYTES, Node};

/// Which of two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the sink holds.
    Old,
    /// What the source holds.
    New,
}

/// How much a version is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks.
    pub blocks: u64,
    /// Blocks with links.
    pub interior: u64,
}

/// Two versions of a DAG, made as far as they are asked for.
pub trait Versions {
    /// The root of a version.
    fn root(&self, side: Side) -> Node;
    /// The links of a block, in order.
    fn links(&self, node: Node) -> Vec<Node>;
    /// How many links a block has.
    fn link_count(&self, node: Node) -> u64;
    /// Whether the new version has a block of the old one.
    fn is_in_new(&self, node: Node) -> bool;
    /// Blocks of a version.
    fn totals(&self, side: Side) -> Totals;
    /// How many blocks of the old version are at and below one of its blocks.
    fn subtree(&self, node: Node) -> u64;
    /// The block of the old version that links to one of its blocks, where there is just one.
    fn parent(&self, _node: Node) -> Option<Node> {
        None
    }
    /// The most links of a block.
    fn fan_out(&self) -> u64;
    /// Links from the old root to its deepest leaf.
    fn depth(&self) -> u64;
    /// Bytes of a leaf.
    fn leaf_bytes(&self) -> u64;

    /// These blocks, each once, where a block may be linked to more than once.
    fn distinct(&self, nodes: Vec<Node>) -> Vec<Node> {
        nodes
    }

    /// Bytes of a block: of a leaf, or of a DAG-CBOR array of links.
    fn size(&self, node: Node) -> u64 {
        if node.is_leaf() {
            return self.leaf_bytes();
        }
        let links = self.link_count(node);
        let head = match links {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            _ => 5,
        };
        head + links * (CID_BYTES + 5)
    }
}

/// What a version has and the other lacks, found by looking at both.
pub(super) fn only_in(versions: &dyn Versions, side: Side) -> Vec<Node> {
    let lacks = |node: Node| match side {
        Side::Old => !versions.is_in_new(node),
        Side::New => node.is_new(),
    };
    let mut found: Vec<Node> = [versions.root(side)].into_iter().filter(|n| lacks(*n)).collect();
    let mut next = 0;
    while let Some(node) = found.get(next).copied() {
        next += 1;
        if !node.is_leaf() {
            found.extend(versions.links(node).into_iter().filter(|link| lacks(*link)));
        }
    }
    versions.distinct(found)
}
