use super::{
    change::{Edit, Sequence},
    node::Node,
    versions::{Side, Totals, Versions},
};

/// Balanced trees over two sequences of leaves.
#[derive(Clone, Debug)]
pub struct Tree {
    leaves: Sequence,
    fan_out: u64,
    leaf_bytes: u64,
}

impl Tree {
    /// A tree of `n` leaves and one after an edit; a node has `fan_out` links, the last of a level
    /// what is left.
    #[must_use]
    pub fn new(n: u64, fan_out: u64, leaf_bytes: u64, edit: &Edit) -> Self {
        assert!(n > 0 && fan_out > 1, "a tree has leaves, and gets narrower");
        Self { leaves: Sequence::new(n, edit), fan_out, leaf_bytes }
    }

    fn span(&self, level: u32) -> u64 {
        self.fan_out.saturating_pow(level)
    }

    const fn leaf_count(&self, side: Side) -> u64 {
        match side {
            Side::Old => self.leaves.old_len,
            Side::New => self.leaves.new_len,
        }
    }

    fn height(&self, side: Side) -> u32 {
        let n = self.leaf_count(side);
        (1..).find(|level| self.span(*level) >= n).expect("spans grow")
    }

    const fn side(node: Node) -> Side {
        if node.is_new() { Side::New } else { Side::Old }
    }

    /// Its first leaf, and how many it has.
    fn range(&self, side: Side, level: u32, index: u64) -> (u64, u64) {
        let (span, n) = (self.span(level), self.leaf_count(side));
        let start = index * span;
        (start, span.min(n - start))
    }

    /// The node at a place of the new version, by its place in the old one if it is there.
    fn at(&self, level: u32, index: u64) -> Node {
        let (start, len) = self.range(Side::New, level, index);
        let old = self.leaves.in_old(start, len);
        let same = old.filter(|old| self.is_node(Side::Old, level, *old, len));
        same.map_or_else(|| Node::new(level, index), |old| Node::old(level, old / self.span(level)))
    }

    /// Whether a level of a version has a node of just these leaves.
    fn is_node(&self, side: Side, level: u32, start: u64, len: u64) -> bool {
        let aligned = start.is_multiple_of(self.span(level)) && level <= self.height(side);
        aligned && self.range(side, level, start / self.span(level)).1 == len
    }
}

impl Versions for Tree {
    fn root(&self, side: Side) -> Node {
        let level = self.height(side);
        match side {
            Side::Old => Node::old(level, 0),
            Side::New => self.at(level, 0),
        }
    }

    fn links(&self, node: Node) -> Vec<Node> {
        let (level, first) = (node.level() - 1, node.index() * self.fan_out);
        let places = first..first + self.link_count(node);
        match Self::side(node) {
            Side::Old => places.map(|index| Node::old(level, index)).collect(),
            Side::New => places.map(|index| self.at(level, index)).collect(),
        }
    }

    fn link_count(&self, node: Node) -> u64 {
        let (_, len) = self.range(Self::side(node), node.level(), node.index());
        len.div_ceil(self.span(node.level() - 1))
    }

    fn is_in_new(&self, node: Node) -> bool {
        if node.is_new() {
            return true;
        }
        let (start, len) = self.range(Side::Old, node.level(), node.index());
        let mut new = self.leaves.in_new(start, len);
        new.any(|start| self.is_node(Side::New, node.level(), start, len))
    }

    fn totals(&self, side: Side) -> Totals {
        let n = self.leaf_count(side);
        let interior = (1..=self.height(side)).map(|level| n.div_ceil(self.span(level))).sum();
        Totals { blocks: n + interior, interior }
    }

    fn subtree(&self, node: Node) -> u64 {
        let (_, len) = self.range(Self::side(node), node.level(), node.index());
        (0..=node.level()).map(|level| len.div_ceil(self.span(level))).sum()
    }

    fn parent(&self, node: Node) -> Option<Node> {
        let above = node.level() < self.height(Side::Old);
        above.then(|| Node::old(node.level() + 1, node.index() / self.fan_out))
    }

    fn fan_out(&self) -> u64 {
        self.fan_out
    }

    fn depth(&self) -> u64 {
        self.height(Side::Old).into()
    }

    fn leaf_bytes(&self) -> u64 {
        self.leaf_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{change::Change, versions::only_in},
        *,
    };
    use std::collections::{BTreeMap, BTreeSet};

    /// Every node of a version as the sequence of leaves that it stands for, by brute force: a leaf
    /// is named by its old place, or by its new one where it is new.
    fn contents(tree: &Tree, side: Side) -> BTreeMap<Node, (u32, Vec<u64>)> {
        fn below(tree: &Tree, node: Node, all: &mut BTreeMap<Node, (u32, Vec<u64>)>) -> Vec<u64> {
            let leaves = if node.is_leaf() {
                vec![node.id()]
            } else {
                tree.links(node).into_iter().flat_map(|link| below(tree, link, all)).collect()
            };
            all.insert(node, (node.level(), leaves.clone()));
            leaves
        }
        let mut all = BTreeMap::new();
        below(tree, tree.root(side), &mut all);
        all
    }

    #[test]
    fn nodes_are_shared_exactly_when_their_leaves_are_the_same() {
        for (_, change) in Change::ALL {
            for (n, fan_out, d) in
                [(1, 2, 1), (8, 2, 3), (30, 3, 4), (64, 4, 1), (100, 7, 20), (63, 8, 2)]
            {
                for clustered in [false, true] {
                    let edit = Edit { change, d, clustered };
                    let tree = Tree::new(n, fan_out, 10, &edit);
                    let (old, new) = (contents(&tree, Side::Old), contents(&tree, Side::New));
                    let case = format!("{edit:?} of {n}, fan-out {fan_out}");
                    let values = |all: &BTreeMap<_, _>| {
                        all.values().cloned().collect::<BTreeSet<(u32, Vec<u64>)>>()
                    };
                    let (olds, news) = (values(&old), values(&new));
                    for (node, content) in &new {
                        assert_eq!(node.is_new(), !olds.contains(content), "{case}: {node:?}");
                    }
                    for (node, content) in &old {
                        assert_eq!(
                            tree.is_in_new(*node),
                            news.contains(content),
                            "{case}: {node:?}"
                        );
                        assert!(!node.is_new());
                    }
                    assert_eq!(tree.totals(Side::Old).blocks, old.len() as u64, "{case}");
                    if change != Change::Copy {
                        assert_eq!(tree.totals(Side::New).blocks, new.len() as u64, "{case}");
                    }
                    let missing: BTreeSet<Node> = only_in(&tree, Side::New).into_iter().collect();
                    assert!(new.keys().filter(|node| node.is_new()).eq(&missing), "{case}");
                    assert_eq!(tree.subtree(tree.root(Side::Old)), old.len() as u64);
                }
            }
        }
    }
}
