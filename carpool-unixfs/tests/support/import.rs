//! An importer that puts the crate's parts together as `ipfs add` would: the oracle is Kubo's CID.

use std::collections::BTreeMap;

use carpool_unixfs::{Bytes, Chunker, DirectoryBuilder, Metadata, Mtime, Options, Root, symlink};

use super::{Blocks, build_file, put};

/// A thing to be imported.
#[derive(Clone)]
pub enum Item {
    File(Vec<Bytes>),
    Directory(BTreeMap<Vec<u8>, Node>),
    Symlink(String),
}

#[derive(Clone)]
pub struct Node {
    pub item: Item,
    pub metadata: Metadata,
}

impl Node {
    pub fn directory() -> Self {
        Self { item: Item::Directory(BTreeMap::new()), metadata: Metadata::NONE }
    }
}

/// What `ipfs add` knows beside the settings that decide CIDs.
pub struct Add {
    pub options: Options,
    pub hidden: bool,
    pub empty_dirs: bool,
    pub dereference: bool,
    pub wrap: bool,
    pub preserve_mode: bool,
    pub preserve_mtime: bool,
    pub mode: Option<u32>,
    pub mtime: Option<Mtime>,
}

impl Add {
    pub fn run(&self, input: &Node, blocks: &mut Blocks) -> Root {
        let root = self.import(input, blocks);
        if !self.wrap {
            return root;
        }
        let mut wrapper = DirectoryBuilder::new(&self.options, Metadata::NONE);
        wrapper.insert(b"input", &root.cid, root.tsize).unwrap();
        finish(wrapper, blocks)
    }

    fn import(&self, node: &Node, blocks: &mut Blocks) -> Root {
        let metadata = self.metadata(&node.metadata);
        match &node.item {
            Item::File(pieces) => file(pieces, metadata, &self.options, blocks),
            Item::Symlink(target) => {
                let built = symlink(target.as_bytes(), &metadata, &self.options);
                built.blocks.into_iter().for_each(|block| put(blocks, block));
                built.root
            }
            Item::Directory(entries) => {
                let mut builder = DirectoryBuilder::new(&self.options, metadata);
                for (name, child) in entries {
                    if let Some(child) = self.taken(name, child, entries) {
                        let root = self.import(child, blocks);
                        builder.insert(name, &root.cid, root.tsize).unwrap();
                    }
                }
                finish(builder, blocks)
            }
        }
    }

    fn metadata(&self, found: &Metadata) -> Metadata {
        Metadata {
            mode: self.mode.or_else(|| found.mode.filter(|_| self.preserve_mode)),
            mtime: self.mtime.or_else(|| found.mtime.filter(|_| self.preserve_mtime)),
        }
    }

    fn taken<'a>(
        &self,
        name: &[u8],
        child: &'a Node,
        siblings: &'a BTreeMap<Vec<u8>, Node>,
    ) -> Option<&'a Node> {
        if name.starts_with(b".") && !self.hidden {
            return None;
        }
        match &child.item {
            Item::Directory(entries) if entries.is_empty() && !self.empty_dirs => None,
            Item::Symlink(target) if self.dereference => Some(follow(target, siblings)),
            Item::File(_) | Item::Directory(_) | Item::Symlink(_) => Some(child),
        }
    }
}

fn follow<'a>(target: &str, mut entries: &'a BTreeMap<Vec<u8>, Node>) -> &'a Node {
    let mut found = None;
    for name in target.split('/') {
        let node = &entries[name.as_bytes()];
        if let Item::Directory(below) = &node.item {
            entries = below;
        }
        found = Some(node);
    }
    found.unwrap()
}

pub fn file(pieces: &[Bytes], metadata: Metadata, options: &Options, blocks: &mut Blocks) -> Root {
    let mut chunker = Chunker::new(options);
    let mut pieces = pieces.iter();
    let mut ended = false;
    let chunks = std::iter::from_fn(|| {
        loop {
            let chunk = chunker.poll();
            if chunk.is_some() || ended {
                return chunk;
            }
            match pieces.next() {
                Some(piece) => chunker.handle_data(piece.clone()),
                None => {
                    ended = true;
                    chunker.handle_end();
                }
            }
        }
    });
    build_file(chunks, metadata, options, 32, blocks)
}

pub fn finish(builder: DirectoryBuilder, blocks: &mut Blocks) -> Root {
    let mut machine = builder.finish().unwrap();
    while let Some(block) = machine.poll() {
        put(blocks, block);
    }
    machine.root().unwrap()
}
