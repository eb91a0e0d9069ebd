//! What the tests share: blocks in memory, machines driven to their end, and an importer that puts
//! the crate's parts together as `ipfs add` would.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "a test fails by panicking")]

pub mod cases;
pub mod content;
pub mod import;
pub mod walk;

use std::collections::BTreeMap;

use carpool_unixfs::{
    Block, Bytes, Cat, Chunk, Cid, EncodedLeaf, Entry, Error, FileBuilder, Limits, List, Metadata,
    Options, Resolve, Root, cat, hash_leaves, list, resolve,
};

pub type Blocks = BTreeMap<Cid, Bytes>;

pub fn put(blocks: &mut Blocks, block: Block) {
    let (cid, data) = block.into_parts();
    blocks.insert(cid, data);
}

/// Builds a file from chunks, hashing `batch` leaves at a time.
pub fn build_file(
    chunks: impl IntoIterator<Item = Chunk>,
    metadata: Metadata,
    options: &Options,
    batch: usize,
    blocks: &mut Blocks,
) -> Root {
    let mut builder = FileBuilder::new(options, metadata);
    let mut chunks = chunks.into_iter().peekable();
    while chunks.peek().is_some() {
        let some = chunks.by_ref().take(batch);
        let leaves = some.map(|chunk| EncodedLeaf::new(chunk, &metadata, options)).collect();
        for leaf in hash_leaves(leaves) {
            builder.handle_leaf(&leaf);
            put(blocks, leaf.into_block());
        }
        while let Some(block) = builder.poll() {
            put(blocks, block);
        }
    }
    let built = builder.finish();
    built.blocks.into_iter().for_each(|block| put(blocks, block));
    built.root
}

/// Chunks of `size` bytes, cut without the crate's chunker.
pub fn chunks_of(data: &[u8], size: usize) -> Vec<Chunk> {
    let only = data.len() <= size;
    if data.is_empty() {
        return vec![Chunk { data: Bytes::new(), only }];
    }
    let cut = |part| Chunk { data: Bytes::copy_from_slice(part), only };
    data.chunks(size).map(cut).collect()
}

pub fn cat(root: Cid, blocks: &Blocks) -> Result<Vec<u8>, Error> {
    drive_cat(Cat::new(root, &Limits::default()), blocks)
}

/// Answers all open loads together, the last one first: the hardest order for the machine.
pub fn drive_cat(mut machine: Cat, blocks: &Blocks) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut open) = (Vec::new(), Vec::new());
    loop {
        match machine.poll()? {
            Some(cat::Output::Load(cid)) => open.push(cid),
            Some(cat::Output::Data(data)) => bytes.extend_from_slice(&data),
            Some(cat::Output::Done) => return Ok(bytes),
            None => {
                assert!(!open.is_empty(), "stuck");
                while let Some(cid) = open.pop() {
                    machine.handle_load(&cid, blocks.get(&cid));
                }
            }
        }
    }
}

pub fn list(root: Cid, blocks: &Blocks) -> Result<Vec<Entry>, Error> {
    let mut machine = List::new(root, &Limits::default());
    let (mut entries, mut open) = (Vec::new(), Vec::new());
    loop {
        match machine.poll()? {
            Some(list::Output::Load(cid)) => open.push(cid),
            Some(list::Output::Entry(entry)) => entries.push(entry),
            Some(list::Output::Done) => return Ok(entries),
            None => {
                assert!(!open.is_empty(), "stuck");
                while let Some(cid) = open.pop() {
                    machine.handle_load(&cid, blocks.get(&cid));
                }
            }
        }
    }
}

/// The end of a path, and the blocks that were loaded on the way.
pub fn resolve(
    root: Cid,
    path: &[u8],
    blocks: &Blocks,
) -> Result<(resolve::Output, Vec<Cid>), Error> {
    let mut machine = Resolve::new(root, path, &Limits::default());
    let mut loaded = Vec::new();
    loop {
        match machine.poll()?.expect("one load at a time, answered at once") {
            resolve::Output::Load(cid) => {
                loaded.push(cid);
                machine.handle_load(&cid, blocks.get(&cid));
            }
            end @ (resolve::Output::Resolved { .. } | resolve::Output::NotFound { .. }) => {
                return Ok((end, loaded));
            }
        }
    }
}
