use carpool_core::{Block, Cid};

use crate::{
    Error, Estimation, Metadata, Options, Root,
    dag_pb::{self, Links},
    data::{Data, Kind},
    entries::Entries,
    hamt::Shards,
    name,
    root::dag_pb_block,
};

/// Collects the entries of a directory and decides whether it is one node or a tree of shards
/// ([UnixFS, directories](https://specs.ipfs.tech/unixfs/#dag-pb-directory)).
///
/// An entry with a name of 20 bytes takes 85 bytes, up to 101 with the spare room of a growing
/// index: a million entries were measured at 83 MiB, sorting and making the shards included.
#[derive(Debug)]
pub struct DirectoryBuilder {
    options: Options,
    metadata: Metadata,
    entries: Entries,
    links_estimate: u64,
    block_estimate: u64,
}

impl DirectoryBuilder {
    /// A builder for one directory.
    #[must_use]
    pub fn new(options: &Options, metadata: Metadata) -> Self {
        let metadata = metadata.stored();
        let empty = dag_pb::node(&[], &data(metadata)).len();
        Self {
            options: options.clone(),
            metadata,
            entries: Entries::default(),
            links_estimate: 0,
            block_estimate: empty as u64,
        }
    }

    /// Adds an entry: any order, any bytes as name that can stand in a directory.
    ///
    /// `tsize` is [`Root::tsize`] of what the entry names.
    ///
    /// # Errors
    /// [`Error::Name`] for an empty name, `.`, `..`, or one with `/` or NUL. That a name comes
    /// twice is found by [`Self::finish`].
    pub fn insert(&mut self, name: &[u8], cid: &Cid, tsize: u64) -> Result<(), Error> {
        if !name::is_safe(name) {
            return Err(Error::Name { cid: None, name: name.into() });
        }
        let cid_len = cid.encoded_len();
        self.links_estimate += (name.len() + cid_len) as u64;
        self.block_estimate += dag_pb::link_len(name.len(), cid_len, tsize);
        self.entries.push(name, cid, tsize);
        Ok(())
    }

    /// Entries so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the directory, as it is now, is to be sharded: more entries than
    /// [`Options::max_directory_links`], or a size above [`Options::hamt_threshold`].
    #[must_use]
    pub const fn is_sharded(&self) -> bool {
        let max = self.options.max_directory_links();
        let size = match self.options.estimation() {
            Estimation::Links => self.links_estimate,
            Estimation::Block => self.block_estimate,
            Estimation::Disabled => 0,
        };
        let threshold = self.options.hamt_threshold();
        !self.is_empty() && ((max > 0 && self.len() > max) || (threshold > 0 && size > threshold))
    }

    /// Sorts the entries and gives the machine that makes the blocks.
    ///
    /// # Errors
    /// [`Error::DuplicateName`]; [`Error::HashCollision`] when two names of a sharded directory
    /// have a hash in common, which takes an enemy.
    pub fn finish(mut self) -> Result<DirectoryBlocks, Error> {
        if self.is_sharded() {
            let fanout = self.options.fanout();
            let version = self.options.cid_version();
            let shards = Shards::new(self.entries, fanout, version, self.metadata)?;
            return Ok(DirectoryBlocks { next: Next::Shards(shards) });
        }
        self.entries.sort_by_name()?;
        let (block, root) = self.flat();
        Ok(DirectoryBlocks { next: Next::Flat(Some(block), root) })
    }

    fn flat(&self) -> (Block, Root) {
        let mut links = Links::default();
        for at in 0..self.entries.len() {
            let entry = self.entries.get(at);
            links.push(&[], entry.name, entry.cid, entry.tsize);
        }
        let node = dag_pb::node(links.as_bytes(), &data(self.metadata));
        let block = dag_pb_block(self.options.cid_version(), node);
        let tsize = links.tsize_with(block.data().len());
        let root = Root { cid: *block.cid(), size: 0, tsize };
        (block, root)
    }
}

fn data(metadata: Metadata) -> Data<'static> {
    let mut data = Data::new(Kind::Directory);
    data.metadata = metadata;
    data
}

/// The blocks of a directory, one at a time: each shard as soon as it is complete, its sub-shards
/// before it. Beside the entries it holds one unfinished shard a level.
#[derive(Debug)]
pub struct DirectoryBlocks {
    next: Next,
}

#[derive(Debug)]
enum Next {
    Flat(Option<Block>, Root),
    Shards(Shards),
}

impl DirectoryBlocks {
    /// The next block; call it until it gives `None`. The root's block is the last.
    #[must_use]
    pub fn poll(&mut self) -> Option<Block> {
        match &mut self.next {
            Next::Flat(block, _) => block.take(),
            Next::Shards(shards) => shards.poll(),
        }
    }

    /// The root; `None` while [`Self::poll`] has not given its block.
    #[must_use]
    pub const fn root(&self) -> Option<Root> {
        match &self.next {
            Next::Flat(None, root) => Some(*root),
            Next::Flat(Some(_), _) => None,
            Next::Shards(shards) => shards.root(),
        }
    }
}
