//! Exit code 3: damaged data is never handed on, and the store can be mended.

mod common;
use common::{Room, noise};
use std::fs;

/// Flips a bit of what `needle` begins in a file.
fn damage(path: &std::path::Path, needle: &[u8]) {
    let mut bytes = fs::read(path).expect("it is read");
    let at = bytes.windows(needle.len()).position(|window| window == needle);
    bytes[at.expect("it is in there") + 10] ^= 1;
    fs::write(path, bytes).expect("it is written");
}

#[test]
fn a_block_of_the_store() {
    let room = Room::new();
    let content = noise(1, 100_000);
    room.write("tree/a", &content);
    room.write("tree/b", "beta");
    let root = room.add("tree");
    damage(&room.path("store/blocks/00000001.car"), &content[..64]);

    room.run(["get", &root, "-o", "back"]).exits(3).says("is damaged");
    assert!(!room.path("back").exists());
    assert_eq!(common::names(&room.path("")), ["store", "tree"], "nothing half is left");
    room.run(["export", &root, "-o", "x.car"]).exits(3).says("is damaged");
    assert!(!room.path("x.car").exists());
    assert_eq!(room.run(["--json", "repair"]).exits(3).object()["damaged"], 1);

    assert_eq!(room.run(["--json", "repair", "--forget"]).exits(3).object()["forgotten"], 1);
    room.run(["repair"]).exits(0);
    room.run(["get", &root, "-o", "back"]).exits(4).says("not in the store");
    assert_eq!(room.add("tree"), root);
    room.run(["get", &root, "-o", "back"]).exits(0);
    common::assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn an_index_is_made_anew() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let root = room.add("tree");
    room.run(["repair", "--rebuild"]).exits(0);
    room.run(["get", &root, "-o", "back"]).exits(0);
    fs::write(room.path("store/index.sqlite"), noise(1, 20_000)).expect("it is written");
    room.run(["get", &root, "-o", "again"]).exits(0);
    damage(&room.path("store/blocks/00000001.car"), b"alpha");
}

#[test]
fn a_car() {
    let room = Room::new();
    let content = noise(1, 3_000_000);
    room.write("a", &content);
    let root = room.add("a");
    room.run(["export", &root, "-o", "good.car"]).exits(0);

    fs::copy(room.path("good.car"), room.path("bad.car")).expect("it is copied");
    damage(&room.path("bad.car"), &content[2_500_000..2_500_064]);
    let ran = room.run(["--store", "other", "import", "bad.car"]).exits(3);
    assert!(ran.out.is_empty(), "no root is claimed: {ran:?}");
    room.run(["--store", "other", "repair"]).exits(0);
    room.run(["--store", "other", "get", &root]).exits(4);

    let good = fs::read(room.path("good.car")).expect("it is read");
    room.write("cut.car", &good[..good.len() - 1]);
    room.run(["--store", "third", "import", "cut.car"]).exits(3);
    room.run(["--store", "third", "import", "good.car"]).exits(0);
    room.write("no.car", "this is no CAR at all");
    room.run(["import", "no.car"]).exits(3);
    room.write("empty.car", "");
    room.run(["import", "empty.car"]).exits(3);
}
