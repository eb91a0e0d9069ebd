//! Flags spelled as Kubo's, and what they do to roots.

mod common;
use common::{Room, noise};

fn root(room: &Room, args: &[&str]) -> String {
    let mut command = vec!["add", "-Q", "--only-hash"];
    command.extend(args);
    room.run(command).exits(0).out.trim().to_owned()
}

#[test]
fn booleans_stand_alone_or_with_a_value() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    room.write("tree/.h", "hidden");
    std::fs::create_dir(room.path("tree/empty")).expect("a folder is made");
    for flag in [
        "--raw-leaves",
        "--only-hash",
        "--hidden",
        "--empty-dirs",
        "--dereference-symlinks",
        "--wrap-with-directory",
        "--recursive",
    ] {
        for value in ["", "=true", "=false"] {
            room.run(["add", &format!("{flag}{value}"), "tree"]).exits(0);
        }
    }
    for flags in
        [&["-r"][..], &["-rHw"], &["-r", "-q"], &["-w=false"], &["-H=true"], &["-n"], &["-Qr"]]
    {
        room.run([&["add"], flags, &["tree"]].concat()).exits(0);
    }
    assert_eq!(root(&room, &["-r", "tree"]), root(&room, &["tree"]));
    assert_ne!(root(&room, &["--empty-dirs=false", "tree"]), root(&room, &["tree"]));
    assert_ne!(root(&room, &["-w", "tree"]), root(&room, &["tree"]));
}

#[test]
fn only_hash_is_what_is_stored_and_stores_nothing() {
    let room = Room::new();
    room.write("tree/a", noise(1, 3_000_000));
    room.write("tree/b/c", "c");
    let hashed = root(&room, &["tree"]);
    assert!(!room.path("store").exists());
    assert_eq!(room.add("tree"), hashed);
    room.run(["add", "-n=false", "tree"]).exits(0);
}

#[test]
fn layout_flags_beat_the_profile() {
    let room = Room::new();
    room.write("file", noise(1, 600_000));
    room.write("dir/a", "a");
    room.write("dir/b", "b");
    room.write("dir/c", "c");
    assert!(root(&room, &["file"]).starts_with("bafkrei"));
    assert!(root(&room, &["--profile=default", "file"]).starts_with("Qm"));
    assert!(root(&room, &["--profile", "legacy-cid-v0", "file"]).starts_with("Qm"));
    assert!(root(&room, &["--profile=default", "--cid-version=1", "file"]).starts_with("bafybei"));
    assert!(root(&room, &["--cid-version", "0", "-s", "size-1000", "file"]).starts_with("Qm"));
    let plain = root(&room, &["--chunker=size-100000", "file"]);
    assert_ne!(root(&room, &["--chunker=size-100000", "--max-file-links=2", "file"]), plain);
    assert_ne!(root(&room, &["--chunker=size-100000", "--raw-leaves=false", "file"]), plain);
    let dir = root(&room, &["dir"]);
    let sharded = root(&room, &["--max-directory-links=2", "dir"]);
    assert_eq!(root(&room, &["--max-directory-links=3", "dir"]), dir);
    assert_ne!(sharded, dir);
    let narrow = root(&room, &["--max-directory-links=2", "--max-hamt-fanout=8", "dir"]);
    assert_ne!(narrow, sharded);
}

#[test]
fn a_wrapping_folder_keeps_names() {
    let room = Room::new();
    room.write("a/x", "one");
    room.write("b/y", "two");
    let root = room.run(["add", "-Qw", "a/x", "b", "a/../a"]).exits(0).out;
    assert_eq!(root.lines().count(), 1);
    let listed = room.run(["--json", "ls", root.trim()]).exits(0).objects();
    let names: Vec<_> = listed.iter().filter_map(|entry| entry["name"].as_str()).collect();
    assert_eq!(names, ["a", "b", "x"]);
}
