//! A segment that ends inside a section is cut back to its last whole one.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_core::Block;
use carpool_store::{BlockStore, LocalStore, Recovery};
use common::{block, blocks, cids, copy_store, data, open, segments};
use std::{fs, path::Path};

/// A store as a killed process leaves it, with unflushed blocks after flushed ones.
fn killed_store(folder: &Path, flushed: &[Block], unflushed: &[Block]) {
    let running = common::folder();
    let store = open(running.path());
    store.put_many(flushed).unwrap();
    store.flush().unwrap();
    store.put_many(unflushed).unwrap();
    copy_store(running.path(), folder);
}

fn cut_last_segment(folder: &Path, len: u64) {
    let path = segments(folder).pop().unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn at_every_byte_of_the_last_section() {
    let original = common::folder();
    let (flushed, unflushed) = (blocks(0..3, 40), blocks(3..5, 40));
    killed_store(original.path(), &flushed, &unflushed);
    let len = fs::metadata(&segments(original.path())[0]).unwrap().len();
    let section = 1 + 36 + 40;
    for cut in len - section..=len {
        let folder = common::folder();
        copy_store(original.path(), folder.path());
        cut_last_segment(folder.path(), cut);
        let store = open(folder.path());
        let whole: usize = if cut == len { 5 } else { 4 };
        let report = store.recovery();
        let torn = cut - if cut == len { len } else { len - section };
        assert_eq!(report.blocks, whole as u64 - 3, "{cut}");
        assert_eq!(report.cuts.iter().map(|cut| cut.bytes).sum::<u64>(), torn);
        assert!(report.cuts.iter().all(|cut| cut.saved.is_none()));
        assert_eq!(report.lost_blocks, 0);
        let held = [&flushed[..], &unflushed[..whole - 3]].concat();
        assert_eq!(store.get_many(&cids(&held)).unwrap(), data(&held));
        assert_eq!(store.stats().unwrap().blocks, whole as u64);
        store.put_many(&unflushed).unwrap();
        drop(store);
        let store = open(folder.path());
        assert_eq!(store.recovery(), Recovery::default());
        assert_eq!(store.get_many(&cids(&unflushed)).unwrap(), data(&unflushed));
        assert!(store.scrub().unwrap().damaged.is_empty());
    }
}

#[test]
fn zeros_that_a_power_loss_left_are_cut_off_and_kept() {
    let folder = common::folder();
    let (flushed, unflushed) = (blocks(0..3, 40), blocks(3..5, 40));
    killed_store(folder.path(), &flushed, &unflushed);
    let path = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 77..].fill(0);
    fs::write(&path, bytes).unwrap();
    let store = open(folder.path());
    let cut = &store.recovery().cuts[0];
    assert_eq!((cut.segment, cut.offset, cut.bytes), (1, end as u64 - 77, 77));
    assert_eq!(fs::read(cut.saved.as_ref().unwrap()).unwrap(), [0; 77]);
    assert_eq!(store.has_many(&cids(&unflushed)).unwrap(), [true, false]);
}

#[test]
fn a_damaged_block_in_the_tail_costs_no_other() {
    let folder = common::folder();
    let unflushed = blocks(3..6, 40);
    killed_store(folder.path(), &blocks(0..3, 40), &unflushed);
    let path = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let in_the_middle_one = bytes.len() - 77 - 5;
    bytes[in_the_middle_one] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = open(folder.path());
    assert_eq!(store.recovery().damaged, [*unflushed[1].cid()]);
    assert_eq!(store.has_many(&cids(&unflushed)).unwrap(), [true, false, true]);
    store.put_many(&unflushed).unwrap();
    assert_eq!(store.get_many(&cids(&unflushed)).unwrap(), data(&unflushed));
}

#[test]
fn rows_beyond_the_end_of_a_segment_are_dropped() {
    let folder = common::folder();
    let all = blocks(0..10, 40);
    open(folder.path()).put_many(&all).unwrap();
    let len = fs::metadata(&segments(folder.path())[0]).unwrap().len();
    cut_last_segment(folder.path(), len - 3 * 77 - 1);
    let store = open(folder.path());
    assert_eq!(store.recovery().lost_blocks, 4);
    let held: Vec<bool> = (0..10).map(|n| n < 6).collect();
    assert_eq!(store.has_many(&cids(&all)).unwrap(), held);
    assert_eq!(store.stats().unwrap().blocks, 6);
}

#[test]
fn a_segment_that_is_gone_takes_its_rows_along() {
    let folder = common::folder();
    let store = LocalStore::open(folder.path(), common::small(1024)).unwrap();
    let all = blocks(0..4, 900);
    store.put_many(&all).unwrap();
    drop(store);
    fs::remove_file(&segments(folder.path())[1]).unwrap();
    let store = open(folder.path());
    let report = store.recovery();
    assert_eq!((report.lost_segments, report.lost_blocks), (vec![2], 1));
    assert_eq!(store.has_many(&cids(&all)).unwrap(), [true, false, true, true]);
    store.put(&block(1, 900)).unwrap();
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
}

#[test]
fn a_segment_without_a_header_gets_one() {
    for len in [0, 1, 20] {
        let folder = common::folder();
        open(folder.path()).put(&block(1, 40)).unwrap();
        let bytes = fs::read(&segments(folder.path())[0]).unwrap();
        fs::write(folder.path().join("blocks/00000002.car"), &bytes[..len]).unwrap();
        let store = open(folder.path());
        store.put(&block(2, 40)).unwrap();
        drop(store);
        assert_eq!(open(folder.path()).recovery(), Recovery::default());
        common::check_cars(folder.path(), 2);
    }
}
