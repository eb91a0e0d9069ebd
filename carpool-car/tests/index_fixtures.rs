//! Indexes that other implementations wrote: read, looked up and written again byte for byte.

mod index_reference;
mod index_samples;
mod samples;

use carpool_car::index::{Codec, Entry, IndexLimits, Item, Key, decode, encode, encode_rollup};
use carpool_core::{Bytes, Limits, Multihash};
use std::fs;

fn bytes(path: &str) -> Option<Vec<u8>> {
    Some(fs::read(samples::fixture(path)?).expect("readable"))
}

/// The index of a CARv2: where its header says, to its end.
fn embedded(car: &[u8]) -> &[u8] {
    let field = car[43..51].try_into().expect("eight bytes");
    &car[usize::try_from(u64::from_le_bytes(field)).expect("in memory")..]
}

fn entries_of(index: &[u8]) -> Vec<Entry> {
    let items = decode(Bytes::copy_from_slice(index), &IndexLimits::default()).expect("good");
    index_samples::entries(&items)
}

fn codec_of(index: &[u8]) -> Codec {
    Codec::from_code(0x0400 | u64::from(index[0] & 0x7f)).expect("a codec")
}

/// The entries that a CAR should be indexed with.
fn entries_of_car(car: &[u8], identity: bool) -> Vec<Entry> {
    let mut limits = Limits::default();
    (limits.max_block_bytes, limits.max_section_bytes) = (32 << 20, 33 << 20);
    let (items, ended) = samples::decode(car, &limits);
    ended.expect("a good CAR");
    let sections = items.into_iter().filter_map(|item| match item {
        carpool_car::Item::Section(section) => Some(Entry::of(&section.cid, section.offset)),
        carpool_car::Item::Header(_) | carpool_car::Item::Behind(_) => None,
    });
    sections.filter(|entry| identity || entry.code() != Some(0)).collect()
}

#[test]
fn go_car_indexes_are_made_byte_for_byte() {
    for name in ["mixed", "noroot"] {
        let Some(car) = bytes(&format!("go-car/{name}.car")) else { return };
        for (codec, kind) in [(Codec::Sorted, "0400"), (Codec::MultihashSorted, "0401")] {
            let index = bytes(&format!("go-car/{name}.{kind}.idx")).expect("beside the CAR");
            let entries = entries_of_car(&car, false);
            for budget in [usize::MAX, 10_000] {
                let (ours, runs) = index_samples::make(codec, budget, &entries);
                assert!(ours == index, "{name}.{kind}");
                assert_eq!(runs > 0, budget == 10_000 && name == "mixed");
            }
            for entry in &entries {
                let key = Key::digest(entry.digest()).expect("short");
                let found = index_samples::find(key, &index);
                assert_eq!((found.len(), found[0].entry.offset()), (1, entry.offset()));
            }
        }
    }
}

/// Digests repeat, and go-car's order of equal ones changes from file to file.
#[test]
fn go_car_indexes_with_repeats_have_the_same_entries() {
    let Some(car) = bytes("go-car/odd.car") else { return };
    for (path, codec, identity) in [
        ("odd.0400.idx", Codec::Sorted, false),
        ("odd.0401.idx", Codec::MultihashSorted, false),
        ("odd.v2-0400.detached.idx", Codec::Sorted, true),
        ("odd.v2.car", Codec::MultihashSorted, true),
    ] {
        let file = bytes(&format!("go-car/{path}")).expect("beside the CAR");
        let index = if path == "odd.v2.car" { embedded(&file) } else { &file };
        let ours = encode(codec, entries_of_car(&car, identity), &IndexLimits::default());
        let (ours, mut theirs) = (ours.expect("few buckets"), entries_of(index));
        assert_eq!(ours.len(), index.len(), "{path}");
        theirs.sort_unstable();
        assert_eq!(entries_of(&ours), theirs, "{path}");
        for entry in &theirs {
            let key = Key::digest(entry.digest()).expect("short");
            let found = index_samples::find(key, index);
            assert!(found.iter().any(|found| found.entry == *entry), "{path} {entry:?}");
        }
    }
}

#[test]
fn cardex_indexes_are_made_byte_for_byte() {
    for name in ["shard0.idx", "shard0.mhidx", "shard1.idx", "shard1.mhidx", "mixed.mhidx"] {
        let Some(index) = bytes(&format!("index/satnav/{name}")) else { return };
        let entries = entries_of(&index);
        let ours = encode(codec_of(&index), entries, &IndexLimits::default());
        assert_eq!(ours.expect("few buckets"), index, "{name}");
        if let Some((car, _)) = name.strip_prefix("shard").and_then(|name| name.split_once('.')) {
            let car = bytes(&format!("index/dag/shard{car}.car")).expect("beside");
            let ours =
                encode(codec_of(&index), entries_of_car(&car, false), &IndexLimits::default());
            assert_eq!(ours.expect("few buckets"), index, "{name}");
        }
    }
}

#[test]
fn cardex_rollups_are_made_byte_for_byte() {
    let Some(rollup) = bytes("index/satnav/rollup.idx") else { return };
    let shard = |n: usize| {
        let car = bytes(&format!("index/dag/shard{n}.car")).expect("beside");
        let index = bytes(&format!("index/satnav/shard{n}.mhidx")).expect("beside");
        let hash = Multihash::wrap(0x12, &carpool_core::sha2_256(&car)).expect("short");
        (hash, Bytes::from(index))
    };
    assert_eq!(encode_rollup(vec![shard(1), shard(0)]).concat(), rollup);
    let items = decode(Bytes::copy_from_slice(&rollup), &IndexLimits::default()).expect("good");
    assert_eq!(items[0], Item::Codec(Codec::Multi));
    assert_eq!(items[1], Item::Car(shard(0).0));
    for (car, entry) in index_reference::read(&rollup) {
        let hash = Multihash::wrap(0x12, entry.digest()).expect("short");
        let found = index_samples::find(Key::multihash(&hash), &rollup);
        assert_eq!((found.len(), found[0].car, found[0].entry), (1, car, entry));
    }
}

#[test]
fn indexes_inside_carv2_files_are_read() {
    for (path, entries) in [
        ("car/go-car/sample-wrapped-v2.car", 1043),
        ("car/go-car/sample-wrapped-v2-older-index.car", 1043),
        ("car/go-car/sample-unixfs-v2.car", 3),
        ("car/go-car/sample-rw-bs-v2.car", 3),
        ("car/kubo-cli/TestDagStatCARv2.car", 4),
        ("go-car/mixed.v2.car", 1000),
        ("go-car/noroot.v2.car", 5),
    ] {
        let Some(car) = bytes(path) else { return };
        let index = embedded(&car);
        assert_eq!(entries_of(index).len(), entries, "{path}");
        let ours = encode(codec_of(index), entries_of(index), &IndexLimits::default());
        assert!(ours.expect("few buckets") == index, "{path}");
    }
}
