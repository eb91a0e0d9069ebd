//! `pull ROOT URL1 URL2…`: a root from several servers at once.

mod common;
use common::{Room, noise};

/// A room whose store `one`, `two` and `three` hold a tree, and its root.
fn room() -> (Room, String) {
    let room = Room::new();
    for n in 0..40 {
        room.write(format!("tree/{n}"), noise(n, 100_000));
    }
    let root = room.run(["--store", "one", "add", "-Q", "tree"]).exits(0).out.trim().to_owned();
    for store in ["two", "three"] {
        room.run(["--store", store, "add", "-Q", "tree"]).exits(0);
    }
    (room, root)
}

#[test]
fn all_of_them_send_it_and_each_has_a_line() {
    let (room, root) = room();
    let servers = ["one", "two", "three"].map(|store| room.serve(store, &[]));
    let urls = servers.each_ref().map(|server| server.url.as_str());
    let args = ["--store", "new", "pull", &root];
    let out = room.run(args.iter().chain(&urls)).exits(0).out;
    for url in urls {
        let line = out.lines().find(|line| line.starts_with(url)).expect("a line of each");
        assert!(line.contains("gossiping, ready") && line.contains(" blocks, "), "{line}");
    }
    assert!(out.lines().last().is_some_and(|line| line.starts_with(&root)), "{out}");
    room.run(["--store", "new", "get", &root, "-o", "back"]).exits(0);
    common::assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn json_has_an_object_for_each_in_the_order_of_the_command_line() {
    let (room, root) = room();
    let [one, two] = ["one", "two"].map(|store| room.serve(store, &[]));
    let gone = "http://127.0.0.1:1";
    let args = ["--json", "--store", "new", "pull", &root, &two.url, gone, &one.url];
    let said = room.run(args).exits(0).object();
    assert_eq!(said["root"], root.as_str());
    let sources = said["sources"].as_array().expect("an array");
    let of = |key: &str| sources.iter().map(|it| it[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("url"), [two.url.as_str(), gone, one.url.as_str()]);
    assert_eq!(of("state"), ["ready", "failed", "ready"]);
    let shares: f64 = sources.iter().filter_map(|source| source["share"].as_f64()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{sources:?}");
    for key in
        ["kind", "blocks", "bytes", "rate", "steals", "requests", "duplicate_bytes", "wasted_bytes"]
    {
        assert!(sources.iter().all(|source| source.get(key).is_some()), "{key}");
    }
}

#[test]
fn where_nobody_is_there_it_says_so() {
    let (room, root) = room();
    let gone = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
    let args = ["--store", "new", "pull", &root];
    room.run(args.iter().chain(&gone)).exits(1).says("no connection");
    room.run(["--store", "new", "pull", &root, gone[0], gone[0]]).exits(2).says("twice");
    room.run(["--store", "new", "pull", "no-cid", gone[0], gone[1]]).exits(2).says("no CID");
}

#[test]
fn what_nobody_has_leaves_it_incomplete() {
    let (room, root) = room();
    room.write("other", "something else");
    room.run(["--store", "empty", "add", "-Q", "other"]).exits(0);
    room.run(["--store", "bare", "add", "-Q", "other"]).exits(0);
    let servers = ["empty", "bare"].map(|store| room.serve(store, &[]));
    let urls = servers.each_ref().map(|server| server.url.as_str());
    let args = ["--json", "--store", "new", "pull", &root];
    let said = room.run(args.iter().chain(&urls)).exits(4).object();
    assert_eq!(said["blocks_missing"], 1);
    assert_eq!(said["sources"].as_array().map(Vec::len), Some(2));
}
