//! How a file's bytes are split into pieces changes no chunk.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use carpool_unixfs::{Bytes, Chunk, Chunker, Chunking, Options, Overrides, Profile};
use proptest::{collection::vec, prelude::*};
use support::chunks_of;

fn options(size: u32) -> Options {
    let chunking = Some(Chunking::size(size).unwrap());
    let asked = Overrides { chunking, ..Overrides::default() };
    Options::new(Profile::UnixfsV1_2025, &asked).unwrap()
}

fn drain(chunker: &mut Chunker, into: &mut Vec<Chunk>) {
    while let Some(chunk) = chunker.poll() {
        into.push(chunk);
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_chunks(
        pieces in vec(vec(any::<u8>(), 0..60), 0..12),
        size in 1u32..50,
        lazy in any::<bool>(),
    ) {
        let mut chunker = Chunker::new(&options(size));
        let mut chunks = Vec::new();
        for piece in &pieces {
            chunker.handle_data(piece.clone().into());
            if !lazy {
                drain(&mut chunker, &mut chunks);
            }
        }
        chunker.handle_end();
        drain(&mut chunker, &mut chunks);
        prop_assert_eq!(chunks, chunks_of(&pieces.concat(), size as usize));
    }
}

#[test]
fn a_chunk_inside_a_piece_is_not_copied() {
    let mut chunker = Chunker::new(&options(4));
    let piece = Bytes::from(vec![7; 10]);
    chunker.handle_data(piece.clone());
    chunker.handle_end();
    let mut chunks = Vec::new();
    drain(&mut chunker, &mut chunks);
    let places: Vec<usize> =
        chunks.iter().map(|c| c.data.as_ptr() as usize - piece.as_ptr() as usize).collect();
    assert_eq!(places, [0, 4, 8]);
}
