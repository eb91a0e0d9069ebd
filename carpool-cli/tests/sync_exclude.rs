//! `--exclude` and `--ignore-file`, where they are asked for: what they match is not there.

mod common;
use common::{
    folder::{Synced, settle},
    names,
};
use std::fs;

fn tree() -> Synced {
    let synced = Synced::new();
    for name in [".gitignore", ".ignore", "a.tmp", "a.txt", "in/b.tmp", "in/b.txt", "out/c.txt"] {
        synced.room.write(format!("tree/{name}"), name);
    }
    synced.room.write("tree/.gitignore", "*.txt\n");
    settle();
    synced
}

fn receive(synced: &Synced, flags: &[&str]) -> common::Ran {
    let url = synced.url();
    synced.room.run(["--store", "mine", "sync", &url, "copy"].iter().chain(flags))
}

fn send(synced: &Synced, flags: &[&str]) -> serde_json::Value {
    let args = ["--json", "sync", "tree", &synced.server.url];
    synced.room.run(args.iter().chain(flags)).exits(0).object()
}

#[test]
fn unasked_every_file_travels() {
    let synced = tree();
    synced.sent(7);
}

#[test]
fn what_is_excluded_does_not_travel() {
    let synced = tree();
    send(&synced, &["--exclude", "*.tmp", "--exclude=/out/"]);
    receive(&synced, &[]).exits(0);
    assert_eq!(names(&synced.room.path("copy")), [".gitignore", ".ignore", "a.txt", "in"]);
    assert_eq!(names(&synced.room.path("copy/in")), ["b.txt"]);
}

#[test]
fn other_patterns_read_no_more_than_is_new() {
    let synced = tree();
    assert_eq!(send(&synced, &["--exclude", "*.tmp"])["files_read"], 5);
    assert_eq!(send(&synced, &["--exclude", "*.tmp"])["files_read"], 0);
    assert_eq!(synced.sent(2)["files_known"], 5);
    assert_eq!(send(&synced, &["--exclude", "*.tmp"])["files_read"], 0);
}

#[test]
fn patterns_come_from_a_file_too() {
    let synced = tree();
    send(&synced, &["--ignore-file", "tree/.gitignore", "--exclude", "!a.txt"]);
    receive(&synced, &[]).exits(0);
    let left = names(&synced.room.path("copy"));
    assert_eq!(left, [".gitignore", ".ignore", "a.tmp", "in", "out"]);
    let ran = synced.room.run(["sync", "tree", &synced.server.url, "--ignore-file", "none"]);
    ran.exits(2).says("none");
    let ran = synced.room.run(["sync", "tree", &synced.server.url, "--exclude", "a{b"]);
    ran.exits(2).says("a{b");
}

#[test]
fn what_is_excluded_is_neither_written_nor_removed() {
    let synced = tree();
    synced.send(&[]);
    synced.room.write("copy/mine.tmp", "mine");
    synced.room.write("copy/in/mine.tmp", "mine");
    synced.room.write("copy/old/mine.tmp", "mine");
    synced.room.write("copy/old/surplus", "mine");
    receive(&synced, &["--exclude=*.tmp", "--delete"]).exits(0);
    let mut left = names(&synced.room.path("copy"));
    left.extend(names(&synced.room.path("copy/in")));
    left.extend(names(&synced.room.path("copy/old")));
    let expected = [".gitignore", ".ignore", "a.txt", "in", "mine.tmp", "old", "out"];
    assert_eq!(left, [&expected[..], &["b.txt", "mine.tmp"], &["mine.tmp"]].concat());
    // Without the pattern the rest comes too, though nothing else has changed.
    receive(&synced, &[]).exits(0);
    assert_eq!(fs::read(synced.room.path("copy/in/b.tmp")).expect("it came"), b"in/b.tmp");
}
