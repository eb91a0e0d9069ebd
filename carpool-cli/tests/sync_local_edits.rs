//! What was changed in a folder that is received is not overwritten unasked.

mod common;
use common::{
    folder::{Synced, mtime, set_mtime, settle},
    noise,
};
use std::{fs, os::unix::fs::symlink, time::Duration};

fn both() -> Synced {
    let synced = Synced::new();
    for n in 0..6 {
        synced.room.write(format!("tree/{n}"), noise(n, 1000));
    }
    symlink("0", synced.room.path("tree/link")).expect("a link");
    synced.send(&[]);
    synced.room.run(["--store", "mine", "sync", &synced.url(), "copy"]).exits(0);
    settle();
    synced
}

fn receive(synced: &Synced, flags: &[&str]) -> common::Ran {
    let url = synced.url();
    synced.room.run(["--store", "mine", "sync", &url, "copy"].iter().chain(flags))
}

fn read(synced: &Synced, name: &str) -> Vec<u8> {
    fs::read(synced.room.path(name)).expect("it is there")
}

#[test]
fn they_are_listed_and_nothing_is_touched() {
    let synced = both();
    synced.room.write("copy/1", "mine");
    synced.room.write("copy/new", "mine");
    fs::remove_file(synced.room.path("copy/link")).expect("it goes");
    symlink("2", synced.room.path("copy/link")).expect("a link");
    synced.room.write("tree/0", "theirs");
    synced.room.write("tree/1", "theirs");
    synced.room.write("tree/new", "theirs");
    synced.send(&[]);
    let ran = receive(&synced, &[]).exits(5);
    let ran = ran.says("copy/1: was changed here").says("copy/link: was changed here");
    let ran = ran.says("copy/new: is here, and another in the root").says("3 paths would be lost");
    assert!(!ran.err.contains("copy/0"), "{}", ran.err);
    assert_eq!(read(&synced, "copy/0"), noise(0, 1000));
    assert_eq!(read(&synced, "copy/1"), b"mine");
    assert_eq!(read(&synced, "copy/new"), b"mine");
    let listed = receive(&synced, &["--json"]).exits(5).object();
    assert_eq!(listed["local_edits"], serde_json::json!(["1", "link", "new"]));
    receive(&synced, &["--force"]).exits(0);
    common::assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn a_file_that_did_not_change_there_is_one_too() {
    let synced = both();
    synced.room.write("copy/1", "mine");
    receive(&synced, &[]).exits(5).says("copy/1: was changed here");
}

#[test]
fn one_of_the_same_size_and_time_is_one_too() {
    let synced = both();
    receive(&synced, &[]).exits(0);
    let path = synced.room.path("copy/1");
    let time = mtime(&path);
    synced.room.write("copy/1", noise(77, 1000));
    set_mtime(&path, time);
    receive(&synced, &[]).exits(5).says("copy/1: was changed here");
}

#[test]
fn a_file_that_was_only_touched_is_none() {
    let synced = both();
    let path = synced.room.path("copy/1");
    set_mtime(&path, mtime(&path) - Duration::from_secs(1000));
    synced.room.write("tree/1", "theirs");
    synced.send(&[]);
    receive(&synced, &[]).exits(0);
    assert_eq!(read(&synced, "copy/1"), b"theirs");
}

#[test]
fn one_that_is_what_the_root_has_is_none() {
    let synced = both();
    synced.room.write("copy/1", "the same idea");
    synced.room.write("tree/1", "the same idea");
    synced.send(&[]);
    receive(&synced, &[]).exits(0);
}

#[test]
fn a_file_that_was_removed_comes_back() {
    let synced = both();
    fs::remove_file(synced.room.path("copy/1")).expect("it goes");
    receive(&synced, &[]).exits(0);
    assert_eq!(read(&synced, "copy/1"), noise(1, 1000));
}

#[test]
fn what_was_there_before_the_first_sync_is_not_overwritten() {
    let synced = both();
    synced.room.write("other/1", "mine");
    synced.room.write("other/2", noise(2, 1000));
    let url = synced.url();
    let ran = synced.room.run(["sync", &url, "other"]).exits(5);
    assert!(ran.err.contains("other/1") && !ran.err.contains("other/2"), "{}", ran.err);
    assert_eq!(common::names(&synced.room.path("other")), ["1", "2"]);
    synced.room.run(["sync", &url, "other", "--force"]).exits(0);
    common::assert_same(&synced.room.path("tree"), &synced.room.path("other"));
}

#[test]
fn without_what_is_remembered_they_are_told_by_the_root() {
    let synced = both();
    fs::remove_dir_all(synced.room.path("mine/folders")).expect("it goes");
    receive(&synced, &[]).exits(0);
    fs::remove_dir_all(synced.room.path("mine/folders")).expect("it goes");
    synced.room.write("tree/1", "theirs");
    synced.send(&[]);
    receive(&synced, &[]).exits(5).says("copy/1: is here, and another in the root");
}
