//! Indexes are written as the reference writes them, whatever the budget; read whatever the chunks;
//! and look-ups find what a search from one end to the other finds.

mod index_reference;
mod index_samples;

use carpool_car::index::{Codec, Entry, IndexLimits, Key, Lookup, encode, encode_rollup};
use carpool_core::{Bytes, Multihash};
use proptest::prelude::*;

/// Digests of few values, so that they repeat, and of all lengths.
fn entry() -> impl Strategy<Value = Entry> {
    let code = prop_oneof![4 => Just(0x12), 1 => Just(0), 1 => Just(0x13), 1 => 0u64..1 << 40];
    let len = prop_oneof![4 => Just(32usize), 1 => 0usize..=64];
    let fill = prop_oneof![Just(None), any::<u8>().prop_map(Some)];
    (code, len, fill, any::<[u8; 32]>(), any::<u64>()).prop_map(
        |(code, len, fill, mut digest, offset)| {
            if let Some(fill) = fill {
                digest = [0; 32];
                digest[usize::from(fill) % 32] = fill % 3;
            }
            let digest = [digest, digest].concat();
            Entry::new(Some(code), &digest[..len], offset % (1 << (offset % 64))).expect("short")
        },
    )
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![Just(Codec::Sorted), Just(Codec::MultihashSorted)]
}

fn without_code(entry: &Entry) -> Entry {
    Entry::new(None, entry.digest(), entry.offset()).expect("short")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_budget(
        entries in prop::collection::vec(entry(), 0..600),
        codec in codec(),
        budget in 0usize..40_000,
    ) {
        let expected = index_reference::write(codec, &entries);
        prop_assert_eq!(&index_samples::make(codec, usize::MAX, &entries), &(expected.clone(), 0));
        prop_assert_eq!(&index_samples::make(codec, budget, &entries).0, &expected);
        prop_assert_eq!(&encode(codec, entries, &IndexLimits::default()).expect("few"), &expected);
    }

    #[test]
    fn whatever_the_chunks(
        entries in prop::collection::vec(entry(), 0..60),
        codec in codec(),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        end in prop::option::of(any::<usize>()),
        buckets in prop_oneof![Just(4096u32), 0u32..20],
    ) {
        let mut limits = IndexLimits::default();
        limits.max_buckets = buckets;
        let mut input = index_reference::write(codec, &entries);
        for (at, byte) in damage {
            let at = at % input.len().min(40);
            input[at] = byte;
        }
        input.truncate(end.map_or(input.len(), |end| end % (input.len() + 1)));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
        let (items, ended) = index_samples::read_chunks(chunks, &limits);
        let whole = index_samples::read_chunks([&input[..]], &limits);
        prop_assert_eq!((&items, &ended), (&whole.0, &whole.1));
        if ended.is_ok() {
            let expected: Vec<Entry> =
                index_reference::read(&input).into_iter().map(|(_, entry)| entry).collect();
            prop_assert_eq!(index_samples::entries(&items), expected);
        }
    }

    #[test]
    fn wherever_the_key(
        entries in prop::collection::vec(entry(), 1..600),
        codec in codec(),
        others in prop::collection::vec(entry(), 0..10),
        pick in any::<prop::sample::Index>(),
        page in prop_oneof![Just(4096usize), 0usize..1000],
        start in 0usize..50,
    ) {
        let index = index_reference::write(codec, &entries);
        let input = [vec![7; start], index.clone()].concat();
        for key in others.iter().chain([pick.get(&entries)]) {
            let same = |entry: &&Entry| entry.digest() == key.digest();
            let all: Vec<Entry> = index_reference::read(&index).into_iter().map(|(_, e)| e).collect();
            let look_up = |key| {
                let lookup = Lookup::new(key, start as u64, &IndexLimits::default());
                let (found, ended) = index_samples::look_up(lookup.page_bytes(page), &input);
                (found.iter().map(|found| found.entry).collect::<Vec<_>>(), ended.is_ok())
            };
            let expected: Vec<Entry> = all.iter().filter(same).copied().collect();
            prop_assert_eq!(look_up(Key::digest(key.digest()).expect("short")), (expected.clone(), true));
            let hash = Multihash::wrap(key.code().expect("known"), key.digest()).expect("short");
            let fits = |entry: &&Entry| entry.code().is_none_or(|code| code == hash.code());
            let expected = expected.iter().filter(fits).copied().collect();
            prop_assert_eq!(look_up(Key::multihash(&hash)), (expected, true));
        }
    }

    #[test]
    fn whichever_the_car(
        cars in prop::collection::btree_map(any::<u8>(), (codec(), prop::collection::vec(entry(), 0..40)), 0..6),
        pick in any::<u16>(),
    ) {
        let hash = |car: u8| Multihash::wrap(0x12, &[car; 32]).expect("short");
        let indexes = cars.iter().map(|(car, (codec, entries))| {
            (hash(*car), Bytes::from(index_reference::write(*codec, entries)))
        });
        let rollup = encode_rollup(indexes.rev().collect()).concat();
        let (items, ended) = index_samples::read_chunks([&rollup[..]], &IndexLimits::default());
        prop_assert_eq!(ended, Ok(()));
        let all = index_reference::read(&rollup);
        let entries: Vec<Entry> = all.iter().map(|(_, entry)| *entry).collect();
        prop_assert_eq!(index_samples::entries(&items), entries);
        if let Some((_, key)) = all.get(usize::from(pick) % all.len().max(1)) {
            let found = index_samples::find(Key::digest(key.digest()).expect("short"), &rollup);
            let found: Vec<_> = found.iter().map(|found| (found.car, found.entry)).collect();
            let same = all.iter().filter(|(_, entry)| entry.digest() == key.digest());
            prop_assert_eq!(found, same.copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn codes_are_not_told_by_the_plain_format() {
    let entry = Entry::new(Some(0x12), &[1; 32], 9).expect("short");
    let plain = encode(Codec::Sorted, [entry], &IndexLimits::default()).expect("one bucket");
    let again = encode(Codec::Sorted, [without_code(&entry)], &IndexLimits::default());
    assert_eq!(again.expect("one bucket"), plain);
    assert_eq!(index_reference::read(&plain), [(None, without_code(&entry))]);
}

#[test]
fn hundreds_of_runs_are_merged() {
    let digest = |n: u64| carpool_core::sha2_256(&(n % 15_000).to_le_bytes());
    let entry = |n: u64| Entry::new(Some(0x12), &digest(n), n * 1000).expect("short");
    let wide = |n: u64| Entry::new(Some(0x13), &[digest(n); 2].concat(), n).expect("short");
    let entries: Vec<Entry> = (0..20_000).map(entry).chain((0..3000).map(wide)).collect();
    let (made, runs) = index_samples::make(Codec::MultihashSorted, 0, &entries);
    assert!(made == index_reference::write(Codec::MultihashSorted, &entries));
    assert!(runs > 400, "{runs} runs");
}
