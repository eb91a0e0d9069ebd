//! `carpool-v1-meta` keeps the leaves that a file has without metadata.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_unixfs::{Cid, File, Limits, Metadata, Mtime, Node, Options, Overrides, Profile};
use support::{Blocks, build_file, cat, chunks_of};

fn options(profile: Profile, metadata: bool) -> Options {
    Options::new(profile, &Overrides { metadata, ..Overrides::default() }).unwrap()
}

fn metadata() -> Metadata {
    Metadata { mode: Some(0o640), mtime: Mtime::new(1_700_000_000, 7).ok() }
}

fn build(data: &[u8], profile: Profile, metadata: Metadata) -> (Cid, Blocks) {
    let options = options(profile, metadata != Metadata::NONE);
    let chunks = chunks_of(data, options.chunking().fixed().expect("chunks of one size"));
    let mut blocks = Blocks::new();
    let root = build_file(chunks, metadata, &options, 4, &mut blocks);
    (root.cid, blocks)
}

fn file(cid: &Cid, blocks: &Blocks) -> File {
    let node = Node::decode(cid, &blocks[cid], &Limits::default()).unwrap();
    let Node::File(file) = node else { panic!("{node:?}") };
    file
}

#[test]
fn a_node_with_the_metadata_stands_over_the_same_leaves() {
    for len in [1, 5, 1 << 20, (1 << 20) + 1] {
        let data = vec![3; len];
        let (plain, leaves) = build(&data, Profile::UnixfsV1_2025, Metadata::NONE);
        let (root, blocks) = build(&data, Profile::CarpoolV1Meta, metadata());
        let file = file(&root, &blocks);
        assert_eq!((file.metadata, file.size), (metadata(), len as u64));
        assert!(file.links.iter().all(|link| leaves.contains_key(&link.cid)));
        assert_eq!(cat(root, &blocks), cat(plain, &leaves));
    }
}

#[test]
fn an_empty_file_is_one_node() {
    let (root, blocks) = build(b"", Profile::CarpoolV1Meta, metadata());
    assert_eq!((file(&root, &blocks).links.len(), blocks.len()), (0, 1));
}

#[test]
fn without_metadata_the_cids_are_those_of_v1_2025() {
    for len in [0, 5, (1 << 20) + 1] {
        let data = vec![3; len];
        let (root, _) = build(&data, Profile::CarpoolV1Meta, Metadata::NONE);
        assert_eq!(root, build(&data, Profile::UnixfsV1_2025, Metadata::NONE).0);
    }
}
