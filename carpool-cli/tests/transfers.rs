//! serve, push, pull, sync, names: what goes over the wire comes out the same, and only once.

mod common;
use common::{Room, assert_same, noise};

#[test]
fn a_root_is_pushed_and_pulled() {
    let room = Room::new();
    room.write("tree/a", noise(1, 2_000_000));
    room.write("tree/sub/b", "beta");
    let root = room.add("tree");
    let server = room.serve("far", &[]);
    room.run(["push", &root, &server.url]).exits(0);
    room.run(["--store", "third", "pull", &root, &server.url]).exits(0);
    room.run(["--store", "third", "get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn a_folder_is_synced_and_afterwards_only_the_change() {
    let room = Room::new();
    for n in 0..200 {
        room.write(format!("tree/{n}"), noise(n, 10_000));
    }
    room.write("tree/.hidden", "taken too");
    let server = room.serve("far", &[]);
    let first = room.run(["--json", "sync", "tree", &server.url]).exits(0).object();
    room.write("tree/7", noise(1000, 10_000));
    let second = room.run(["--json", "sync", "tree/", &server.url]).exits(0).object();
    assert_eq!((&first["blocks_sent"], &second["blocks_sent"]), (&202.into(), &2.into()));
    assert!(second["bytes_sent"].as_u64() < Some(30_000), "{second}");
    let by_name = format!("{}#tree", server.url);
    room.run(["--store", "new", "pull", &by_name]).exits(0);
    let root = second["root"].as_str().expect("a root");
    room.run(["--store", "new", "get", root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    let named = room.run(["names", "--store", "far"]).exits(0).out;
    assert_eq!(named.trim(), format!("{root} tree"));
}

#[test]
fn names_are_any_text() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let server = room.serve("far", &[]);
    let odd = format!("{}#a/b c?é%20", server.url);
    room.run(["sync", "tree", &odd]).exits(0);
    room.run(["--store", "new", "pull", &odd]).exits(0);
    assert!(room.run(["--store", "new", "names"]).exits(0).out.ends_with(" a/b c?é%20\n"));
}

#[test]
fn http2_carries_it_too() {
    let room = Room::new();
    room.write("tree/a", noise(1, 500_000));
    let root = room.add("tree");
    let server = room.serve("far", &[]);
    room.run(["push", "--http2", &root, &server.url]).exits(0);
    room.run(["--store", "new", "pull", "--http2", &root, &server.url]).exits(0);
}

#[test]
fn a_summary_says_what_deduplication_saved() {
    let room = Room::new();
    room.write("tree/a", noise(1, 500_000));
    let server = room.serve("far", &[]);
    room.run(["sync", "tree", &server.url]).exits(0);
    room.write("tree/b", "b");
    let line = room.run(["sync", "tree", &server.url]).exits(0).out;
    assert!(line.contains("deduplication saved 48"), "{line}");
    room.write("twice/a", noise(2, 100_000));
    room.write("twice/b", noise(2, 100_000));
    room.run(["add", "twice"]).exits(0).says("deduplication saved 97");
}
