use super::{
    change::{Change, Edit},
    node::Node,
    versions::{Side, Totals, Versions},
};

/// A history: each entry links to the one before it and to a leaf of its own.
///
/// Whatever changes in an entry changes all later ones, so what `d` means is: the last `d` entries
/// are new. Those of an append or an insertion come on top, those of a replacement and of a move
/// stand for as many old ones.
#[derive(Clone, Debug)]
pub struct Chain {
    old_len: u64,
    new_len: u64,
    /// The first entry that is new.
    first: u64,
    leaf_bytes: u64,
}

impl Chain {
    /// A chain of `n` entries and one after an edit.
    #[must_use]
    pub fn new(n: u64, leaf_bytes: u64, edit: &Edit) -> Self {
        let (first, new_len) = match edit.change {
            Change::Append | Change::Insert => (n, n + edit.d),
            Change::Replace | Change::Move | Change::Copy => (n - edit.d.min(n), n),
        };
        Self { old_len: n, new_len, first, leaf_bytes }
    }

    fn at(&self, level: u32, index: u64) -> Node {
        if index < self.first { Node::old(level, index) } else { Node::new(level, index) }
    }

    const fn len(&self, side: Side) -> u64 {
        match side {
            Side::Old => self.old_len,
            Side::New => self.new_len,
        }
    }
}

impl Versions for Chain {
    fn root(&self, side: Side) -> Node {
        match side {
            Side::Old => Node::old(1, self.old_len - 1),
            Side::New => self.at(1, self.new_len - 1),
        }
    }

    fn links(&self, node: Node) -> Vec<Node> {
        let index = node.index();
        let at = |level, index| {
            if node.is_new() { self.at(level, index) } else { Node::old(level, index) }
        };
        index.checked_sub(1).map(|before| at(1, before)).into_iter().chain([at(0, index)]).collect()
    }

    fn link_count(&self, node: Node) -> u64 {
        if node.index() == 0 { 1 } else { 2 }
    }

    fn is_in_new(&self, node: Node) -> bool {
        node.is_new() || node.index() < self.first
    }

    fn totals(&self, side: Side) -> Totals {
        Totals { blocks: 2 * self.len(side), interior: self.len(side) }
    }

    fn subtree(&self, node: Node) -> u64 {
        if node.is_leaf() { 1 } else { 2 * (node.index() + 1) }
    }

    fn fan_out(&self) -> u64 {
        2
    }

    fn depth(&self) -> u64 {
        self.old_len
    }

    fn leaf_bytes(&self) -> u64 {
        self.leaf_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{super::versions::only_in, *};

    #[test]
    fn the_last_entries_are_new() {
        for (change, missing, lost) in
            [(Change::Append, 6, 0), (Change::Insert, 6, 0), (Change::Replace, 6, 6)]
        {
            let chain = Chain::new(10, 5, &Edit { change, d: 3, clustered: true });
            assert_eq!(only_in(&chain, Side::New).len(), missing);
            assert_eq!(only_in(&chain, Side::Old).len(), lost);
        }
    }
}
