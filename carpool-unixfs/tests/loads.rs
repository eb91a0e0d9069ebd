//! Machines ask for a few blocks ahead, take answers in any order, and hold little.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_core::{Block, codec};
use carpool_unixfs::{
    Bytes, Cat, Chunking, Cid, Limits, Metadata, Options, Overrides, Profile, cat::Output,
};
use proptest::prelude::*;
use support::{Blocks, build_file, chunks_of, drive_cat, put};

fn build(data: &[u8], width: usize) -> (Cid, Blocks) {
    let chunking = Some(Chunking::size(10).unwrap());
    let asked = Overrides { chunking, max_file_links: Some(width), ..Overrides::default() };
    let options = Options::new(Profile::UnixfsV1_2025, &asked).unwrap();
    let mut blocks = Blocks::new();
    let root = build_file(chunks_of(data, 10), Metadata::NONE, &options, 64, &mut blocks);
    (root.cid, blocks)
}

fn content(len: u32) -> Vec<u8> {
    (0..len).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn sixteen_blocks_are_asked_for_before_any_answer() {
    let (root, blocks) = build(&content(1000), 1024);
    let mut machine = Cat::new(root, &Limits::default());
    assert_eq!(machine.poll(), Ok(Some(Output::Load(root))));
    assert_eq!(machine.poll(), Ok(None));
    machine.handle_load(&root, blocks.get(&root));
    let mut open = 0;
    while let Some(output) = machine.poll().unwrap() {
        assert!(matches!(output, Output::Load(_)));
        open += 1;
    }
    assert_eq!(open, 16);
}

#[test]
fn a_block_that_repeats_is_asked_for_once_a_window() {
    let (root, blocks) = build(&[0; 4000], 1024);
    let mut machine = Cat::new(root, &Limits::default());
    let (mut loads, mut bytes) = (0, 0);
    loop {
        match machine.poll().unwrap().unwrap() {
            Output::Load(cid) => {
                loads += 1;
                machine.handle_load(&cid, blocks.get(&cid));
            }
            Output::Data(data) => bytes += data.len(),
            Output::Done => break,
        }
    }
    assert_eq!(bytes, 4000);
    assert!(loads < 40, "{loads} loads of 2 blocks");
}

#[test]
fn a_root_at_hand_is_not_asked_for() {
    let (root, blocks) = build(b"short", 1024);
    let mut machine = Cat::new(root, &Limits::default());
    machine.handle_load(&root, blocks.get(&root));
    assert_eq!(machine.poll(), Ok(Some(Output::Data("short".into()))));
    assert_eq!(machine.poll(), Ok(Some(Output::Done)));
    assert_eq!(machine.poll(), Ok(None));
}

#[test]
fn data_is_a_slice_of_its_block() {
    let block = Block::new(codec::RAW, Bytes::from(vec![1; 100]));
    let mut machine = Cat::range(*block.cid(), 10..20, &Limits::default());
    machine.handle_load(block.cid(), Some(block.data()));
    let Ok(Some(Output::Data(data))) = machine.poll() else { panic!("no data") };
    assert_eq!(data.as_ptr() as usize - block.data().as_ptr() as usize, 10);
}

/// 2^40 bytes of claims out of forty blocks: what is held stays small, and the walk is a stream.
#[test]
fn a_bomb_of_repetition_is_read_as_a_stream() {
    let mut blocks = Blocks::new();
    let leaf = Block::new(codec::RAW, Bytes::from_static(b"x"));
    let (mut below, mut size) = (*leaf.cid(), 1u64);
    put(&mut blocks, leaf);
    for _ in 0..40 {
        let inner = [&[0x0a, 36][..], &below.to_bytes(), &[0x12, 0]].concat();
        let link = [&[0x12, inner.len() as u8][..], &inner].concat();
        let mut data = vec![8, 2];
        for _ in 0..2 {
            let mut buf = [0; 10];
            let len = carpool_core::varint::encode(size, &mut buf);
            data.push(0x20);
            data.extend_from_slice(&buf[..len]);
        }
        let node = [&link[..], &link, &[0x0a, data.len() as u8], &data].concat();
        let block = Block::new(codec::DAG_PB, node.into());
        (below, size) = (*block.cid(), size * 2);
        put(&mut blocks, block);
    }
    let mut machine = Cat::new(below, &Limits::default());
    let mut read = 0;
    while read < 1000 {
        match machine.poll().unwrap().unwrap() {
            Output::Load(cid) => machine.handle_load(&cid, blocks.get(&cid)),
            Output::Data(data) => read += data.len(),
            Output::Done => panic!("2^40 bytes are not 1000"),
        }
    }
    let last = Cat::range(below, size - 3..u64::MAX, &Limits::default());
    assert_eq!(drive_cat(last, &blocks).unwrap(), b"xxx");
}

proptest! {
    #[test]
    fn any_range_of_any_tree(
        len in 0u32..800,
        width in 2usize..9,
        from in 0u64..3300,
        span in 0u64..3300,
    ) {
        let data = content(len);
        let (root, blocks) = build(&data, width);
        let machine = Cat::range(root, from..from + span, &Limits::default());
        let at = |position: u64| usize::try_from(position).unwrap().min(data.len());
        prop_assert_eq!(drive_cat(machine, &blocks).unwrap(), &data[at(from)..at(from + span)]);
    }
}
