use sim::dag::mix;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    change::{Change, Edit},
    node::Node,
    versions::{Side, Totals, Versions},
};

/// Bits of a hash that a level of the trie goes by.
const BITS: u32 = 5;
/// Levels until a hash is used up.
const LEVELS: u32 = 11;
const HASH_BITS: u32 = BITS * LEVELS;

/// Hash-array tries over two sets of keys, a leaf for each: a node has a link for each of 32 next
/// hash digits that any key has, to the key's leaf where it is the only one.
///
/// The hash of a key is drawn within its share of all hashes, so that the keys of any node are known by
/// counting and none is kept. What changes stands where hashes stand: neighbours are not a
/// thing of such a trie, so clustered and scattered changes are the same, and an insertion is an append.
/// A leaf that moves keeps its bytes and gets another key.
#[derive(Clone, Debug)]
pub struct Trie {
    n: u64,
    leaf_bytes: u64,
    /// What the new version lacks and has more, by hash. A leaf with other bytes is in both.
    removed: BTreeSet<u64>,
    added: BTreeMap<u64, Node>,
    /// What was removed is there under another key.
    moves: bool,
}

/// All hashes that begin alike.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
}

impl Range {
    /// The hashes below a node, by its place in a depth.
    const fn of(depth: u32, place: u64) -> Self {
        let rest = HASH_BITS - depth * BITS;
        let first = place << rest;
        Self { first, last: first + ((1 << rest) - 1) }
    }
}

impl Trie {
    /// A trie of `n` leaves and one after an edit.
    #[must_use]
    pub fn new(n: u64, leaf_bytes: u64, edit: &Edit) -> Self {
        assert!(n > 0 && n < 1 << 32, "a trie has leaves, each its share of the hashes");
        let (removed, added) = (BTreeSet::new(), BTreeMap::new());
        let moves = edit.change == Change::Move;
        let mut trie = Self { n, leaf_bytes, removed, added, moves };
        match edit.change {
            Change::Insert | Change::Append | Change::Copy => {
                (0..edit.d).for_each(|i| trie.add(mix(i ^ n), Node::new(0, n + i)));
            }
            Change::Replace => chosen(n, edit.d).for_each(|key| {
                let hash = trie.hash(key);
                trie.removed.insert(hash);
                trie.added.insert(hash, Node::new(0, key));
            }),
            Change::Move => chosen(n, edit.d).for_each(|key| {
                let hash = trie.hash(key);
                trie.removed.insert(hash);
                trie.add(mix(hash), Node::old(0, key));
            }),
        }
        trie
    }

    /// Adds a leaf under a hash that nothing has.
    fn add(&mut self, random: u64, leaf: Node) {
        let hashes = (1..).map(|i| mix(random ^ i) >> (64 - HASH_BITS));
        let is_free =
            |hash: &u64| !self.added.contains_key(hash) && self.hash(self.from(*hash)) != *hash;
        let hash = hashes.into_iter().find(is_free).expect("most hashes are free");
        self.added.insert(hash, leaf);
    }

    /// The hash of an old key; they are in order.
    fn hash(&self, key: u64) -> u64 {
        let within = u128::from(key) << 32 | u128::from(mix(key) >> 32);
        let hash = (within << (HASH_BITS - 32)) / u128::from(self.n);
        u64::try_from(hash).expect("below 2^55")
    }

    /// The first old key whose hash is not below this one; the number of keys where there is none.
    fn from(&self, hash: u64) -> u64 {
        let near = (u128::from(hash) * u128::from(self.n)) >> HASH_BITS;
        let near = u64::try_from(near).expect("a key");
        let near = near.saturating_sub(1)..self.n;
        near.into_iter().find(|key| self.hash(*key) >= hash).unwrap_or(self.n)
    }

    /// Old keys of a range: the first, and how many.
    fn old_keys(&self, range: Range) -> (u64, u64) {
        let first = self.from(range.first);
        (first, self.from(range.last + 1) - first)
    }

    fn is_changed(&self, Range { first, last }: Range) -> bool {
        self.removed.range(first..=last).next().is_some()
            || self.added.range(first..=last).next().is_some()
    }

    fn keys(&self, side: Side, range: Range) -> u64 {
        let (_, old) = self.old_keys(range);
        let Range { first, last } = range;
        match side {
            Side::Old => old,
            Side::New => {
                old + self.added.range(first..=last).count() as u64
                    - self.removed.range(first..=last).count() as u64
            }
        }
    }

    /// The one leaf of a range.
    fn leaf(&self, side: Side, range: Range) -> Option<Node> {
        let Range { first, last } = range;
        let (key, count) = self.old_keys(range);
        let kept = |key: &u64| side == Side::Old || !self.removed.contains(&self.hash(*key));
        let old = (key..key + count).find(kept).map(|key| Node::old(0, key));
        old.or_else(|| self.added.range(first..=last).next().map(|(_, leaf)| *leaf))
    }

    /// The node that stands for a range of a depth; none where there is no key.
    fn at(&self, side: Side, depth: u32, place: u64) -> Option<Node> {
        let range = Range::of(depth, place);
        let node = match side {
            Side::New if self.is_changed(range) => Node::new,
            Side::Old | Side::New => Node::old,
        };
        match self.keys(side, range) {
            0 => None,
            1 if depth > 0 => self.leaf(side, range),
            // A level above those that have leaves alone.
            _ => Some(node(depth + 1, place)),
        }
    }

    fn side(node: Node) -> Side {
        if node.is_new() { Side::New } else { Side::Old }
    }
}

/// Keys, each once.
fn chosen(n: u64, d: u64) -> impl Iterator<Item = u64> {
    let (mut keys, mut state) = (BTreeSet::new(), d);
    if d >= n {
        keys.extend(0..n);
    }
    while (keys.len() as u64) < d.min(n) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        keys.insert(mix(state) % n);
    }
    keys.into_iter()
}

impl Versions for Trie {
    fn root(&self, side: Side) -> Node {
        self.at(side, 0, 0).expect("a version has keys")
    }

    fn links(&self, node: Node) -> Vec<Node> {
        let (depth, first) = (node.level(), node.index() << BITS);
        (first..first + (1 << BITS))
            .filter_map(|place| self.at(Self::side(node), depth, place))
            .collect()
    }

    fn link_count(&self, node: Node) -> u64 {
        if node.is_leaf() {
            return 0;
        }
        let (depth, first) = (node.level(), node.index() << BITS);
        let has_keys = |place: &u64| self.keys(Self::side(node), Range::of(depth, *place)) > 0;
        (first..first + (1 << BITS)).filter(has_keys).count() as u64
    }

    fn is_in_new(&self, node: Node) -> bool {
        if node.is_new() {
            return true;
        }
        if node.is_leaf() {
            return self.moves || !self.removed.contains(&self.hash(node.index()));
        }
        !self.is_changed(Range::of(node.level() - 1, node.index()))
    }

    fn totals(&self, side: Side) -> Totals {
        let leaves = match side {
            Side::Old => self.n,
            Side::New => self.n + self.added.len() as u64 - self.removed.len() as u64,
        };
        let interior = interior(leaves);
        Totals { blocks: leaves + interior, interior }
    }

    fn subtree(&self, node: Node) -> u64 {
        if node.is_leaf() {
            return 1;
        }
        let (_, keys) = self.old_keys(Range::of(node.level() - 1, node.index()));
        keys + interior(keys)
    }

    fn fan_out(&self) -> u64 {
        1 << BITS
    }

    /// Where no two of the keys are expected to have a hash in common any more.
    fn depth(&self) -> u64 {
        let pairs = u128::from(self.n).pow(2);
        (1..u64::from(LEVELS))
            .find(|depth| 1 << (u64::from(BITS) * *depth) > pairs)
            .unwrap_or_else(|| LEVELS.into())
    }

    fn leaf_bytes(&self) -> u64 {
        self.leaf_bytes
    }
}

/// Nodes to be expected above so many keys: those of whose hashes at least two begin alike.
fn interior(keys: u64) -> u64 {
    let mut total = 1.0;
    for depth in 1..LEVELS {
        let cells = (1_u64 << (BITS * depth)) as f64;
        let load = keys as f64 / cells;
        let nodes = cells * (1.0 - (-load).exp() * (1.0 + load));
        total += nodes;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    return total.round() as u64;
}

#[cfg(test)]
mod tests {
    use super::{super::versions::only_in, *};
    use std::collections::BTreeMap;

    /// Every node of a version with the leaves below it, by brute force.
    fn contents(trie: &Trie, side: Side) -> BTreeMap<Node, Vec<u64>> {
        fn below(trie: &Trie, node: Node, all: &mut BTreeMap<Node, Vec<u64>>) -> Vec<u64> {
            let leaves: Vec<u64> = if node.is_leaf() {
                vec![node.id()]
            } else {
                trie.links(node).into_iter().flat_map(|link| below(trie, link, all)).collect()
            };
            all.insert(node, leaves.clone());
            leaves
        }
        let mut all = BTreeMap::new();
        below(trie, trie.root(side), &mut all);
        all
    }

    #[test]
    fn nodes_are_shared_exactly_when_nothing_below_them_changed() {
        for change in [Change::Replace, Change::Append, Change::Move] {
            for (n, d) in [(1, 1), (40, 3), (5_000, 1), (5_000, 70)] {
                let trie = Trie::new(n, 10, &Edit { change, d, clustered: false });
                let (old, new) = (contents(&trie, Side::Old), contents(&trie, Side::New));
                let case = format!("{change:?} {d} of {n}");
                assert_eq!(old.keys().filter(|node| node.is_leaf()).count() as u64, n, "{case}");
                for node in new.keys().filter(|node| !node.is_new()) {
                    assert_eq!(new[node], old[node], "{case}: {node:?}");
                }
                for node in old.keys() {
                    assert_eq!(trie.is_in_new(*node), new.contains_key(node), "{case}: {node:?}");
                    let links = if node.is_leaf() { 0 } else { trie.links(*node).len() as u64 };
                    assert_eq!(trie.link_count(*node), links, "{case}: {node:?}");
                }
                let missing: BTreeSet<Node> = only_in(&trie, Side::New).into_iter().collect();
                assert!(new.keys().filter(|node| node.is_new()).eq(&missing), "{case}");
                let leaves = missing.iter().filter(|node| node.is_leaf()).count() as u64;
                assert_eq!(leaves, if change == Change::Move { 0 } else { d }, "{case}");
            }
        }
    }

    #[test]
    fn nodes_are_as_many_as_expected() {
        let trie = Trie::new(50_000, 10, &Edit { change: Change::Replace, d: 1, clustered: false });
        let interior =
            contents(&trie, Side::Old).keys().filter(|node| !node.is_leaf()).count() as u64;
        let expected = trie.totals(Side::Old).interior;
        let near = interior.abs_diff(expected) * 5 < interior;
        assert!(near, "{interior} nodes, {expected} expected");
    }
}
