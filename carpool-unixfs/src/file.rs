use alloc::{collections::VecDeque, vec::Vec};

use carpool_core::{Block, Bytes, Version};

use crate::{
    Built, Chunk, EncodedLeaf, Leaf, LeafLink, Metadata, Options, Root,
    dag_pb::{self, Links},
    data::{Data, Kind},
    hash_leaves,
    root::dag_pb_block,
};

/// Builds the balanced tree over a file's leaves
/// ([UnixFS, layouts](https://specs.ipfs.tech/unixfs/#layout)): all leaves at the same depth, every
/// node full but those on the right edge.
///
/// Holds one unfinished node a level: memory grows with links × depth and not with the file. Leaves
/// are encoded and hashed outside ([`EncodedLeaf`], [`hash_leaves`]) and told in file order.
#[derive(Debug)]
pub struct FileBuilder {
    options: Options,
    metadata: Metadata,
    levels: Vec<Level>,
    ready: VecDeque<Block>,
    whole: Option<Root>,
}

/// The unfinished node at one height.
#[derive(Debug, Default)]
struct Level {
    links: Links,
    sizes: Vec<u64>,
    size: u64,
}

impl Level {
    fn push(&mut self, child: &Root) {
        self.links.push(&[], &[], &child.cid.to_bytes(), child.tsize);
        self.sizes.push(child.size);
        self.size = self.size.saturating_add(child.size);
    }

    fn close(&mut self, version: Version, metadata: Metadata) -> (Root, Block) {
        let level = core::mem::take(self);
        let mut data = Data::new(Kind::File);
        data.size = Some(level.size);
        data.block_sizes = &level.sizes;
        data.metadata = metadata;
        let block = dag_pb_block(version, dag_pb::node(level.links.as_bytes(), &data));
        let tsize = level.links.tsize_with(block.data().len());
        (Root { cid: *block.cid(), size: level.size, tsize }, block)
    }
}

impl FileBuilder {
    /// A builder for one file. Give `metadata` to its leaves too.
    #[must_use]
    pub fn new(options: &Options, metadata: Metadata) -> Self {
        let metadata = metadata.stored();
        let (levels, ready) = (Vec::new(), VecDeque::new());
        Self { options: options.clone(), metadata, levels, ready, whole: None }
    }

    /// Takes the file's next leaf. [`Self::poll`] afterwards.
    pub fn handle_leaf(&mut self, leaf: &Leaf) {
        self.handle_link(&leaf.link());
    }

    /// As [`Self::handle_leaf`], of a leaf whose bytes are gone.
    pub fn handle_link(&mut self, leaf: &LeafLink) {
        self.whole = (leaf.whole && self.levels.is_empty()).then_some(leaf.root);
        self.push(&leaf.root);
    }

    /// A node that has been finished. Call it until it gives `None` after each
    /// [`Self::handle_leaf`], or let nodes gather: they also come out of [`Self::finish`].
    #[must_use]
    pub fn poll(&mut self) -> Option<Block> {
        self.ready.pop_front()
    }

    /// Says that the file has ended. A file without any leaf is an empty one.
    #[must_use]
    pub fn finish(mut self) -> Built {
        if self.levels.is_empty() {
            self.push_empty_leaf();
        }
        if let Some(root) = self.whole {
            return Built { root, blocks: self.ready.into() };
        }
        let mut height = 0;
        while height + 1 < self.levels.len() {
            let child = self.close(height, Metadata::NONE);
            self.push_at(height + 1, &child);
            height += 1;
        }
        let root = self.close(height, self.metadata);
        Built { root, blocks: self.ready.into() }
    }

    fn push_empty_leaf(&mut self) {
        let chunk = Chunk { data: Bytes::new(), only: true };
        let encoded = EncodedLeaf::new(chunk, &self.metadata, &self.options);
        for leaf in hash_leaves(alloc::vec![encoded]) {
            self.handle_leaf(&leaf);
            self.ready.push_back(leaf.into_block());
        }
    }

    fn push(&mut self, leaf: &Root) {
        self.push_at(0, leaf);
    }

    /// A full node is closed only when one more child comes: until then it may be the root, which
    /// carries the metadata.
    fn push_at(&mut self, height: usize, child: &Root) {
        let mut carried = *child;
        for at in height.. {
            if at == self.levels.len() {
                self.levels.push(Level::default());
            }
            if self.levels[at].links.len() < self.options.max_file_links() {
                return self.levels[at].push(&carried);
            }
            let full = self.close(at, Metadata::NONE);
            self.levels[at].push(&carried);
            carried = full;
        }
    }

    fn close(&mut self, height: usize, metadata: Metadata) -> Root {
        let (root, block) = self.levels[height].close(self.options.cid_version(), metadata);
        self.ready.push_back(block);
        root
    }
}
