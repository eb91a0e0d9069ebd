//! The streaming layout gives the trees of the recursive one, and files come back out of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod reference;
mod support;

use carpool_unixfs::{Bytes, Metadata, Options, Overrides, Profile};
use proptest::prelude::*;
use support::{Blocks, build_file, cat, chunks_of};

fn options(width: usize, cid_version: u64) -> Options {
    let asked = Overrides {
        max_file_links: Some(width),
        cid_version: Some(cid_version),
        ..Overrides::default()
    };
    Options::new(Profile::UnixfsV1_2025, &asked).unwrap()
}

/// Bytes that differ from leaf to leaf.
fn content(len: usize) -> Vec<u8> {
    (0..len as u32).flat_map(|n| n.to_le_bytes()).take(len).collect()
}

fn check(len: usize, chunk: usize, width: usize, version: u64, batch: usize) {
    let (data, options) = (content(len), options(width, version));
    let chunks = chunks_of(&data, chunk);
    let leaves: Vec<Bytes> = chunks.iter().map(|chunk| chunk.data.clone()).collect();
    let mut blocks = Blocks::new();
    let root = build_file(chunks, Metadata::NONE, &options, batch, &mut blocks);
    let expected = reference::balanced(&leaves, width, options.cid_version());
    assert_eq!(root.cid, expected.cid, "{len} bytes in {chunk}, width {width}");
    assert_eq!((root.size, root.tsize), (expected.size, expected.tsize));
    assert_eq!(cat(root.cid, &blocks).unwrap(), data);
}

#[test]
fn around_every_full_tree() {
    for width in 2..=4usize {
        for leaves in [1, width, width * width, width.pow(3)] {
            for leaves in leaves.saturating_sub(1)..=leaves + 1 {
                check(leaves * 4, 4, width, 1, 1);
                check(leaves * 4 + 1, 4, width, 0, 7);
            }
        }
    }
}

proptest! {
    #[test]
    fn at_any_size_and_width(
        len in 0usize..6000,
        chunk in 1usize..200,
        width in 2usize..12,
        version in 0u64..2,
        batch in 1usize..40,
    ) {
        check(len, chunk, width, version, batch);
    }
}
