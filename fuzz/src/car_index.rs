use carpool_car::index::{Codec, Entry, IndexLimits, Item, Reader, decode, encode};
use carpool_core::Bytes;

use crate::{car_index_reference, car_index_samples, choices::Choices};

/// In any chunks the reader makes of an index what it makes of the whole; of a good one it makes
/// what the reference makes, and its entries written again are read back.
pub fn car_index(data: &[u8]) {
    let mut choices = Choices::new(data);
    let limits = limits(choices.byte());
    let cuts = choices.bytes(4);
    let index = choices.bytes(usize::MAX);
    let (items, ended) = car_index_samples::read_chunks([index], &limits);
    let (in_chunks, ended_in_chunks) = car_index_samples::read_chunks(cut(index, cuts), &limits);
    assert_eq!((&in_chunks, &ended_in_chunks), (&items, &ended));
    if ended.is_err() {
        return;
    }
    assert_eq!(decode(Bytes::copy_from_slice(index), &limits).as_ref(), Ok(&items));
    let entries = car_index_samples::entries(&items);
    assert_eq!(by_records(cut(index, cuts), &limits), entries);
    let expected = car_index_reference::read(index).into_iter().map(|(_, entry)| entry);
    assert_eq!(entries, expected.collect::<Vec<_>>());
    if let Some(Item::Codec(codec @ (Codec::Sorted | Codec::MultihashSorted))) = items.first() {
        written_again(*codec, entries);
    }
}

/// The entries of a good index, as many at once as have arrived.
fn by_records(chunks: Vec<&[u8]>, limits: &IndexLimits) -> Vec<Entry> {
    let (mut reader, mut entries) = (Reader::new(limits).any_order(), Vec::new());
    for chunk in chunks {
        reader.handle_data(Bytes::copy_from_slice(chunk));
        loop {
            while let Some(records) = reader.take_records() {
                let entry = |(digest, at): (&[u8], u64)| Entry::new(records.code(), digest, at);
                entries.extend(records.iter().map(|record| entry(record).expect("short")));
            }
            if reader.poll().expect("a good index").is_none() {
                break;
            }
        }
    }
    entries
}

fn limits(choice: u8) -> IndexLimits {
    let mut limits = IndexLimits::default();
    if choice & 1 != 0 {
        (limits.max_buckets, limits.max_cars) = (3, 2);
    }
    limits
}

fn cut<'a>(mut rest: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let cut = cuts.get(chunks.len() % cuts.len().max(1));
        let (chunk, after) = rest.split_at(cut.map_or(1, |n| 1 + usize::from(*n)).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

fn written_again(codec: Codec, mut entries: Vec<Entry>) {
    let again = encode(codec, entries.iter().rev().copied(), &IndexLimits::default());
    let again = again.expect("no more buckets than were read");
    let (items, ended) = car_index_samples::read_chunks([&again[..]], &IndexLimits::default());
    entries.sort_unstable();
    assert_eq!((car_index_samples::entries(&items), ended), (entries, Ok(())));
}
