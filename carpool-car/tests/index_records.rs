//! Entries that are taken many at once are those that come one by one, however the bytes arrive.

mod index_reference;
mod index_samples;

use carpool_car::index::{Codec, Entry, IndexLimits, Item, Reader};
use carpool_core::Bytes;

fn index() -> Vec<u8> {
    let entry = |n: u8| {
        let (code, len) = ([0x12, 0x13][usize::from(n % 2)], [32, 20, 64][usize::from(n % 3)]);
        Entry::new(Some(code), &[n.wrapping_mul(37); 64][..len], n.into()).expect("short")
    };
    let entries: Vec<Entry> = (0..100).map(entry).collect();
    index_reference::write(Codec::MultihashSorted, &entries)
}

fn one_by_one(index: &[u8]) -> Vec<Entry> {
    let (items, ended) = index_samples::read_chunks([index], &IndexLimits::default());
    assert_eq!(ended, Ok(()));
    index_samples::entries(&items)
}

/// All entries, and where the last ended.
fn many_at_once(index: &[u8], chunk: usize) -> (Vec<Entry>, u64) {
    let mut reader = Reader::new(&IndexLimits::default()).any_order();
    let (mut entries, mut end) = (Vec::new(), 0);
    for chunk in index.chunks(chunk) {
        reader.handle_data(Bytes::copy_from_slice(chunk));
        loop {
            while let Some(records) = reader.take_records() {
                assert!(records.offset() >= end, "they do not overlap");
                let taken = records.iter().count() * records.width();
                end = records.offset() + taken as u64;
                entries.extend(records.iter().map(|(digest, offset)| {
                    Entry::new(records.code(), digest, offset).expect("short")
                }));
            }
            match reader.poll().expect("no fault") {
                Some(item) => assert!(!matches!(item, Item::Entry(_)), "not among the records"),
                None => break,
            }
        }
    }
    reader.handle_eof();
    assert_eq!(reader.poll(), Ok(None));
    (entries, end)
}

#[test]
fn they_are_the_same_in_chunks_of_any_size() {
    let index = index();
    let expected = one_by_one(&index);
    assert_eq!(expected.len(), 100);
    for chunk in [1, 7, 28, 40, 41, 100, 1000, index.len()] {
        let (entries, end) = many_at_once(&index, chunk);
        assert!(entries == expected, "chunks of {chunk}");
        assert_eq!(end, index.len() as u64);
    }
}

#[test]
fn where_order_is_checked_they_come_one_by_one() {
    let mut reader = Reader::new(&IndexLimits::default());
    reader.handle_data(index().into());
    while let Some(item) = reader.poll().expect("no fault") {
        assert_eq!(reader.take_records(), None, "behind {item:?}");
    }
}
