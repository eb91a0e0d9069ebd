//! What may have changed in the same tick of the clock is read again.

mod common;
use common::folder::{Synced, mtime, set_mtime, settle};
use std::fs;

#[test]
fn a_file_that_is_as_new_as_the_sync_is_read_by_the_next_one_too() {
    let synced = Synced::new();
    synced.room.write("tree/old", "old");
    settle();
    synced.room.write("tree/new", "new");
    synced.sent(2);
    settle();
    synced.sent(1);
    synced.sent(0);
}

/// Ticks that fall together cannot be made to order, so it is tried often.
#[test]
fn a_change_of_the_same_size_at_once_is_never_lost() {
    let synced = Synced::new();
    for n in 0..30 {
        synced.room.write("tree/file", format!("{n:05}"));
        synced.send(&[]);
    }
}

#[test]
fn a_time_that_is_set_back_hides_nothing() {
    let synced = Synced::new();
    let path = synced.room.write("tree/file", "alpha");
    settle();
    let time = mtime(&path);
    synced.sent(1);
    fs::write(&path, "gamma").expect("it is written");
    set_mtime(&path, time);
    settle();
    synced.sent(1);
}

#[test]
fn another_file_in_its_place_hides_nothing() {
    let synced = Synced::new();
    let path = synced.room.write("tree/file", "alpha");
    let other = synced.room.write("other", "gamma");
    set_mtime(&other, mtime(&path));
    settle();
    synced.sent(1);
    fs::rename(&other, &path).expect("it is moved");
    settle();
    synced.sent(1);
}
