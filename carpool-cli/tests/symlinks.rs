//! Links are stored as links, or as what they lead to.

mod common;
use common::{Room, assert_same};
use std::{fs, os::unix::fs::symlink};

#[test]
fn links_are_links_wherever_they_lead() {
    let room = Room::new();
    room.write("tree/file", "f");
    room.write("tree/folder/inner", "i");
    for (aim, name) in [
        ("file", "to-file"),
        ("folder", "to-folder"),
        ("nowhere", "dangling"),
        ("/etc/passwd", "absolute"),
        ("../..", "out"),
        ("loop", "loop"),
    ] {
        symlink(aim, room.path("tree").join(name)).expect("a link is made");
    }
    let root = room.add("tree");
    room.run(["get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    assert!(fs::symlink_metadata(room.path("back/absolute")).is_ok_and(|found| found.is_symlink()));
    let link = room.add("tree/to-folder");
    room.run(["get", &link, "-o", "link"]).exits(0);
    assert_eq!(fs::read_link(room.path("link")).expect("a link"), std::path::Path::new("folder"));
}

#[test]
fn dereferenced_they_are_what_they_lead_to() {
    let room = Room::new();
    room.write("tree/file", "f");
    room.write("tree/folder/inner", "i");
    symlink("file", room.path("tree/to-file")).expect("a link is made");
    symlink("folder", room.path("tree/to-folder")).expect("a link is made");
    let flag = "--dereference-symlinks";
    let root = room.run(["add", "-Q", flag, "tree"]).exits(0).out;
    room.run(["get", root.trim(), "-o", "back"]).exits(0);
    assert!(fs::symlink_metadata(room.path("back/to-file")).is_ok_and(|found| found.is_file()));
    assert_same(&room.path("tree/folder"), &room.path("back/to-folder"));

    symlink("..", room.path("tree/folder/up")).expect("a link is made");
    symlink("nowhere", room.path("tree/dangling")).expect("a link is made");
    symlink("self", room.path("tree/self")).expect("a link is made");
    let ran = room.run(["add", "-Q", flag, "tree"]).exits(1).says("tree/folder/up: skipped");
    let ran = ran.says("tree/dangling: skipped").says("tree/self: skipped");
    assert_eq!(ran.out, root, "the rest is as it was");
}
