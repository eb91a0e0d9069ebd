//! Names made to have one hash: no shard can tell them apart, so a sharded directory refuses them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use carpool_core::{Block, codec};
use carpool_unixfs::{DirectoryBuilder, Error, Metadata, Options, Overrides, Profile};
use fastmurmur3::murmur3_x64_128;

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The inverse of an odd number modulo 2^64.
fn inverse(odd: u64) -> u64 {
    (0..6).fold(1, |x: u64, _| x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x))))
}

fn step((h1, h2): (u64, u64), block: [u64; 2]) -> (u64, u64) {
    let k1 = block[0].wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let k2 = block[1].wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let h1 = (h1 ^ k1).rotate_left(27).wrapping_add(h2);
    let h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
    let h2 = (h2 ^ k2).rotate_left(31).wrapping_add(h1);
    (h1, h2.wrapping_mul(5).wrapping_add(0x3849_5ab5))
}

/// The block that leads from one state to another: the hash can be run backwards.
fn bridge((h1, h2): (u64, u64), (to1, to2): (u64, u64)) -> [u64; 2] {
    let back = |to: u64, add: u64| to.wrapping_sub(add).wrapping_mul(inverse(5));
    let k1 = back(to1, 0x52dc_e729).wrapping_sub(h2).rotate_right(27) ^ h1;
    let k2 = back(to2, 0x3849_5ab5).wrapping_sub(to1).rotate_right(31) ^ h2;
    let unmix = |k: u64, outer: u64, turn: u32, inner: u64| {
        k.wrapping_mul(inverse(outer)).rotate_right(turn).wrapping_mul(inverse(inner))
    };
    [unmix(k1, C2, 31, C1), unmix(k2, C1, 33, C2)]
}

fn bytes(blocks: [[u64; 2]; 2]) -> Vec<u8> {
    blocks.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn twins() -> [Vec<u8>; 2] {
    let block = |seed: u64| [0x6161_6161_6161_6161 + seed, 0x6262_6262_6262_6262];
    let target = step(step((0, 0), block(0)), block(1));
    let forged = (2..100).map(|seed| {
        let first = block(seed);
        bytes([first, bridge(step((0, 0), first), target)])
    });
    let name = forged.into_iter().find(|name| !name.iter().any(|b| matches!(b, 0 | b'/')));
    [bytes([block(0), block(1)]), name.unwrap()]
}

#[test]
fn names_with_one_hash_are_refused_where_there_are_shards() {
    let [a, b] = twins();
    assert_eq!(murmur3_x64_128(&a, 0), murmur3_x64_128(&b, 0));
    let leaf = *Block::new(codec::RAW, "x".into()).cid();
    for (hamt_threshold, refused) in [(None, false), (Some(1), true)] {
        let asked = Overrides { hamt_threshold, ..Overrides::default() };
        let options = Options::new(Profile::default(), &asked).unwrap();
        let mut directory = DirectoryBuilder::new(&options, Metadata::NONE);
        for name in [&a, &b] {
            directory.insert(name, &leaf, 1).unwrap();
        }
        let built = directory.finish();
        assert_eq!(matches!(built, Err(Error::HashCollision { .. })), refused);
    }
}
