use alloc::vec::Vec;

use carpool_core::{Block, Bytes, Cid, Multihash, SHA2_256, Version, codec, sha2_256_each};

use crate::{
    Chunk, Metadata, Options, Root, dag_pb,
    data::{Data, Kind},
};

/// A leaf's bytes before they are hashed. Leaves of many files go into one batch: see
/// [`hash_leaves`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedLeaf {
    data: Bytes,
    raw: bool,
    version: Version,
    size: u64,
    whole: bool,
}

impl EncodedLeaf {
    /// Encodes one chunk of a file that has `metadata`.
    ///
    /// A raw leaf is the chunk itself and copies nothing. Where the chunk is the only one, the leaf
    /// is the whole file if it can be: a DAG-PB leaf then carries the metadata, and a raw one does
    /// where there is none; an empty file with metadata is a DAG-PB node either way.
    #[must_use]
    pub fn new(chunk: Chunk, metadata: &Metadata, options: &Options) -> Self {
        let size = chunk.data.len() as u64;
        let own = if chunk.only { metadata.stored() } else { Metadata::NONE };
        let raw = options.raw_leaves() && (size > 0 || own.is_none());
        let whole = chunk.only && (!raw || own.is_none());
        let data = if raw { chunk.data } else { file_node(&chunk.data, own) };
        let version = if raw { Version::V1 } else { options.cid_version() };
        Self { data, raw, version, size, whole }
    }

    fn hashed(self, digest: [u8; 32]) -> Leaf {
        let hash = Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit into 64");
        let cid = match (self.version, self.raw) {
            (Version::V0, _) => Cid::new_v0(hash).expect("SHA2-256 makes version 0"),
            (Version::V1, true) => Cid::new_v1(codec::RAW, hash),
            (Version::V1, false) => Cid::new_v1(codec::DAG_PB, hash),
        };
        Leaf { block: Block::new_unchecked(cid, self.data), size: self.size, whole: self.whole }
    }
}

impl AsRef<[u8]> for EncodedLeaf {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

fn file_node(bytes: &[u8], metadata: Metadata) -> Bytes {
    let mut data = Data::new(Kind::File);
    data.bytes = (!bytes.is_empty()).then_some(bytes);
    data.size = Some(bytes.len() as u64);
    data.metadata = metadata;
    dag_pb::node(&[], &data).into()
}

/// A leaf of a file: a block, and what the file's tree needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    block: Block,
    size: u64,
    whole: bool,
}

impl Leaf {
    /// The leaf's block.
    #[must_use]
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// Bytes of the file in it.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is the whole file, metadata and all, so that the file needs no node above it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What the file's tree keeps of it. Whoever stores no blocks goes on with this alone, so that the
    /// memory of the bytes is free at once.
    #[must_use]
    pub const fn link(&self) -> LeafLink {
        let tsize = self.block.data().len() as u64;
        let root = Root { cid: *self.block.cid(), size: self.size, tsize };
        LeafLink { root, whole: self.whole }
    }

    /// The block, once [`FileBuilder::handle_leaf`](crate::FileBuilder::handle_leaf) has seen the
    /// leaf.
    #[must_use]
    pub fn into_block(self) -> Block {
        self.block
    }
}

/// A leaf without its bytes: what a file's tree is built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafLink {
    pub(crate) root: Root,
    pub(crate) whole: bool,
}

impl LeafLink {
    /// Bytes of the file in the leaf.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.root.size
    }
}

/// Hashes leaves, of one file or of many, and gives them back in their order.
///
/// Several messages hashed together go faster than one after another: collect leaves until there
/// are some dozens, also across small files.
#[must_use]
pub fn hash_leaves(batch: Vec<EncodedLeaf>) -> Vec<Leaf> {
    let digests = sha2_256_each(&batch);
    batch.into_iter().zip(digests).map(|(leaf, digest)| leaf.hashed(digest)).collect()
}
