//! What the tests share.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
use carpool_car::{Decoder, Item};
use carpool_core::{Block, Bytes, Cid, Limits, Unverified, codec, verify};
use carpool_store::{LocalOptions, LocalStore};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An empty folder, in memory where there is such a thing: the tests sync a lot.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = if memory.is_dir() { tempfile::tempdir_in(memory).ok() } else { None };
    in_memory.unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// A block of `len` bytes that differs for every `n`.
pub fn block(n: u64, len: usize) -> Block {
    let mut data = n.to_le_bytes().to_vec();
    data.resize(len.max(8), (n % 251) as u8);
    Block::new(codec::RAW, data.into())
}

pub fn blocks(numbers: std::ops::Range<u64>, len: usize) -> Vec<Block> {
    numbers.map(|n| block(n, len)).collect()
}

pub fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}

pub fn data(blocks: &[Block]) -> Vec<Option<Bytes>> {
    blocks.iter().map(|block| Some(block.data().clone())).collect()
}

pub fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, LocalOptions::default()).unwrap()
}

/// Options with segments of `segment_bytes`.
pub fn small(segment_bytes: u64) -> LocalOptions {
    let mut options = LocalOptions::default();
    options.segment_bytes = segment_bytes;
    options
}

pub fn segments(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(path.join("blocks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "car"))
        .collect();
    found.sort();
    found
}

/// Copies a store as it lies on the disk, while it may be open.
pub fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("blocks")).unwrap();
    for entry in
        std::fs::read_dir(from).unwrap().chain(std::fs::read_dir(from.join("blocks")).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.strip_prefix(from).unwrap())).unwrap();
        }
    }
}

/// Decodes and hashes every segment by itself; there must be `expected` blocks in all.
pub fn check_cars(folder: &Path, expected: usize) {
    let mut count = 0;
    for path in segments(folder) {
        let mut decoder = Decoder::new(&Limits::default());
        decoder.handle_data(std::fs::read(path).unwrap().into());
        decoder.handle_eof();
        let Some(Item::Header(header)) = decoder.poll().unwrap() else { panic!("a header") };
        assert_eq!(header.roots, ["bafkqaaa".parse::<Cid>().unwrap()]);
        while let Some(Item::Section(section)) = decoder.poll().unwrap() {
            let claim = Unverified { cid: section.cid, data: section.data };
            assert!(verify(vec![claim])[0].is_ok());
            count += 1;
        }
    }
    assert_eq!(count, expected);
}
