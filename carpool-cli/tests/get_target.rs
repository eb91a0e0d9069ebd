//! What `get` and `export` write appears whole or not at all, whatever was there before.

mod common;
use common::{Room, assert_same, names, noise};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

#[test]
fn force_replaces_files_links_and_folders() {
    let room = Room::new();
    room.write("new/a", "alpha");
    let folder = room.add("new");
    let file = format!("{folder}/a");
    room.write("old-file", "old");
    room.write("old-folder/sub/x", "old");
    room.write("aim/x", "precious");
    std::os::unix::fs::symlink("aim", room.path("link")).expect("a link is made");
    for what in [&folder, &file, &folder] {
        for out in ["old-file", "old-folder", "link"] {
            room.run(["get", what, "-o", out, "--force"]).exits(0);
            let like = if *what == folder { "new" } else { "new/a" };
            assert_same(&room.path(like), &room.path(out));
        }
    }
    assert_eq!(names(&room.path("aim")), ["x"], "a link is replaced, not followed");
    assert_eq!(names(&room.path("")), ["aim", "link", "new", "old-file", "old-folder", "store"]);
}

#[test]
fn a_failure_leaves_what_was_there() {
    let room = Room::new();
    let missing = *common::dag::file("missing").cid();
    let small = common::dag::file("small");
    let folder = common::dag::folder(&[(b"a", *small.cid()), (b"b", missing)]);
    let root = common::dag::write_car(&room.path("part.car"), &[folder, small]);
    room.run(["import", "part.car"]).exits(4);
    room.write("out/precious", "p");
    room.run(["get", &root, "-o", "out", "--force"]).exits(4);
    assert_eq!(names(&room.path("out")), ["precious"]);
    room.write("out.car", "precious");
    room.run(["export", &root, "-o", "out.car"]).exits(4);
    assert_eq!(fs::read(room.path("out.car")).expect("it is there"), b"precious");
    assert_eq!(names(&room.path("")), ["out", "out.car", "part.car", "store"]);
}

#[test]
fn names_as_long_as_a_name_can_be() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.add("a");
    let long = "n".repeat(255);
    room.run(["get", &root, "-o", &long]).exits(0);
    room.run(["get", &root, "-o", &long, "--force"]).exits(0);
    room.run(["export", &root, "-o", &long]).exits(0);
}

#[test]
fn read_only_folders_are_written_and_replaced() {
    let room = Room::new();
    room.write("tree/locked/a", "alpha");
    let locked = room.path("tree/locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("its mode is set");
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode"];
    let root = room.run(["add", "-Q", flags[0], flags[1], "tree"]).exits(0).out;
    let get = ["get", root.trim(), "-o", "out", "--force"];
    room.run(get).exits(0);
    room.run(get).exits(0);
    assert_eq!(names(&room.path("")), ["out", "store", "tree"]);
    for path in ["out/locked", "tree/locked"] {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(room.path(path), open).expect("its mode is set");
    }
}

#[test]
fn devices_and_links_are_written_to_by_export() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.add("a");
    room.run(["export", &root, "-o", "/dev/null"]).exits(0);
    let null = fs::metadata("/dev/null").expect("it is there");
    assert!(!null.is_file(), "it is still the device");
    room.write("aim.car", "old");
    std::os::unix::fs::symlink("aim.car", room.path("link.car")).expect("a link is made");
    room.run(["export", &root, "-o", "link.car"]).exits(0);
    room.run(["--store", "new", "import", "aim.car"]).exits(0);
    room.run(["export", &root, "-o", "/dev/full"]).exits(1).says("the disk is full");
    fs::create_dir(room.path("folder")).expect("a folder is made");
    room.run(["export", &root, "-o", "folder"]).exits(1).says("folder");
}

#[test]
fn killed_half_way_there_is_no_half_target() {
    let room = Room::new();
    for n in 0..1500 {
        room.write(format!("tree/{n}"), noise(n, 4000));
    }
    let root = room.add("tree");
    for attempt in 0..8 {
        let running = room.start(["get", &root, "-o", "out"]);
        running.kill_after(Duration::from_millis(5 + attempt * 6));
        if room.path("out").exists() {
            assert_same(&room.path("tree"), &room.path("out"));
            fs::remove_dir_all(room.path("out")).expect("it is removed");
        }
    }
    room.run(["get", &root, "-o", "out"]).exits(0);
    assert_same(&room.path("tree"), &room.path("out"));
    assert_eq!(names(&room.path("")), ["out", "store", "tree"], "the next run cleans up");
}
