//! Sharded DAG indexes: written as others write them, read as they are meant.

mod samples;

use carpool_car::{
    Error, header,
    index::{
        IndexFault, IndexLimits,
        sharded::{Shard, ShardedDagIndex, Slice},
    },
    section_prefix,
};
use carpool_core::{Block, Bytes, Cid, Limits, Multihash, codec, sha2_256};
use proptest::prelude::*;
use std::fs;

fn sha(digest: [u8; 32]) -> Multihash<64> {
    Multihash::wrap(0x12, &digest).expect("short")
}

fn decode(archive: &[u8]) -> Result<ShardedDagIndex, Error> {
    let archive = Bytes::copy_from_slice(archive);
    ShardedDagIndex::decode(archive, &Limits::default(), &IndexLimits::default())
}

fn shard_of(car: &[u8], itself: bool) -> Shard {
    let (items, ended) = samples::decode(car, &Limits::default());
    ended.expect("a good CAR");
    let slice = |item| match item {
        carpool_car::Item::Section(section) => Some(Slice {
            multihash: *section.cid.hash(),
            offset: section.data_offset,
            length: section.data.len() as u64,
        }),
        carpool_car::Item::Header(_) | carpool_car::Item::Behind(_) => None,
    };
    let mut slices: Vec<Slice> = items.into_iter().filter_map(slice).collect();
    let multihash = sha(sha2_256(car));
    if itself {
        slices.push(Slice { multihash, offset: 0, length: car.len() as u64 });
    }
    Shard { multihash, slices }
}

#[test]
fn archives_of_others_are_made_byte_for_byte() {
    let Some(folder) = samples::fixture("index") else { return };
    let read = |path: &str| fs::read(folder.join(path)).expect("readable");
    let cars = [read("dag/shard1.car"), read("dag/shard0.car")];
    let content = match &samples::decode(&cars[1], &Limits::default()).0[0] {
        carpool_car::Item::Header(header) => header.roots[0],
        carpool_car::Item::Section(_) | carpool_car::Item::Behind(_) => {
            unreachable!("the header comes first")
        }
    };
    for (name, itself) in [
        ("index-storacha.car", true),
        ("index-web3-storage.car", true),
        ("index-fromShardArchives.car", false),
    ] {
        let archive = read(&format!("blob-index/{name}"));
        let shards = cars.iter().map(|car| shard_of(car, itself)).collect();
        assert_eq!(ShardedDagIndex { content, shards }.encode(), archive, "{name}");
        let index = decode(&archive).expect("good");
        assert_eq!((index.content, index.shards.len()), (content, 2), "{name}");
        assert_eq!(index.encode(), archive, "{name}");
    }
}

fn content() -> Cid {
    *Block::new(codec::RAW, "content".into()).cid()
}

fn slice() -> impl Strategy<Value = Slice> {
    (any::<u8>(), any::<bool>(), any::<u64>(), any::<u64>()).prop_map(
        |(digest, long, offset, length)| {
            let (code, len) = if long { (0x13, 64) } else { (0x12, 32) };
            let multihash = Multihash::wrap(code, &[digest; 64][..len]).expect("short");
            Slice { multihash, offset, length }
        },
    )
}

/// Sorted, and the first of equal ones.
fn canonical(mut index: ShardedDagIndex) -> ShardedDagIndex {
    let key = |hash: &Multihash<64>| (hash.digest().to_vec(), hash.code());
    for shard in &mut index.shards {
        shard.slices.sort_by_key(|s| (key(&s.multihash), s.offset, s.length));
        shard.slices.dedup_by_key(|slice| slice.multihash);
    }
    index.shards.sort_by_key(|shard| key(&shard.multihash));
    index.shards.dedup_by_key(|shard| shard.multihash);
    index
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn come_back_sorted(
        shards in prop::collection::vec((any::<u8>(), prop::collection::vec(slice(), 0..30)), 0..6),
    ) {
        let shards = shards.into_iter().map(|(n, slices)| Shard { multihash: sha([n; 32]), slices });
        let index = ShardedDagIndex { content: content(), shards: shards.collect() };
        prop_assert_eq!(decode(&index.encode()), Ok(canonical(index)));
    }

    #[test]
    fn damage_is_found(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut archive = sample().encode().to_vec();
        let at = at.index(archive.len());
        prop_assume!(archive[at] != byte);
        archive[at] = byte;
        prop_assert!(decode(&archive).is_err());
    }
}

fn sample() -> ShardedDagIndex {
    let slice = |n: u8| Slice { multihash: sha([n; 32]), offset: n.into(), length: 7 };
    let shard = |n: u8| Shard { multihash: sha([n; 32]), slices: vec![slice(n), slice(n + 1)] };
    ShardedDagIndex { content: content(), shards: vec![shard(1), shard(5)] }
}

#[test]
fn limits_hold_at_and_one_past() {
    let archive = sample().encode();
    let decode = |limits: IndexLimits| {
        ShardedDagIndex::decode(archive.clone(), &Limits::default(), &limits).map_err(|error| {
            let Error::Index { fault, .. } = error else { panic!("of the index") };
            fault
        })
    };
    let mut limits = IndexLimits::default();
    (limits.max_cars, limits.max_slices) = (2, 4);
    assert_eq!(decode(limits.clone()), Ok(sample()));
    limits.max_slices = 3;
    assert_eq!(decode(limits.clone()), Err(IndexFault::TooManySlices { slices: 2, max: 3 }));
    limits.max_cars = 1;
    assert_eq!(decode(limits), Err(IndexFault::TooManyCars { cars: 2, max: 1 }));
}

/// An archive of these blocks, the first of which is its root.
fn archive(blocks: &[&[u8]]) -> Vec<u8> {
    let block = |data: &&[u8]| Block::new(codec::DAG_CBOR, Bytes::copy_from_slice(data));
    let blocks: Vec<Block> = blocks.iter().map(block).collect();
    let mut out = header(&[*blocks[0].cid()]).to_vec();
    for block in &blocks {
        out.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        out.extend_from_slice(block.data());
    }
    out
}

/// A root block that links to these shards.
fn root(shards: &[&[u8]]) -> Vec<u8> {
    let mut out = b"\xa1\x75index/sharded/dag@0.1\xa2\x67content".to_vec();
    carpool_core::cbor::write_link(&mut out, &content());
    out.extend(b"\x66shards");
    out.push(0x80 + u8::try_from(shards.len()).expect("few"));
    for shard in shards {
        let block = Block::new(codec::DAG_CBOR, Bytes::copy_from_slice(shard));
        carpool_core::cbor::write_link(&mut out, block.cid());
    }
    out
}

#[test]
fn hostile_archives_are_refused() {
    let shard = [&b"\x82\x58\x22\x12\x20"[..], &[7; 32], b"\x80"].concat();
    let good = decode(&archive(&[&root(&[&shard]), &shard])).expect("keys in another order");
    assert_eq!(good.shards, [Shard { multihash: sha([7; 32]), slices: vec![] }]);
    let unlinked = decode(&archive(&[&root(&[&shard]), &shard, b"\x80"]));
    assert_eq!(unlinked, Ok(good), "other blocks are ignored");

    let claims = [&shard[..shard.len() - 1], b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
    let few = [&shard[..shard.len() - 1], b"\x1a\x00\x0f\xff\xff"].concat();
    let lies = [&shard[..shard.len() - 1], b"\x9a\x00\x0f\xff\xff"].concat();
    let long = [&b"\x82\x58\x22\x12\x21"[..], &[7; 32], b"\x80"].concat();
    for (name, archive) in [
        ("no roots", header(&[]).to_vec()),
        ("two roots", header(&[content(), content()]).to_vec()),
        ("no root block", header(&[content()]).to_vec()),
        ("a shard missing", archive(&[&root(&[&shard])])),
        ("a shard twice", archive(&[&root(&[&shard, &shard]), &shard])),
        ("2^64 slices", archive(&[&root(&[&claims]), &claims])),
        ("no array", archive(&[&root(&[&few]), &few])),
        ("a million slices that are not there", archive(&[&root(&[&lies]), &lies])),
        ("a digest that lies", archive(&[&root(&[&long]), &long])),
        ("another version", archive(&[b"\xa1\x75index/sharded/dag@0.2\xa0"])),
        ("no shards", archive(&[b"\xa1\x75index/sharded/dag@0.1\xa0"])),
        ("bytes after", archive(&[&[&root(&[])[..], &[0]].concat()])),
        ("an integer", archive(&[b"\x00"])),
        ("nothing", vec![]),
    ] {
        assert!(decode(&archive).is_err(), "{name}");
    }
}
