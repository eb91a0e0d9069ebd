//! CARs to test with, and how to take them apart.
#![allow(dead_code, unused_imports, reason = "no test needs all of it")]

#[path = "../../../carpool-core/tests/samples/inputs.rs"]
mod inputs;

use carpool_car::{Decoder, Error, Item, header, section_prefix};
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

/// What a decoder makes of chunks: all items up to the end or the first fault.
pub(crate) fn decode_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Vec<Item>, Result<(), Error>) {
    let mut decoder = Decoder::new(limits);
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
        items.push(item);
    }
    Ok(())
}

/// What a decoder makes of bytes that arrive at once.
pub(crate) fn decode(input: &[u8], limits: &Limits) -> (Vec<Item>, Result<(), Error>) {
    decode_chunks([input], limits)
}

/// The error that bytes end in.
pub(crate) fn fault(input: &[u8]) -> Error {
    decode(input, &Limits::default()).1.expect_err("not a CAR")
}
