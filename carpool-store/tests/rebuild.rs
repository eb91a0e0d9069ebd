//! A lost index is made anew from the CAR files and the journal of names.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_store::{BlockStore, Error, Expect, LocalStore, Names, SetName};
use common::{blocks, cids, data, open, segments, small};
use std::{fs, path::Path};

fn fill(folder: &Path) {
    let store = LocalStore::open(folder, small(8000)).unwrap();
    let all = blocks(0..100, 400);
    store.put_many(&all).unwrap();
    for (name, n) in [("a", 1), ("b", 2), ("a", 3), ("é ✓", 4)] {
        let _ = store.set_name(name, Expect::Any, all[n].cid()).unwrap();
    }
}

/// All that a store says of itself.
fn contents(store: &LocalStore) -> String {
    let cids = store.cids_after(None, 1000).unwrap();
    let data = store.get_many(&cids).unwrap();
    let names = store.names().unwrap();
    let history: Vec<_> = names.iter().map(|(name, _)| store.history(name).unwrap()).collect();
    let stats = store.stats().unwrap();
    format!("{cids:?} {data:?} {names:?} {history:?} {} {}", stats.blocks, stats.bytes)
}

#[test]
fn a_missing_index_comes_back_equal() {
    let folder = common::folder();
    fill(folder.path());
    let before = contents(&open(folder.path()));
    fs::remove_file(folder.path().join("index.sqlite")).unwrap();
    let store = open(folder.path());
    let report = store.recovery();
    assert_eq!((report.rebuilt, report.blocks, report.cuts.len()), (true, 100, 0));
    assert_eq!(contents(&store), before);
    drop(store);
    assert!(!open(folder.path()).recovery().rebuilt);
}

#[test]
fn an_index_of_rubbish_comes_back_equal() {
    for rubbish in [&[0xee; 9000][..], b"SQLite format 3\0 and no more", b""] {
        let folder = common::folder();
        fill(folder.path());
        let before = contents(&open(folder.path()));
        fs::write(folder.path().join("index.sqlite"), rubbish).unwrap();
        let store = open(folder.path());
        assert!(store.recovery().rebuilt);
        assert_eq!(contents(&store), before);
    }
}

#[test]
fn rebuilding_on_purpose_changes_nothing() {
    let folder = common::folder();
    fill(folder.path());
    let before = contents(&open(folder.path()));
    let report = LocalStore::rebuild_index(folder.path()).unwrap();
    assert_eq!((report.rebuilt, report.blocks, report.lost_blocks), (true, 100, 0));
    assert_eq!(contents(&open(folder.path())), before);
}

#[test]
fn a_torn_line_in_the_journal_costs_no_other() {
    let folder = common::folder();
    fill(folder.path());
    let log = folder.path().join("names.log");
    let mut text = fs::read_to_string(&log).unwrap();
    text.truncate(text.len() - 10);
    fs::write(&log, text).unwrap();
    let again = *common::block(9, 400).cid();
    let set = open(folder.path()).set_name("a", Expect::Any, &again).unwrap();
    assert!(matches!(set, SetName::Set(entry) if entry.seq == 3));
    assert_eq!(LocalStore::rebuild_index(folder.path()).unwrap().bad_name_lines, 1);
    let store = open(folder.path());
    assert_eq!(store.history("a").unwrap().len(), 3);
    assert_eq!(store.name("a").unwrap().unwrap().root, again);
    assert!(store.name("é ✓").unwrap().is_none());
}

#[test]
fn damage_in_the_middle_loses_nothing_before_it_and_throws_nothing_away() {
    let folder = common::folder();
    let all = blocks(0..10, 40);
    open(folder.path()).put_many(&all).unwrap();
    let path = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let sixth = bytes.len() - 5 * 77;
    bytes[sixth..sixth + 10].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let report = LocalStore::rebuild_index(folder.path()).unwrap();
    assert_eq!(fs::read(report.cuts[0].saved.as_ref().unwrap()).unwrap(), bytes[sixth..]);
    let store = open(folder.path());
    assert_eq!(store.get_many(&cids(&all[..5])).unwrap(), data(&all[..5]));
    assert_eq!(store.has_many(&cids(&all[5..])).unwrap(), [false; 5]);
}

#[test]
fn an_index_of_the_future_is_left_alone() {
    let folder = common::folder();
    fill(folder.path());
    let path = folder.path().join("index.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&9_i32.to_be_bytes()); // user_version in the file's header
    fs::write(&path, &bytes).unwrap();
    let refused = LocalStore::open(folder.path(), small(8000));
    assert!(matches!(refused, Err(Error::IndexVersion { found: 9, supported: 1, .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
