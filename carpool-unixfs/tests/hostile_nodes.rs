//! Nodes that contradict themselves or each other are refused, each with its own error.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_core::{Block, Multihash, codec};
use carpool_unixfs::{Bytes, Cid, Error, Limits, Node};
use proptest::{collection::vec, prelude::*};
use support::{Blocks, cat, list, put, resolve};

/// A protobuf field with bytes.
fn field(key: u8, value: &[u8]) -> Vec<u8> {
    assert!(value.len() < 128);
    [&[key, value.len() as u8], value].concat()
}

fn link(name: &str, cid: &Cid) -> Vec<u8> {
    let inner = [field(0x0a, &cid.to_bytes()), field(0x12, name.as_bytes()), vec![0x18, 1]];
    field(0x12, &inner.concat())
}

fn node(links: &[Vec<u8>], data: &[u8]) -> Block {
    Block::new(codec::DAG_PB, [links.concat(), field(0x0a, data)].concat().into())
}

fn leaf() -> Block {
    Block::new(codec::RAW, "x".into())
}

fn decode(block: &Block) -> Result<Node, Error> {
    Node::decode(block.cid(), block.data(), &Limits::default())
}

fn store<'a>(all: impl IntoIterator<Item = &'a Block>) -> Blocks {
    let mut blocks = Blocks::new();
    all.into_iter().for_each(|block| put(&mut blocks, block.clone()));
    blocks
}

#[test]
fn a_file_says_one_size_for_each_link() {
    let links = [link("", leaf().cid()), link("", leaf().cid())];
    let error = decode(&node(&links, &[8, 2, 0x18, 1, 0x20, 1])).unwrap_err();
    assert!(matches!(error, Error::BlockSizes { links: 2, sizes: 1, .. }));
}

#[test]
fn a_files_size_is_the_sum_of_its_parts() {
    let wrong = node(&[link("", leaf().cid())], &[8, 2, 0x18, 2, 0x20, 1]);
    assert!(matches!(decode(&wrong), Err(Error::Size { claimed: 2, actual: 1, .. })));
    let huge = [&[0xff; 9][..], &[1]].concat();
    let sizes = [&[8, 2, 0x20][..], &huge, &[0x20], &huge].concat();
    let over = node(&[link("", leaf().cid()), link("", leaf().cid())], &sizes);
    assert!(matches!(decode(&over), Err(Error::Size { actual: u64::MAX, .. })));
}

#[test]
fn a_part_has_the_bytes_that_were_claimed_for_it() {
    let wrong = node(&[link("", leaf().cid())], &[8, 2, 0x18, 5, 0x20, 5]);
    let error = cat(*wrong.cid(), &store([&wrong, &leaf()])).unwrap_err();
    assert_eq!(error, Error::Size { cid: *leaf().cid(), claimed: 5, actual: 1 });
}

#[test]
fn packed_sizes_and_unknown_fields_are_read() {
    let links = [link("", leaf().cid()), link("", leaf().cid())];
    let file = node(&links, &[8, 2, 0x22, 2, 1, 1, 0x78, 9]);
    assert_eq!(cat(*file.cid(), &store([&file, &leaf()])).unwrap(), b"xx");
}

#[test]
fn names_that_lead_out_of_a_directory_are_refused() {
    for name in ["", ".", "..", "a/b", "/", "a\0b"] {
        let directory = node(&[link(name, leaf().cid())], &[8, 1]);
        let expected = Error::Name { cid: Some(*directory.cid()), name: name.as_bytes().into() };
        assert_eq!(decode(&directory), Err(expected));
    }
}

#[test]
fn a_name_comes_once() {
    let links = ["b", "a", "b"].map(|name| link(name, leaf().cid()));
    let error = decode(&node(&links, &[8, 1])).unwrap_err();
    assert!(matches!(error, Error::DuplicateName { name, .. } if *name == *b"b"));
    let unsorted = node(&links[..2], &[8, 1]);
    assert!(decode(&unsorted).is_ok());
}

#[test]
fn types_and_codecs_nobody_knows_are_refused() {
    for kind in [3, 6] {
        let error = decode(&node(&[], &[8, kind])).unwrap_err();
        assert!(matches!(error, Error::Type { kind: k, .. } if k == u64::from(kind)));
    }
    assert!(matches!(decode(&node(&[], &[])), Err(Error::Malformed { .. })));
    let cbor = Block::new(codec::DAG_CBOR, "\u{0}".into());
    assert!(matches!(decode(&cbor), Err(Error::Codec { .. })));
    let no_data = Block::new(codec::DAG_PB, Bytes::new());
    assert!(matches!(decode(&no_data), Err(Error::Malformed { .. })));
}

#[test]
fn a_second_has_a_billion_nanoseconds() {
    let time = |nanos: u32| {
        let inner = [&[8, 1, 0x15][..], &nanos.to_le_bytes()].concat();
        node(&[], &[vec![8, 2], field(0x42, &inner)].concat())
    };
    assert!(decode(&time(999_999_999)).is_ok());
    assert!(matches!(decode(&time(1_000_000_000)), Err(Error::Malformed { .. })));
}

/// A shard of fanout 8 with one link.
fn shard(name: &str, bits: &[u8], fanout: u8, cid: &Cid) -> Block {
    let data = [vec![8, 5], field(0x12, bits), vec![0x28, 0x22, 0x30, fanout]];
    node(&[link(name, cid)], &data.concat())
}

#[test]
fn a_shards_bit_field_is_its_slots() {
    assert!(decode(&shard("3a", &[8], 8, leaf().cid())).is_ok());
    for (name, bits) in [("3a", &[4][..]), ("3a", &[0, 8]), ("8a", &[1]), ("", &[1]), ("3a", &[])] {
        let error = decode(&shard(name, bits, 8, leaf().cid())).unwrap_err();
        assert!(matches!(error, Error::Bitfield { .. }), "{name} {bits:?}");
    }
    for fanout in [0, 4, 9, 12] {
        let error = decode(&shard("3a", &[8], fanout, leaf().cid())).unwrap_err();
        assert!(matches!(error, Error::Fanout { .. }), "{fanout}");
    }
}

#[test]
fn a_shards_hash_is_murmur3() {
    let data = [vec![8, 5], field(0x12, &[8]), vec![0x28, 0x12, 0x30, 8]].concat();
    let wrong = node(&[link("3a", leaf().cid())], &data);
    assert!(matches!(decode(&wrong), Err(Error::Malformed { .. })));
}

#[test]
fn a_name_lies_where_its_hash_puts_it() {
    let slot = fastmurmur3::murmur3_x64_128(b"a", 0) as u64 >> 61;
    for at in 0..8u8 {
        let place = shard(&format!("{at}a"), &[1 << at], 8, leaf().cid());
        let blocks = store([&place, &leaf()]);
        let right = u64::from(at) == slot;
        let misplaced = Error::Misplaced { cid: *place.cid(), name: b"a"[..].into() };
        let listed = list(*place.cid(), &blocks);
        assert_eq!(listed.map(|entries| entries.len()), if right { Ok(1) } else { Err(misplaced) });
    }
}

#[test]
fn all_shards_have_one_fanout_and_are_shards() {
    let inner = shard("00a", &[1], 16, leaf().cid());
    for wrong in [inner, node(&[], &[8, 1]), leaf()] {
        let outer = shard("0", &[1], 8, wrong.cid());
        assert!(list(*outer.cid(), &store([&outer, &wrong])).is_err());
    }
}

#[test]
fn shards_end_where_the_hash_does() {
    let mut chain = vec![shard("0a", &[1], 8, leaf().cid())];
    for _ in 0..30 {
        let below = *chain.last().unwrap().cid();
        chain.push(shard("0", &[1], 8, &below));
    }
    let error = list(*chain.last().unwrap().cid(), &store(&chain)).unwrap_err();
    assert!(matches!(error, Error::TooDeep { max: 21, .. }));
}

#[test]
fn a_directory_is_no_file_and_a_file_no_directory() {
    let directory = node(&[], &[8, 1]);
    let blocks = store([&directory, &leaf()]);
    let no_file = Error::NotAFile { cid: *directory.cid() };
    assert_eq!(cat(*directory.cid(), &blocks), Err(no_file));
    let no_directory = Error::NotADirectory { cid: *leaf().cid() };
    assert_eq!(list(*leaf().cid(), &blocks), Err(no_directory));
}

#[test]
fn a_missing_block_is_named() {
    let file = node(&[link("", leaf().cid())], &[8, 2, 0x18, 1, 0x20, 1]);
    let missing = Error::Missing { cid: *leaf().cid() };
    assert_eq!(cat(*file.cid(), &store([&file])), Err(missing));
}

#[test]
fn limits_hold_at_their_number_and_not_one_past_it() {
    let file = node(&[link("", leaf().cid())], &[8, 2, 0x18, 1, 0x20, 1]);
    let over = node(&[link("", file.cid())], &[8, 2, 0x18, 1, 0x20, 1]);
    let blocks = store([&over, &file, &leaf()]);
    let mut limits = Limits::default();
    limits.max_depth = 2;
    let read = |limits: &Limits| {
        support::drive_cat(carpool_unixfs::Cat::new(*over.cid(), limits), &blocks)
    };
    assert_eq!(read(&limits).unwrap(), b"x");
    limits.max_depth = 1;
    assert!(matches!(read(&limits), Err(Error::TooDeep { max: 1, .. })));
    let mut limits = Limits::default();
    limits.max_links = 0;
    assert!(matches!(read(&limits), Err(Error::Block(_))));
    let mut limits = Limits::default();
    limits.max_block_bytes = over.data().len();
    assert!(read(&limits).is_ok());
    limits.max_block_bytes -= 1;
    assert!(matches!(read(&limits), Err(Error::Block(_))));
}

#[test]
fn an_identity_cid_is_not_asked_for() {
    let inlined = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"hi").unwrap());
    let file = node(&[link("", &inlined)], &[8, 2, 0x18, 2, 0x20, 2]);
    assert_eq!(cat(*file.cid(), &store([&file])).unwrap(), b"hi");
    let found = resolve(inlined, b"", &Blocks::new()).unwrap();
    assert!(found.1.is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), data in vec(any::<u8>(), 0..100)) {
        let _ = decode(&Block::new(codec::DAG_PB, bytes.into()));
        let _ = decode(&node(&[link("0a", leaf().cid())], &data));
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0usize..60, to in any::<u8>()) {
        let mut bytes = shard("3a", &[8], 8, leaf().cid()).data().to_vec();
        let at = at % bytes.len();
        bytes[at] = to;
        let _ = decode(&Block::new(codec::DAG_PB, bytes.into()));
    }
}
