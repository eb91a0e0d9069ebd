//! Indexes that lie: every fault is named with its place, and nothing is allocated, read or looped
//! over because it was claimed.

mod index_reference;
mod index_samples;

use carpool_car::{
    Error,
    index::{Codec, Entry, IndexFault, IndexLimits, Key, Lookup, encode, encode_rollup},
};
use carpool_core::{Bytes, Multihash};

/// The parts of an index, one after the other.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const SORTED: &[u8] = &[0x80, 0x08];
const MULTIHASH: &[u8] = &[0x81, 0x08];
const MULTI: &[u8] = &[0x82, 0x08];

fn count(n: u32) -> [u8; 4] {
    n.to_le_bytes()
}

fn bucket(width: u32, bytes: u64) -> Vec<u8> {
    join(&[&width.to_le_bytes(), &bytes.to_le_bytes()])
}

fn record(digest: u8) -> Vec<u8> {
    join(&[&[digest; 32], &7u64.to_le_bytes()])
}

fn ended(input: &[u8]) -> Result<(), (u64, IndexFault)> {
    let whole = index_samples::read_chunks([input], &IndexLimits::default());
    let bytewise = index_samples::read_chunks(input.chunks(1), &IndexLimits::default());
    assert_eq!(whole, bytewise, "whatever the chunks");
    whole.1.map_err(|error| {
        let Error::Index { offset, fault } = error else { unreachable!("{error}") };
        (offset, fault)
    })
}

#[test]
fn faults_are_named_with_their_place() {
    let code = 0x12u64.to_le_bytes();
    let low = 0x11u64.to_le_bytes();
    let one = join(&[&bucket(40, 40), &record(1)]);
    for (name, input, fault) in [
        ("nothing", vec![], (0, IndexFault::Truncated)),
        ("half a codec", vec![0x80], (0, IndexFault::Truncated)),
        ("a long codec", vec![0xff; 9], (0, IndexFault::Varint)),
        ("a padded codec", vec![0x80, 0x88, 0x00], (0, IndexFault::Varint)),
        ("no codec", vec![1, 0, 0, 0, 0x28], (0, IndexFault::Codec { codec: 1 })),
        ("half a count", join(&[SORTED, &[1, 0]]), (2, IndexFault::Truncated)),
        (
            "2^32 - 1 buckets",
            join(&[SORTED, &count(u32::MAX)]),
            (2, IndexFault::TooManyBuckets { buckets: u32::MAX.into(), max: 4096 }),
        ),
        (
            "2^32 - 1 hash functions",
            join(&[MULTIHASH, &count(u32::MAX)]),
            (2, IndexFault::TooManyBuckets { buckets: u32::MAX.into(), max: 4096 }),
        ),
        (
            "2^32 - 1 buckets of one",
            join(&[MULTIHASH, &count(1), &code, &count(u32::MAX)]),
            (14, IndexFault::TooManyBuckets { buckets: 1 << 32, max: 4096 }),
        ),
        ("width 0", join(&[SORTED, &count(1), &bucket(0, 0)]), (6, IndexFault::Width { width: 0 })),
        ("width 7", join(&[SORTED, &count(1), &bucket(7, 7)]), (6, IndexFault::Width { width: 7 })),
        (
            "width 73",
            join(&[SORTED, &count(1), &bucket(73, 73), &[0; 73]]),
            (18, IndexFault::WidthTooLarge { width: 73, max: 72 }),
        ),
        (
            "half an entry",
            join(&[SORTED, &count(1), &bucket(40, 41), &[0; 41]]),
            (6, IndexFault::BucketLength { bytes: 41, width: 40 }),
        ),
        (
            "2^60 entries",
            join(&[SORTED, &count(1), &bucket(8, 1 << 63), &[0; 24]]),
            (42, IndexFault::Truncated),
        ),
        (
            "beyond the last offset",
            join(&[SORTED, &count(1), &bucket(8, u64::MAX - 7), &[0; 24]]),
            (6, IndexFault::Overflow { bytes: u64::MAX - 7 }),
        ),
        (
            "unsorted digests",
            join(&[SORTED, &count(1), &bucket(40, 80), &record(2), &record(1)]),
            (58, IndexFault::Unsorted),
        ),
        ("a width twice", join(&[SORTED, &count(2), &one, &one]), (58, IndexFault::Unsorted)),
        (
            "widths unsorted",
            join(&[SORTED, &count(2), &one, &bucket(39, 0)]),
            (58, IndexFault::Unsorted),
        ),
        (
            "a hash function twice",
            join(&[MULTIHASH, &count(2), &code, &count(0), &code, &count(0)]),
            (18, IndexFault::Unsorted),
        ),
        (
            "hash functions unsorted",
            join(&[MULTIHASH, &count(2), &code, &count(0), &low, &count(0)]),
            (18, IndexFault::Unsorted),
        ),
        ("bytes after", join(&[SORTED, &count(1), &one, &[0]]), (58, IndexFault::TrailingBytes)),
        (
            "an entry missing",
            join(&[SORTED, &count(1), &bucket(40, 40)]),
            (18, IndexFault::Truncated),
        ),
        ("a bucket missing", join(&[SORTED, &count(2), &one]), (58, IndexFault::Truncated)),
        (
            "2^62 CARs",
            join(&[MULTI, &[0x80; 8], &[0x40]]),
            (2, IndexFault::TooManyCars { cars: 1 << 62, max: 1 << 14 }),
        ),
        (
            "a CAR's digest of 2^62 bytes",
            join(&[MULTI, &[1, 0x12], &[0x80; 8], &[0x40]]),
            (3, IndexFault::CarDigest { bytes: 1 << 62, max: 64 }),
        ),
        ("a rollup in a rollup", join(&[MULTI, &[1, 0x12, 1, 9], MULTI]), (6, IndexFault::Nested)),
        (
            "a CAR twice",
            join(&[MULTI, &[2, 0x12, 1, 9], SORTED, &count(0), &[0x12, 1, 9]]),
            (12, IndexFault::Unsorted),
        ),
    ] {
        assert_eq!(ended(&input), Err(fault), "{name}");
    }
}

#[test]
fn odd_ones_are_read() {
    let code = 0u64.to_le_bytes();
    for (name, input, entries) in [
        ("no buckets", join(&[SORTED, &count(0)]), 0),
        ("no hash functions", join(&[MULTIHASH, &count(0)]), 0),
        ("no CARs", join(&[MULTI, &[0]]), 0),
        ("an empty bucket", join(&[SORTED, &count(1), &bucket(40, 0)]), 0),
        ("a hash function without buckets", join(&[MULTIHASH, &count(1), &code, &count(0)]), 0),
        ("no digest, as go-car writes it", join(&[SORTED, &count(1), &bucket(8, 16), &[3; 16]]), 2),
        ("64 bytes", join(&[SORTED, &count(1), &bucket(72, 72), &[3; 72]]), 1),
    ] {
        let (items, ended) = index_samples::read_chunks([&input[..]], &IndexLimits::default());
        assert_eq!(ended, Ok(()), "{name}");
        assert_eq!(index_samples::entries(&items).len(), entries, "{name}");
    }
}

#[test]
fn any_order_is_read_where_that_is_asked_for() {
    let input = join(&[SORTED, &count(1), &bucket(40, 80), &record(2), &record(1)]);
    let mut reader = carpool_car::index::Reader::new(&IndexLimits::default()).any_order();
    reader.handle_data(input.into());
    let mut items = Vec::new();
    while let Some(item) = reader.poll().expect("no fault") {
        items.push(item);
    }
    let digests: Vec<u8> = index_samples::entries(&items).iter().map(|e| e.digest()[0]).collect();
    assert_eq!((digests, reader.offset()), (vec![2, 1], 98));
}

#[test]
fn limits_hold_at_and_one_past() {
    let mut limits = IndexLimits::default();
    let entry = |code, len| Entry::new(Some(code), &[1; 64][..len], 0).expect("short");
    let entries = [entry(0x12, 32), entry(0x12, 20), entry(0x13, 64), entry(0x14, 64)];
    // Three hash functions and four buckets; without hash functions, three buckets.
    for (codec, buckets) in [(Codec::MultihashSorted, 7u32), (Codec::Sorted, 3)] {
        let index = index_reference::write(codec, &entries);
        let fault =
            IndexFault::TooManyBuckets { buckets: buckets.into(), max: (buckets - 1).into() };
        let refused = |error: Error| matches!(error, Error::Index { fault: f, .. } if f == fault);
        for (max, fits) in [(buckets, true), (buckets - 1, false)] {
            limits.max_buckets = max;
            let (_, ended) = index_samples::read_chunks([&index[..]], &limits);
            assert!(ended.map_or_else(refused, |()| fits), "read, {codec:?}, limit {max}");
            let made = encode(codec, entries, &limits);
            assert!(made.map_or_else(refused, |made| fits && made == index), "made, {codec:?}");
            let key = Key::digest(&[9; 64]).expect("short");
            let (_, ended) = index_samples::look_up(Lookup::new(key, 0, &limits), &index);
            assert!(ended.map_or_else(refused, |_| fits), "looked up, {codec:?}");
        }
    }
    let index = Bytes::from(index_reference::write(Codec::Sorted, &entries));
    let car = |n| (Multihash::wrap(0x12, &[n]).expect("short"), index.clone());
    let rollup = encode_rollup(vec![car(1), car(2), car(3)]).concat();
    for (max, expected) in [(3, Ok(())), (2, Err(IndexFault::TooManyCars { cars: 3, max: 2 }))] {
        let mut limits = IndexLimits::default();
        (limits.max_cars, limits.max_buckets) = (max, 3);
        let (_, ended) = index_samples::read_chunks([&rollup[..]], &limits);
        assert_eq!(ended, expected.map_err(|fault| Error::Index { offset: 2, fault }));
    }
}

#[test]
fn look_ups_end_whatever_is_claimed() {
    let key = Key::digest(&[7; 32]).expect("short");
    let claims = |width, bytes| join(&[SORTED, &count(1), &bucket(width, bytes), &[9; 400]]);
    let code = 0x12u64.to_le_bytes();
    for (name, input) in [
        ("2^57 entries", claims(40, 40 << 57)),
        ("2^57 entries of another width", claims(39, 39 << 57)),
        ("to the last offset", claims(40, u64::MAX / 40 * 40 - 40)),
        ("beyond it", claims(40, u64::MAX / 40 * 40)),
        ("nothing", vec![]),
        ("a head", join(&[MULTIHASH, &count(1), &code])),
    ] {
        let lookup = Lookup::new(key, 0, &IndexLimits::default());
        let (found, ended) = index_samples::look_up(lookup, &input);
        assert!(found.is_empty(), "{name}");
        // What begins at the end is not there, and is not looked for where it comes too late.
        assert_eq!(ended.is_err(), name != "2^57 entries of another width", "{name}: {ended:?}");
    }
    let lookup = Lookup::new(key, u64::MAX - 5, &IndexLimits::default());
    assert!(index_samples::look_up(lookup, &[]).1.is_err(), "no place for an index");
}

/// A digest that is out of order is not found, or its neighbour is told: never a loop.
#[test]
fn look_ups_end_in_unsorted_indexes() {
    let records: Vec<Vec<u8>> = (0..5000u32).map(|n| record((n * 97).to_le_bytes()[0])).collect();
    let records = records.concat();
    let input = join(&[SORTED, &count(1), &bucket(40, records.len() as u64), &records]);
    for digest in 0..=255 {
        let key = Key::digest(&[digest; 32]).expect("short");
        let lookup = Lookup::new(key, 0, &IndexLimits::default()).page_bytes(128);
        let (found, ended) = index_samples::look_up(lookup, &input);
        assert!(found.len() <= 5000);
        assert!(ended.is_err() || ended.is_ok_and(|(reads, _)| reads < 100));
    }
}
