//! CARs to test with, and how to take them apart.
#![allow(dead_code, unused_imports, reason = "no test needs all of it")]

#[path = "../../../carpool-core/tests/samples/inputs.rs"]
mod inputs;

use carpool_car::{Decoder, Error, Item, Options, header, section_prefix, v2};
use carpool_core::{Block, Bytes, Cid, Limits, Multihash, codec};
pub(crate) use inputs::{fixture, hex};

/// A CAR with these roots and blocks.
pub(crate) fn car(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
    let mut out = header(roots).to_vec();
    for block in blocks {
        out.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        out.extend_from_slice(block.data());
    }
    out
}

/// One block of each kind of CID, an empty one among them.
pub(crate) fn blocks() -> Vec<Block> {
    let long = Multihash::wrap(0x13, &[7; 64]).expect("64 bytes fit");
    vec![
        Block::new(codec::RAW, "hello".into()),
        Block::new_v0("\n\x02\x08\x01".into()),
        Block::new(codec::DAG_CBOR, Bytes::from_static(b"\x80")),
        Block::new(codec::RAW, Bytes::new()),
        Block::new_unchecked(Cid::new_v1(codec::RAW, long), vec![1; 300].into()),
    ]
}

/// A whole CAR of [`blocks`].
pub(crate) fn sample() -> Vec<u8> {
    let blocks = blocks();
    car(&[*blocks[0].cid(), *blocks[1].cid()], &blocks)
}

/// A CARv2 around a CARv1: padding before and behind the data, and an index if it has bytes.
pub(crate) fn wrapped(car: &[u8], padding: [usize; 2], index: &[u8]) -> Vec<u8> {
    let data_offset = v2::DATA_OFFSET + padding[0] as u64;
    let index_offset = data_offset + (car.len() + padding[1]) as u64;
    let header = v2::Header {
        characteristics: 0,
        data_offset,
        data_size: car.len() as u64,
        index_offset: if index.is_empty() { 0 } else { index_offset },
    };
    let [before, behind] = padding.map(|n| vec![0; n]);
    [&v2::PRAGMA[..], &header.encode(), &before, car, &behind, index].concat()
}

/// What a decoder makes of chunks: all items up to the end or the first fault. Pieces of a region
/// are put together.
pub(crate) fn read_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    options: &Options,
) -> (Vec<Item>, Result<(), Error>) {
    let mut decoder = Decoder::with_options(options.clone());
    let mut items = Vec::new();
    for chunk in chunks {
        decoder.handle_data(Bytes::copy_from_slice(chunk));
        if let Err(error) = drain(&mut decoder, &mut items) {
            return (items, Err(error));
        }
    }
    decoder.handle_eof();
    let ended = drain(&mut decoder, &mut items);
    (items, ended)
}

fn drain(decoder: &mut Decoder, items: &mut Vec<Item>) -> Result<(), Error> {
    while let Some(item) = decoder.poll()? {
        push(items, item);
    }
    Ok(())
}

fn push(items: &mut Vec<Item>, item: Item) {
    match (items.last_mut(), item) {
        (Some(Item::Behind(last)), Item::Behind(next)) if last.region == next.region => {
            assert_eq!(last.offset + last.bytes.len() as u64, next.offset);
            last.bytes = [&last.bytes[..], &next.bytes].concat().into();
        }
        (_, item) => items.push(item),
    }
}

/// What a strict decoder makes of chunks.
pub(crate) fn decode_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Vec<Item>, Result<(), Error>) {
    read_chunks(chunks, &Options::strict(limits))
}

/// What a decoder makes of bytes that arrive at once.
pub(crate) fn read(input: &[u8], options: &Options) -> (Vec<Item>, Result<(), Error>) {
    read_chunks([input], options)
}

/// What a strict decoder makes of bytes that arrive at once.
pub(crate) fn decode(input: &[u8], limits: &Limits) -> (Vec<Item>, Result<(), Error>) {
    decode_chunks([input], limits)
}

/// The error that bytes end in.
pub(crate) fn fault(input: &[u8]) -> Error {
    decode(input, &Limits::default()).1.expect_err("not a CAR")
}
