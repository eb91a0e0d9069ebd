//! `carpool car create`: the roots of go-car and Kubo, and nothing that was not asked for.

mod common;
use common::{Room, assert_same, noise};
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};

/// A CAR that go-car made of a folder with odd names, an empty folder, a link and files of all
/// sizes; none where there are no fixtures.
fn golden(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CARPOOL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let found = Some(folder.join("go-car").join(name)).filter(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no fixtures");
    }
    found
}

/// The roots that go-car gives, and Kubo with `add -r -w --hidden --cid-version=1` or without `-w`.
const WRAPPED: &str = "bafybeiba6srbgatwmyczhnxbe5x6qashgivlq4xssizuhvwqfku5z7mlqa";
const BARE: &str = "bafybeiftdzwqipqkhbyxbxo3dgoh6rvcne7qfyd2yzjj7whgmchvgkv4sy";

#[test]
fn the_files_are_those_of_go_car() {
    let room = Room::new();
    let Some(theirs) = golden("folder.create-nowrap-v1.car") else { return };
    let theirs_name = theirs.to_str().expect("UTF-8");
    room.run(["car", "extract", "-f", theirs_name, "-o", "folder"]).exits(0);
    let make = |flags: &[&str], root: &str| {
        let line = [&["car", "create", "-f", "out.car"], flags, &["folder"]].concat();
        assert_eq!(room.run(line).exits(0).out.trim(), root);
        fs::read(room.path("out.car")).expect("an output")
    };
    let ours = make(&["--version", "1", "--no-wrap"], BARE);
    assert!(ours == fs::read(&theirs).expect("readable"), "other bytes");
    let digest =
        |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    let starts = |digest: String, with: &str| assert!(digest.starts_with(with), "{digest}");
    starts(digest(make(&["--version=1"], WRAPPED)), "b07ec8064791a06d");
    starts(digest(make(&[], WRAPPED)), "b221391de7fc30db");
    starts(digest(make(&["--no-wrap"], BARE)), "6c28d2d43d471563");
}

#[test]
fn standard_output_gets_the_same_bytes() {
    let room = Room::new();
    room.write("d/a", noise(1, 700_000));
    for version in ["1", "2"] {
        room.run(["car", "c", "--version", version, "-o", "file.car", "d"]).exits(0);
        let mut command = room.command(["car", "c", "--version", version, "-f", "-", "d"]);
        let piped = command.output().expect("it runs");
        assert!(piped.status.success());
        assert_eq!(piped.stdout, fs::read(room.path("file.car")).expect("readable"));
    }
}

#[test]
fn the_output_is_not_packed_into_itself() {
    let room = Room::new();
    room.write("d/a", "a");
    let clean = room.run(["car", "create", "-f", "out.car", "d"]).exits(0).out;
    for _ in 0..2 {
        let inside = room.run(["car", "create", "-f", "d/out.car", "d"]).exits(0).out;
        assert_eq!(inside, clean);
    }
    assert_eq!(common::names(&room.path("d")), ["a", "out.car"]);
}

#[test]
fn a_block_that_comes_twice_is_written_once() {
    let room = Room::new();
    let leaf = noise(1, 100_000);
    room.write("d/a", &leaf);
    room.write("d/b", &leaf);
    let made = room.run(["--json", "car", "create", "-f", "out.car", "d"]).exits(0).object();
    assert_eq!((made["blocks"].as_u64(), made["files"].as_u64()), (Some(3), Some(2)));
    assert!(made["bytes"].as_u64().expect("a number") < 110_000);
}

#[test]
fn what_cannot_be_read_fails_and_leaves_no_file() {
    let room = Room::new();
    room.write("d/a", "a");
    room.write("out.car", "what was there");
    room.run(["car", "create", "-f", "out.car", "d", "gone"]).exits(1).says("gone");
    assert_eq!(common::names(&room.path("")), ["d", "out.car"]);
    assert_eq!(fs::read(room.path("out.car")).expect("readable"), b"what was there");
}

#[test]
fn every_path_is_a_root_without_a_folder_around_them() {
    let room = Room::new();
    room.write("a", "a");
    room.write("d/b", "b");
    let both = room.run(["car", "create", "--no-wrap", "-f", "out.car", "a", "d"]).exits(0).out;
    let roots = room.run(["car", "root", "out.car"]).exits(0).out;
    assert_eq!((both.lines().count(), both), (2, roots));
}

#[test]
fn a_killed_run_leaves_no_file_that_looks_finished() {
    let room = Room::new();
    room.write("d/big", noise(4, 30_000_000));
    room.write("out.car", "what was there");
    let running = room.start(["car", "create", "-f", "out.car", "d"]);
    let part = || common::names(&room.path("")).len() > 2;
    common::wait_until("a part", part);
    running.signal("KILL");
    drop(running);
    let kept = fs::read(room.path("out.car")).expect("readable");
    // On a quick machine it was done before the signal came.
    assert!(kept == b"what was there" || kept.len() > 30_000_000);
    let root = room.run(["car", "create", "-f", "out.car", "d"]).exits(0).out;
    assert_eq!(common::names(&room.path("")), ["d", "out.car"]);
    assert_eq!(room.run(["car", "root", "out.car"]).exits(0).out, root);
}

#[test]
fn what_was_made_is_extracted_again() {
    let room = Room::new();
    room.write("d/.hidden", "h");
    room.write("d/sub/deep/big", noise(2, 1_000_000));
    room.write("d/empty", "");
    fs::create_dir(room.path("d/none")).expect("a folder is made");
    room.run(["car", "create", "-f", "out.car", "d"]).exits(0);
    room.run(["car", "extract", "-f", "out.car", "-o", "back"]).exits(0);
    assert_same(&room.path("d"), &room.path("back/d"));
}

#[test]
fn an_output_that_is_named_as_input_is_left_as_it_is() {
    let room = Room::new();
    room.write("a", "precious");
    fs::hard_link(room.path("a"), room.path("b")).expect("a link");
    for output in ["a", "b", "./a"] {
        room.run(["car", "create", "-f", output, "a"]).exits(5);
        assert_eq!(fs::read(room.path("a")).expect("readable"), b"precious");
    }
}
