use carpool_car::index::{Entry, Found, IndexLimits, Key, Lookup};
use carpool_core::Multihash;

use crate::{car_index_reference, car_index_samples, choices::Choices};

/// A look-up ends after a number of reads that hangs on the limits, whatever the index claims; in a
/// good one it finds what a search from one end to the other finds.
pub fn car_index_lookup(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut limits = IndexLimits::default();
    (limits.max_buckets, limits.max_cars) = (8, 4);
    let page = 128 << (choices.byte() % 6);
    let (with_code, pick, change) =
        (choices.byte().is_multiple_of(2), choices.byte(), choices.byte());
    let index = choices.bytes(usize::MAX);
    let (items, ended) = car_index_samples::read_chunks([index], &limits);
    let entry = key(&car_index_samples::entries(&items), pick, change);
    let Some(key) = as_key(&entry, with_code) else { return };
    let lookup = Lookup::new(key, 0, &limits).page_bytes(page);
    let (found, outcome) = car_index_samples::look_up(lookup, index);
    if let Ok((reads, _)) = outcome {
        // Each bucket of each CAR, the longest search, and what is found.
        assert!(reads <= 4 * (8 + 1) + 4 * 8 * (4 + 2 * 64) + found.len(), "{reads} reads");
    }
    if ended.is_ok() {
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(found, expected(index, &entry, with_code));
    }
}

/// One of the entries, changed a little or not at all.
fn key(entries: &[Entry], pick: u8, change: u8) -> Entry {
    let none = Entry::new(Some(0x12), &[change; 32], 0).expect("short");
    let entry = entries.get(usize::from(pick) % entries.len().max(1)).unwrap_or(&none);
    let mut digest = entry.digest().to_vec();
    if change < 128
        && let Some(byte) = digest.get_mut(usize::from(change % 64))
    {
        *byte = byte.wrapping_add(1);
    }
    Entry::new(entry.code().or(Some(0x12)), &digest, 0).expect("as long as it was")
}

fn as_key(entry: &Entry, with_code: bool) -> Option<Key> {
    if !with_code {
        return Key::digest(entry.digest());
    }
    let hash = Multihash::wrap(entry.code()?, entry.digest()).ok()?;
    Some(Key::multihash(&hash))
}

fn expected(index: &[u8], key: &Entry, with_code: bool) -> Vec<Found> {
    let same = |found: &Found| {
        let codes = found.entry.code().zip(key.code()).filter(|_| with_code);
        found.entry.digest() == key.digest() && codes.is_none_or(|(a, b)| a == b)
    };
    let all = car_index_reference::read(index).into_iter();
    all.map(|(car, entry)| Found { car, entry }).filter(same).collect()
}
