//! What a directory takes and refuses, and when it is sharded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_core::{Block, Fault, codec};
use carpool_unixfs::{
    Cid, DirectoryBuilder, Error, Estimation, Limits, Metadata, Mtime, Node, Options, Overrides,
    Profile, resolve::Output, symlink,
};
use support::{Blocks, import::finish, put, resolve};

fn leaf() -> Cid {
    *Block::new(codec::RAW, "x".into()).cid()
}

fn builder(asked: Overrides) -> DirectoryBuilder {
    let options = Options::new(Profile::UnixfsV1_2025, &asked).unwrap();
    DirectoryBuilder::new(&options, Metadata::NONE)
}

#[test]
fn unsafe_names_are_refused_at_once() {
    let mut directory = builder(Overrides::default());
    for name in [&b""[..], b".", b"..", b"a/b", b"\0"] {
        let error = directory.insert(name, &leaf(), 1).unwrap_err();
        assert_eq!(error, Error::Name { cid: None, name: name.into() });
        assert_eq!(error.fault(), Fault::Caller);
    }
    assert!(directory.is_empty());
}

#[test]
fn a_name_that_comes_twice_is_refused_at_the_end() {
    for max_directory_links in [None, Some(1)] {
        let mut directory = builder(Overrides { max_directory_links, ..Overrides::default() });
        for name in ["b", "a", "c", "b"] {
            directory.insert(name.as_bytes(), &leaf(), 1).unwrap();
        }
        assert_eq!(directory.is_sharded(), max_directory_links.is_some());
        let twice = Error::DuplicateName { cid: None, name: b"b"[..].into() };
        assert_eq!(directory.finish().err(), Some(twice));
    }
}

#[test]
fn sharding_begins_one_byte_past_the_threshold() {
    let fill = |asked| {
        let mut directory = builder(asked);
        (0..10).for_each(|n| directory.insert(&[b'a' + n], &leaf(), 1).unwrap());
        directory
    };
    let block = fill(Overrides { hamt_threshold: Some(0), ..Overrides::default() });
    let bytes = block.finish().unwrap().poll().unwrap().data().len() as u64;
    for (estimation, size) in [(Estimation::Block, bytes), (Estimation::Links, 10 * 37)] {
        for (threshold, sharded) in [(size, false), (size - 1, true), (0, false)] {
            let asked = Overrides {
                estimation: Some(estimation),
                hamt_threshold: Some(threshold),
                ..Overrides::default()
            };
            assert_eq!(fill(asked).is_sharded(), sharded, "{estimation:?} {threshold}");
        }
    }
}

#[test]
fn metadata_is_on_the_directory_and_comes_back() {
    let metadata = Metadata { mode: Some(0o1755), mtime: Mtime::new(-1, 5).ok() };
    for max_directory_links in [None, Some(1)] {
        let asked = Overrides { max_directory_links, ..Overrides::default() };
        let options = Options::new(Profile::UnixfsV1_2025, &asked).unwrap();
        let mut directory = DirectoryBuilder::new(&options, metadata);
        directory.insert(b"a", &leaf(), 1).unwrap();
        directory.insert(b"b", &leaf(), 1).unwrap();
        let mut blocks = Blocks::new();
        let root = finish(directory, &mut blocks).cid;
        let found = match Node::decode(&root, &blocks[&root], &Limits::default()).unwrap() {
            Node::Directory(directory) => directory.metadata,
            Node::Shard(shard) => shard.metadata,
            other @ (Node::Raw(_) | Node::File(_) | Node::Symlink(_)) => panic!("{other:?}"),
        };
        assert_eq!(found, metadata);
    }
}

#[test]
fn paths_lead_through_directories_and_not_through_links() {
    let mut blocks = Blocks::new();
    let mut inner = builder(Overrides::default());
    inner.insert(b"file", &leaf(), 1).unwrap();
    let inner = finish(inner, &mut blocks);
    let link = symlink(b"inner", &Metadata::NONE, &Options::default());
    link.blocks.into_iter().for_each(|block| put(&mut blocks, block));
    let mut outer = builder(Overrides { max_directory_links: Some(1), ..Overrides::default() });
    outer.insert(b"inner", &inner.cid, inner.tsize).unwrap();
    outer.insert(b"link", &link.root.cid, link.root.tsize).unwrap();
    let outer = finish(outer, &mut blocks).cid;
    put(&mut blocks, Block::new(codec::RAW, "x".into()));
    let end = |path: &str| resolve(outer, path.as_bytes(), &blocks).unwrap();
    let found = Output::Resolved { cid: leaf(), tsize: Some(1) };
    assert_eq!(end("inner/file").0, found);
    assert_eq!(end("/inner//file/"), (found, vec![outer, inner.cid]));
    assert_eq!(end(""), (Output::Resolved { cid: outer, tsize: None }, vec![]));
    for (path, at) in [("x", 0), ("inner/x", 1), ("inner/file/x", 2), ("link/file", 1), ("..", 0)] {
        assert_eq!(end(path).0, Output::NotFound { at }, "{path}");
    }
}

#[test]
fn a_symlink_has_a_time_and_no_mode() {
    let mtime = Mtime::new(1_700_000_000, 0).ok();
    let built = symlink(b"../t", &Metadata { mode: Some(0o777), mtime }, &Options::default());
    let block = &built.blocks[0];
    let node = Node::decode(block.cid(), block.data(), &Limits::default()).unwrap();
    let Node::Symlink(link) = node else { panic!("{node:?}") };
    assert_eq!((&link.target[..], link.metadata), (&b"../t"[..], Metadata { mode: None, mtime }));
}
