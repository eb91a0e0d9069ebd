//! What was put is there after the store was closed and opened again.
mod common;

use carpool_core::{Block, Cid, codec};
use carpool_store::{BlockStore, Expect, LocalStore, Names, Recovery};
use common::{block, blocks, cids, data, open, small};

#[test]
fn blocks_names_and_roots_are_still_there_and_nothing_is_repaired() {
    let folder = common::folder();
    let all = blocks(0..300, 500);
    let store = LocalStore::open(folder.path(), small(20_000)).unwrap();
    for batch in all.chunks(7) {
        store.put_many(batch).unwrap();
    }
    let _ = store.set_name("main", Expect::Absent, all[0].cid()).unwrap();
    store.note_root(all[1].cid()).unwrap();
    let stats = store.stats().unwrap();
    drop(store);

    let store = open(folder.path());
    assert_eq!(store.recovery(), Recovery::default());
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    assert_eq!(store.name("main").unwrap().unwrap().root, *all[0].cid());
    assert_eq!(store.recent_roots(9).unwrap(), [*all[1].cid()]);
    let again = store.stats().unwrap();
    assert_eq!((again.blocks, again.bytes), (300, 150_000));
    assert_eq!(
        (again.blocks, again.bytes, again.segments),
        (stats.blocks, stats.bytes, stats.segments)
    );
    assert!(again.disk_bytes > again.bytes && again.segments >= 8);
}

#[test]
fn a_known_block_costs_no_room() {
    let folder = common::folder();
    let store = open(folder.path());
    let twice = [block(1, 9000), block(1, 9000), block(2, 50)];
    store.put_many(&twice).unwrap();
    let once = store.stats().unwrap().disk_bytes;
    store.put_many(&twice).unwrap();
    store.flush().unwrap();
    store.put_many(&twice).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 2);
    let car = std::fs::metadata(&common::segments(folder.path())[0]).unwrap().len();
    assert!(car < 9000 + 50 + 250 && once > 0);
}

#[test]
fn cids_are_listed_as_they_were_put_first() {
    let folder = common::folder();
    let store = open(folder.path());
    let mut all = blocks(0..20, 30);
    all.push(Block::new_v0("v0".into()));
    all.push(Block::new(u64::MAX, "codec".into()));
    store.put_many(&all).unwrap();
    let other = Cid::new_v1(codec::DAG_CBOR, *all[0].cid().hash());
    store.put(&Block::new_unchecked(other, all[0].data().clone())).unwrap();

    let mut listed = store.cids_after(None, 5).unwrap();
    while let page @ [_, ..] = &store.cids_after(listed.last(), 5).unwrap()[..] {
        listed.extend(page);
    }
    let mut expected = cids(&all);
    expected.sort_by_key(|cid| cid.hash().to_bytes());
    assert_eq!(listed, expected);
}

#[test]
fn another_folder_is_another_store() {
    let (a, b) = (common::folder(), common::folder());
    open(a.path()).put(&block(1, 10)).unwrap();
    assert!(!open(b.path()).has(block(1, 10).cid()).unwrap());
}

#[test]
fn segment_sizes_are_held_to_their_range() {
    let folder = common::folder();
    for (bytes, allowed) in [(1023, false), (1024, true), (1 << 40, true), ((1 << 40) + 1, false)] {
        assert_eq!(LocalStore::open(folder.path(), small(bytes)).is_ok(), allowed, "{bytes}");
    }
}
