//! Names with any bytes that UTF-8 allows, and those that it does not.

mod common;
use common::{Room, assert_same};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

#[test]
fn they_come_back_as_they_were() {
    let room = Room::new();
    let longest = "ä".repeat(127) + "x";
    let names = [
        "with space",
        "line\nfeed",
        "tab\t",
        "\"quoted\"",
        "it's",
        "back\\slash",
        "-dash",
        "~",
        "*?[",
        "$HOME",
        "\u{1b}[31m",
        "\u{7f}",
        "é",
        "e\u{301}",
        "日本語",
        "🚗",
        " ",
        "a:b",
        "#name",
        "%2f",
        &longest,
    ];
    for name in names {
        room.write(format!("tree/{name}"), name);
    }
    let root = room.add("tree");
    assert_eq!(room.run(["--json", "ls", &root]).exits(0).objects().len(), names.len());
    room.run(["get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    let one = format!("{root}/line\nfeed");
    assert_eq!(room.run(["get", &one, "-o", "-"]).exits(0).out, "line\nfeed");
    let server = room.serve("far", &[]);
    room.run(["sync", "tree", &server.url]).exits(0);
}

#[test]
fn a_dash_is_no_flag_after_two_dashes() {
    let room = Room::new();
    room.write("-Q", "x");
    room.run(["add", "--", "-Q"]).exits(0);
    room.run(["add", "./-Q"]).exits(0);
}

#[test]
fn what_is_no_utf_8_is_reported_and_left_out() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let plain = room.add("tree");
    let odd = OsStr::from_bytes(b"tree/\xff\xfe");
    fs::write(room.path(odd), "x").expect("a file is written");
    let ran = room.run(["add", "-Q", "tree"]).exits(1).says("not UTF-8");
    assert_eq!(ran.out.trim(), plain);
    let alone = room.run([OsStr::new("add"), odd]).exits(1).says("not UTF-8");
    assert!(alone.out.is_empty());
}
