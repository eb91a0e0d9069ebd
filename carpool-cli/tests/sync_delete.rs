//! `--delete` removes what the root does not have.

mod common;
use common::{
    folder::{Synced, settle},
    names,
};
use std::{fs, os::unix::fs::symlink};

fn both() -> Synced {
    let synced = Synced::new();
    for name in ["a", "in/b", "in/deep/c", "in/deep/d"] {
        synced.room.write(format!("tree/{name}"), name);
    }
    synced.send(&[]);
    receive(&synced, &[]).exits(0);
    settle();
    synced
}

fn receive(synced: &Synced, flags: &[&str]) -> common::Ran {
    let url = synced.url();
    synced.room.run(["--store", "mine", "sync", &url, "copy"].iter().chain(flags))
}

#[test]
fn what_went_there_goes_here_if_asked() {
    let synced = both();
    fs::remove_dir_all(synced.room.path("tree/in/deep")).expect("it goes");
    synced.send(&[]);
    receive(&synced, &[]).exits(0);
    assert_eq!(names(&synced.room.path("copy/in/deep")), ["c", "d"]);
    receive(&synced, &["--delete"]).exits(0);
    common::assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn what_was_never_there_goes_too() {
    let synced = both();
    synced.room.write("copy/mine/new", "mine");
    fs::create_dir(synced.room.path("aim")).expect("a folder");
    synced.room.write("aim/precious", "precious");
    symlink("../aim", synced.room.path("copy/link")).expect("a link");
    receive(&synced, &["--delete"]).exits(0);
    common::assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
    assert_eq!(
        names(&synced.room.path("aim")),
        ["precious"],
        "the link went, and nothing behind it"
    );
}

#[test]
fn what_was_changed_here_stays_unless_forced() {
    let synced = both();
    synced.room.write("copy/in/deep/c", "mine");
    fs::remove_dir_all(synced.room.path("tree/in/deep")).expect("it goes");
    synced.send(&[]);
    receive(&synced, &["--delete"]).exits(5).says("copy/in/deep/c: was changed here");
    assert_eq!(names(&synced.room.path("copy/in/deep")), ["c", "d"], "nothing is touched");
    receive(&synced, &["--delete", "--force"]).exits(0);
    common::assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn it_is_of_no_use_for_what_is_sent() {
    let synced = both();
    let url = synced.url();
    synced.room.run(["sync", "tree", &url, "--delete"]).exits(2).says("sync URL#NAME DIR");
}
