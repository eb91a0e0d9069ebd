//! Trees that are deeper than a call stack, or than paths can be long.

mod common;
use common::{Ran, Room, names};
use std::{fs, path::PathBuf, process::Command};

const LEVELS: usize = 1900;

/// Makes folders, each in the one before, and a file in the last; returns the last.
fn nest(room: &Room, name: &str) -> PathBuf {
    let path = room.path(name).join("d/".repeat(LEVELS));
    fs::create_dir_all(&path).expect("folders are made");
    fs::write(path.join("f"), name).expect("a file is written");
    path
}

/// More levels than a process may have files open: not for `TempDir`.
fn remove(room: &Room, name: &str) {
    Ran::of(Command::new("rm").arg("-rf").arg(room.path(name))).exits(0);
}

#[test]
fn as_deep_as_paths_go() {
    let room = Room::new();
    nest(&room, "tree");
    let root = room.add("tree");
    let get = ["get", &root, "-o", "back", "--force"];
    room.run(get).exits(0);
    room.run(get).exits(0);
    let back = room.path("back").join("d/".repeat(LEVELS)).join("f");
    assert_eq!(fs::read(back).expect("it is there"), b"tree");
    assert_eq!(names(&room.path("")), ["back", "store", "tree"]);
    remove(&room, "tree");
    remove(&room, "back");
}

#[test]
fn deeper_than_paths_go() {
    let room = Room::new();
    let last = nest(&room, "tree");
    nest(&room, "more");
    fs::rename(room.path("more"), last.join("d")).expect("it is moved");
    let ran = room.run(["add", "-Q", "tree"]).exits(1).says("skipped: File name too long");
    assert_eq!(ran.out.lines().count(), 1, "what is above is taken");
    remove(&room, "tree");
}
