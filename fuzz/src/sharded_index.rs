use carpool_car::{
    header,
    index::{IndexLimits, sharded::ShardedDagIndex},
    section_prefix,
};
use carpool_core::{Block, Bytes, Limits, cbor, codec};

use crate::choices::Choices;

/// An archive is read or refused; what was read is written sorted, and is the same from then on.
/// Blocks are given their right CIDs, so that what is in them is looked at.
pub fn sharded_index(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut limits = IndexLimits::default();
    if choices.byte() % 2 == 1 {
        (limits.max_cars, limits.max_slices) = (2, 3);
    }
    let archive = match choices.byte() % 3 {
        0 => choices.bytes(usize::MAX).to_vec(),
        1 => archive(&[choices.bytes(usize::MAX), b"\x82\x42\x12\x00\x80"]),
        _ => of_shards(&mut choices),
    };
    let decode = |archive| ShardedDagIndex::decode(archive, &Limits::default(), &limits);
    let Ok(index) = decode(archive.into()) else { return };
    let slices: usize = index.shards.iter().map(|shard| shard.slices.len()).sum();
    assert!(index.shards.len() <= limits.max_cars as usize && slices <= limits.max_slices as usize);
    let written = index.encode();
    let again = decode(written.clone()).expect("what was written is read");
    assert_eq!((again.content, again.shards.len()), (index.content, index.shards.len()));
    assert!(index.shards.iter().all(|shard| {
        let same = again.shards.iter().find(|other| other.multihash == shard.multihash);
        same.is_some_and(|same| shard.slices.iter().all(|slice| same.slices.contains(slice)))
    }));
    assert_eq!(again.encode(), written);
}

/// An archive whose root leads to these shards.
fn of_shards(choices: &mut Choices<'_>) -> Vec<u8> {
    let first = usize::from(choices.byte());
    let shards = [choices.bytes(first), choices.bytes(usize::MAX)];
    let mut root = b"\xa1\x75index/sharded/dag@0.1\xa2\x66shards\x82".to_vec();
    shards.iter().for_each(|shard| cbor::write_link(&mut root, block(shard).cid()));
    root.extend(b"\x67content");
    cbor::write_link(&mut root, block(b"\x80").cid());
    archive(&[&root, shards[0], shards[1]])
}

fn block(data: &[u8]) -> Block {
    Block::new(codec::DAG_CBOR, Bytes::copy_from_slice(data))
}

/// A CAR of these blocks, the first of which is its root.
fn archive(blocks: &[&[u8]]) -> Vec<u8> {
    let blocks: Vec<Block> = blocks.iter().map(|data| block(data)).collect();
    let mut out = header(&[*blocks[0].cid()]).to_vec();
    for block in &blocks {
        out.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        out.extend_from_slice(block.data());
    }
    out
}
