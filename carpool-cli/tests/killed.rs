//! Killed in the middle at any moment: what was acknowledged is there, nothing is damaged, and the
//! same command completes.

mod common;
use common::{Room, assert_same, noise};
use std::time::Duration;

fn tree(room: &Room) -> String {
    room.write("before/file", noise(99, 300_000));
    for n in 0..300 {
        room.write(format!("tree/{n}"), noise(n, 6000));
    }
    room.write("tree/big", noise(1000, 12 << 20));
    room.add("before")
}

/// Kills `args` at ten moments, on a store that only some of them find empty.
fn survives(room: &Room, before: &str, args: &[&str]) {
    for attempt in 0..10_u64 {
        room.start(args).kill_after(Duration::from_millis(1 + attempt * attempt * 2));
        let repaired = room.run(["repair"]).exits(0);
        assert!(!repaired.err.contains("damaged"), "{repaired:?}");
        assert_eq!(room.run(["--json", "stat", before]).exits(0).object()["blocks_missing"], 0);
    }
    room.run(args).exits(0);
}

fn check(room: &Room, root: &str) {
    room.run(["get", root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn add() {
    let room = Room::new();
    let before = tree(&room);
    survives(&room, &before, &["add", "tree"]);
    let root = room.run(["add", "-Qn", "tree"]).exits(0).out;
    check(&room, root.trim());
}

#[test]
fn import() {
    let room = Room::new();
    let before = tree(&room);
    let root = room.run(["--store", "other", "add", "-Q", "tree"]).exits(0).out;
    room.run(["--store", "other", "export", root.trim(), "-o", "tree.car"]).exits(0);
    survives(&room, &before, &["import", "tree.car"]);
    check(&room, root.trim());
}

#[test]
fn pull() {
    let room = Room::new();
    let before = tree(&room);
    let root = room.run(["--store", "other", "add", "-Q", "tree"]).exits(0).out;
    let server = room.serve("other", &[]);
    survives(&room, &before, &["pull", root.trim(), &server.url]);
    check(&room, root.trim());
}

#[test]
fn a_server_while_it_takes_a_push() {
    let room = Room::new();
    tree(&room);
    let root = room.add("tree");
    for attempt in 0..4_u64 {
        let server = room.serve("far", &[]);
        let pushing = room.start(["push", &root, &server.url]);
        server.running.kill_after(Duration::from_millis(5 + attempt * 20));
        let pushed = pushing.ended();
        assert!(matches!(pushed.code, Some(0 | 1 | 4)), "{pushed:?}");
        room.run(["--store", "far", "repair"]).exits(0);
    }
    let server = room.serve("far", &[]);
    room.run(["push", &root, &server.url]).exits(0);
    room.run(["--store", "far", "get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
}
