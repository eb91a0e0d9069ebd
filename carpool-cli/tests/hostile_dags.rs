//! DAGs made to escape: nothing outside the target is written, and exit code 3.

mod common;
use carpool_core::Block;
use common::{Room, dag, names};

/// Imports the blocks, gets the first, and finds nothing written anywhere.
#[track_caller]
fn refused(blocks: &[Block]) {
    let room = Room::new();
    let root = dag::write_car(&room.path("evil.car"), blocks);
    room.run(["import", "evil.car"]).exits(0);
    std::fs::create_dir(room.path("in")).expect("a folder is made");
    let ran = room.run(["get", &root, "-o", "in/out"]).exits(3);
    assert!(!ran.err.contains(".part"), "users know the target: {}", ran.err);
    assert!(names(&room.path("in")).is_empty(), "{:?}", names(&room.path("in")));
    assert_eq!(names(&room.path("")), ["evil.car", "in", "store"]);
    room.run(["ls", &root]).exits(3);
}

#[test]
fn names_that_lead_elsewhere() {
    let evil = dag::file("evil");
    let long = [b'a'; 300];
    let names: [&[u8]; 8] = [b"..", b".", b"", b"a/b", b"/etc/evil", b"../evil", b"a\0b", b"/"];
    for name in names {
        let folder = dag::folder(&[(name, *evil.cid())]);
        refused(&[folder, evil.clone()]);
    }
    let room = Room::new();
    let root =
        dag::write_car(&room.path("long.car"), &[dag::folder(&[(&long, *evil.cid())]), evil]);
    room.run(["import", "long.car"]).exits(0);
    room.run(["get", &root, "-o", "out"]).exits(1).says("out/aaa");
}

#[test]
fn two_entries_of_one_name() {
    let (one, two) = (dag::file("one"), dag::file("two"));
    refused(&[dag::folder(&[(b"a", *one.cid()), (b"a", *two.cid())]), one, two]);
}

#[test]
fn a_link_that_leads_out_and_a_folder_of_its_name() {
    let room = Room::new();
    let aim = room.path("aim");
    std::fs::create_dir(&aim).expect("a folder is made");
    let link = dag::symlink(&aim.to_string_lossy());
    let evil = dag::file("evil");
    let inner = dag::folder(&[(b"evil", *evil.cid())]);
    for entries in [[*link.cid(), *inner.cid()], [*inner.cid(), *link.cid()]] {
        let folder = dag::folder(&[(b"x", entries[0]), (b"x", entries[1])]);
        refused(&[folder, link.clone(), inner.clone(), evil.clone()]);
    }
    assert!(names(&aim).is_empty());
}

#[test]
fn a_name_that_is_no_utf_8() {
    let room = Room::new();
    let file = dag::file("x");
    let folder = dag::folder(&[(b"\xff", *file.cid())]);
    let root = dag::write_car(&room.path("odd.car"), &[folder, file]);
    room.run(["import", "odd.car"]).exits(0);
    room.run(["get", &root, "-o", "out"]).exits(3).says("\\xff");
}

#[test]
fn a_link_alone_is_a_link_and_is_not_followed() {
    let room = Room::new();
    let root = dag::write_car(&room.path("link.car"), &[dag::symlink("/etc/passwd")]);
    room.run(["import", "link.car"]).exits(0);
    room.run(["get", &root, "-o", "out"]).exits(0);
    let aim = std::fs::read_link(room.path("out")).expect("it is a link");
    assert_eq!(aim, std::path::Path::new("/etc/passwd"));
    room.run(["get", &root, "-o", "-"]).exits(2);
}

#[test]
fn names_with_control_characters_do_not_reach_the_terminal() {
    let room = Room::new();
    let file = dag::file("x");
    let folder = dag::folder(&[(b"\x1b[31mred\n", *file.cid())]);
    let root = dag::write_car(&room.path("odd.car"), &[folder, file]);
    room.run(["import", "odd.car"]).exits(0);
    let listed = room.run(["ls", &root]).exits(0).out;
    assert!(!listed.contains('\u{1b}') && listed.lines().count() == 1, "{listed:?}");
}

#[test]
fn folders_as_deep_as_a_stack_is_not() {
    let room = Room::new();
    let mut blocks = vec![dag::folder(&[])];
    for _ in 0..3000 {
        let below = *blocks.last().expect("there is one").cid();
        blocks.push(dag::folder(&[(b"d", below)]));
    }
    blocks.reverse();
    let root = dag::write_car(&room.path("deep.car"), &blocks);
    let ran = room.run(["import", "deep.car"]);
    assert!(matches!(ran.code, Some(0 | 3 | 4)), "{ran:?}");
    let ran = room.run(["get", &root, "-o", "out"]);
    assert!(matches!(ran.code, Some(1 | 3)), "paths have an end: {ran:?}");
    assert_eq!(names(&room.path("")), ["deep.car", "store"], "nothing half is left");
}
