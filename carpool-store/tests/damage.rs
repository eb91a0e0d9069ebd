//! Bytes that changed on the disk are found.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_store::{BlockStore, Error, LocalOptions, LocalStore};
use common::{blocks, cids, data, open, segments};
use std::fs;

/// A store of ten blocks, the fifth of which is damaged.
fn damaged_store(len: usize) -> (tempfile::TempDir, Vec<carpool_core::Block>) {
    let folder = common::folder();
    let all = blocks(0..10, len);
    open(folder.path()).put_many(&all).unwrap();
    let path = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let section = carpool_car::section_len(all[4].cid(), len);
    let end_of_the_fifth = bytes.len() - 5 * section;
    bytes[end_of_the_fifth - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    (folder, all)
}

#[test]
fn reads_that_verify_refuse_a_damaged_block() {
    let (folder, all) = damaged_store(100);
    let mut options = LocalOptions::default();
    options.verify_reads = true;
    let store = LocalStore::open(folder.path(), options).unwrap();
    let refused = store.get_many(&cids(&all));
    assert!(matches!(refused, Err(Error::Damaged { cid, segment: 1, .. }) if cid == *all[4].cid()));
    assert_eq!(store.get_many(&cids(&all[5..])).unwrap(), data(&all[5..]));
    assert!(open(folder.path()).get_many(&cids(&all)).is_ok());
}

#[test]
fn scrub_names_every_damaged_block_and_forgetting_it_lets_it_be_put_again() {
    let (folder, all) = damaged_store(20_000);
    let store = open(folder.path());
    let report = store.scrub().unwrap();
    assert_eq!((report.blocks, report.bytes, report.damaged.len()), (10, 200_000, 1));
    let Error::Damaged { cid, .. } = &report.damaged[0] else { panic!("damage") };
    assert_eq!(cid, all[4].cid());

    assert_eq!(store.forget_damaged(&cids(&all)).unwrap(), 1);
    assert!(!store.has(cid).unwrap());
    store.put_many(&all).unwrap();
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    assert!(store.scrub().unwrap().damaged.is_empty());
}

#[test]
fn a_segment_that_vanishes_while_the_store_is_open_is_damage() {
    let folder = common::folder();
    let all = blocks(0..10, 50);
    open(folder.path()).put_many(&all).unwrap();
    let store = open(folder.path());
    fs::remove_file(segments(folder.path()).pop().unwrap()).unwrap();
    assert!(matches!(store.get(all[0].cid()), Err(Error::Damaged { segment: 1, .. })));
    assert_eq!(store.scrub().unwrap().damaged.len(), 10);
}
