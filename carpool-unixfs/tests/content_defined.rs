//! Chunks that end where their content says: as another implementation cuts them, however the bytes
//! come, within their bounds, and the same around an insertion.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use carpool_unixfs::{Bytes, Chunker, Chunking, Options, Overrides, Profile};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const AVERAGE: u32 = 4_096;

fn chunker(average: u32) -> Chunker {
    let chunking = Some(Chunking::fastcdc(average).unwrap());
    let asked = Overrides { chunking, ..Overrides::default() };
    Chunker::new(&Options::new(Profile::UnixfsV1_2025, &asked).unwrap())
}

/// The chunks of pieces; polled after each.
fn chunks<'a>(average: u32, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Bytes> {
    let (mut chunker, mut chunks) = (chunker(average), Vec::new());
    for piece in pieces {
        chunker.handle_data(Bytes::copy_from_slice(piece));
        chunks.extend(std::iter::from_fn(|| chunker.poll()).map(|chunk| chunk.data));
    }
    chunker.handle_end();
    chunks.extend(std::iter::from_fn(|| chunker.poll()).map(|chunk| chunk.data));
    chunks
}

fn whole(average: u32, data: &[u8]) -> Vec<Bytes> {
    chunks(average, std::iter::once(data))
}

/// Bytes without a pattern.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn cuts_are_those_of_another_implementation() {
    for average in [4_096, 16_384, 65_536, 262_144] {
        let (min, avg, max) = (average as usize / 4, average as usize, average as usize * 4);
        for (len, seed) in [(0, 1), (1, 1), (min, 2), (min + 1, 2), (max, 3), (max + 1, 4)]
            .into_iter()
            .chain((0..40).map(|i| (i * max / 5 + i, i as u64)))
        {
            let data = noise(len, seed);
            let theirs: Vec<usize> = fastcdc::v2020::FastCDC::new(&data, min, avg, max)
                .map(|chunk| chunk.length)
                .collect();
            let mut ours: Vec<usize> = whole(average, &data).iter().map(Bytes::len).collect();
            // A file without bytes is one chunk here and none there.
            ours.retain(|len| *len > 0);
            assert_eq!(ours, theirs, "{len} bytes, average {average}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_chunks(
        len in 0..100_000_usize,
        seed in any::<u64>(),
        flat in 0..100_000_usize,
        cuts in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut data = noise(len, seed);
        // A run that nothing ends but the longest size.
        data.extend(vec![7; flat]);
        let mut cuts: Vec<usize> = cuts.iter().map(|at| at.index(data.len() + 1)).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &data[ends[0]..ends[1]]);
        let split = chunks(AVERAGE, pieces);
        prop_assert_eq!(&split, &whole(AVERAGE, &data));
        prop_assert_eq!(split.concat(), data);
        let (last, others) = split.split_last().unwrap();
        for chunk in others {
            prop_assert!((1_024..=16_384).contains(&chunk.len()), "{} bytes", chunk.len());
        }
        prop_assert!(last.len() <= 16_384);
    }

    #[test]
    fn an_insertion_changes_the_chunks_around_it(
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
        inserted in vec(any::<u8>(), 1..500),
    ) {
        let mut data = noise(1 << 20, seed);
        let before: BTreeSet<Bytes> = whole(AVERAGE, &data).into_iter().collect();
        let at = at.index(data.len());
        data.splice(at..at, inserted);
        let after = whole(AVERAGE, &data);
        let new = after.iter().filter(|chunk| !before.contains(*chunk)).count();
        prop_assert!(after.len() > 150, "{} chunks", after.len());
        prop_assert!(new <= 12, "{new} chunks are new of {}", after.len());
    }
}

#[test]
fn bytes_one_by_one_are_cut_as_all_at_once() {
    let data = noise(60_000, 5);
    assert_eq!(chunks(AVERAGE, data.chunks(1)), whole(AVERAGE, &data));
}

/// What was polled out is not held: a chunk is as long as it may be at most.
#[test]
fn a_chunk_comes_as_soon_as_a_byte_follows_the_longest() {
    let mut chunker = chunker(AVERAGE);
    for i in 0..16_384 {
        chunker.handle_data(Bytes::from_static(&[0]));
        assert_eq!(chunker.poll(), None, "after {} bytes", i + 1);
    }
    chunker.handle_data(Bytes::from_static(&[0]));
    assert_eq!(chunker.poll().map(|chunk| (chunk.data.len(), chunk.only)), Some((16_384, false)));
}
