use super::{Chain, Edit, Tree, Trie, Versions};

/// What a DAG looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A balanced tree with this many links a node.
    Tree(u64),
    /// A history: see [`Chain`].
    Chain,
    /// A hash-array trie: see [`Trie`].
    Trie,
    /// Two versions that are no edit of each other by a rule: see [`Recorded`](super::Recorded).
    Recorded,
}

impl Shape {
    /// All that have a name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("wide", Self::Tree(174)),
        ("wide1024", Self::Tree(1024)),
        ("k32", Self::Tree(32)),
        ("k8", Self::Tree(8)),
        ("binary", Self::Tree(2)),
        ("chain", Self::Chain),
        ("trie", Self::Trie),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, shape)| *shape == self).map_or("recorded", |(name, _)| name)
    }

    /// Two versions.
    ///
    /// # Panics
    /// For [`Self::Recorded`], which has no rule to make them by.
    #[must_use]
    pub fn versions(self, n: u64, leaf_bytes: u64, edit: &Edit) -> Box<dyn Versions> {
        match self {
            Self::Tree(fan_out) => Box::new(Tree::new(n, fan_out, leaf_bytes, edit)),
            Self::Chain => Box::new(Chain::new(n, leaf_bytes, edit)),
            Self::Trie => Box::new(Trie::new(n, leaf_bytes, edit)),
            Self::Recorded => unreachable!("recorded versions are read, and not made"),
        }
    }
}
