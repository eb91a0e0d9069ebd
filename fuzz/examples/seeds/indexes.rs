//! Indexes of every format, good and broken.

use carpool_car::{
    header,
    index::{
        Codec, Entry, IndexLimits, encode, encode_rollup,
        sharded::{Shard, ShardedDagIndex, Slice},
    },
    section_prefix,
};
use carpool_core::{Block, Bytes, Multihash, codec, sha2_256};
use std::io;

use crate::{cids, write};

pub(crate) fn write_all() -> io::Result<()> {
    let with = |front: &[u8]| {
        let indexes = indexes().into_iter();
        indexes.map(|index| [front, &index].concat()).collect::<Vec<_>>()
    };
    write("car_index", [with(&[0, 255, 255, 255, 255]), with(&[1, 0, 6, 0, 30])].concat())?;
    write("car_index_lookup", [with(&[0, 0, 3, 200]), with(&[5, 1, 0, 5])].concat())?;
    write("car_indexer", sections())?;
    write("sharded_index", archives())
}

fn entries(n: u32) -> Vec<Entry> {
    let hashed = (0..n).map(|n| Entry::new(Some(0x12), &sha2_256(&n.to_le_bytes()), n.into()));
    let others = cids().into_iter().map(|cid| Some(Entry::of(&cid, 1 << 33)));
    let twice = (0..3).map(|n| Entry::new(Some(0x12), &[9; 32], n));
    hashed.chain(others).chain(twice).collect::<Option<_>>().expect("short digests")
}

fn indexes() -> Vec<Vec<u8>> {
    let of = |codec, n| {
        encode(codec, entries(n), &IndexLimits::default()).expect("few buckets of known codes")
    };
    let (sorted, by_hash) = (of(Codec::Sorted, 20), of(Codec::MultihashSorted, 20));
    let car = |n, index: &[u8]| {
        let hash = Multihash::wrap(0x12, &[n; 32]).expect("short");
        (hash, Bytes::copy_from_slice(index))
    };
    let rollup =
        encode_rollup(vec![car(1, &sorted), car(2, &by_hash), car(3, b"\x80\x08\0\0\0\0")]);
    let mut unsorted = sorted.clone();
    let last = unsorted.len() - 100;
    unsorted[last] ^= 0xff;
    vec![
        of(Codec::MultihashSorted, 300),
        sorted[..sorted.len() - 1].to_vec(),
        [&sorted[..], &[0]].concat(),
        sorted,
        by_hash,
        rollup.concat(),
        unsorted,
        b"\x80\x08\x01\0\0\0\x28\0\0\0\0\0\0\0\0\0\0\x80".to_vec(),
        b"\x80\x08\x01\0\0\0\x08\0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec(),
        b"\x81\x08\xff\xff\xff\xff".to_vec(),
    ]
}

/// How many of what kind, and of what digests and offsets.
fn sections() -> Vec<Vec<u8>> {
    let many = |kind: u8| (0..60u8).flat_map(move |n| [248 + kind, n.wrapping_mul(91), n, 1 + n]);
    let mixed = (0..200u8).flat_map(|n| [n, n.wrapping_mul(37), n, n / 3]);
    let with = |front: [u8; 2], sections: Vec<u8>| [&front[..], &sections].concat();
    vec![
        with([0, 0], many(0).collect()),
        with([1, 0], many(3).collect()),
        with([0, 16], mixed.clone().collect()),
        with([1, 255], mixed.collect()),
        with([0, 0], [248, 7, 0, 0].repeat(20)),
        with([0, 0], vec![]),
    ]
}

fn archives() -> Vec<Vec<u8>> {
    let hash = |n: u8| Multihash::wrap(0x12, &[n; 32]).expect("short");
    let slice = |n: u8| Slice { multihash: hash(n), offset: u64::from(n) << n, length: 300 };
    let shard = |n: u8| Shard { multihash: hash(n), slices: vec![slice(n), slice(n + 1)] };
    let index = ShardedDagIndex { content: cids()[0], shards: vec![shard(3), shard(1)] };
    let archive = index.encode();
    let (root, first) = (block_of(&archive, 0), block_of(&archive, 1));
    let length = u8::try_from(first.len()).expect("short");
    vec![
        [&[0, 0][..], &archive].concat(),
        [&[1, 0][..], &archive].concat(),
        [&[0, 1][..], &root].concat(),
        [&[0, 2, length][..], &first, &block_of(&archive, 2)].concat(),
        [&[1, 2, 5][..], b"\x82\x42\x12\x00\x80\x82\x42\x13\x00\x81\x82\x42\x12\x00\x82\x00\x01"]
            .concat(),
        [&[0, 0][..], &header(&[]), empty_section().as_slice()].concat(),
    ]
}

fn empty_section() -> Vec<u8> {
    let block = Block::new(codec::DAG_CBOR, Bytes::from_static(b"\x80"));
    [section_prefix(block.cid(), 1).as_ref(), block.data()].concat()
}

fn block_of(archive: &[u8], n: usize) -> Vec<u8> {
    let mut decoder = carpool_car::Decoder::new(&carpool_core::Limits::default());
    decoder.handle_data(Bytes::copy_from_slice(archive));
    let mut blocks = Vec::new();
    while let Some(item) = decoder.poll().expect("a good CAR") {
        if let carpool_car::Item::Section(section) = item {
            blocks.push(section.data.to_vec());
        }
    }
    blocks.swap_remove(n)
}
