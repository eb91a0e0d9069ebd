//! `carpool diff` names the paths in which two roots differ.

mod common;
use common::{Room, dag, noise};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn lines(room: &Room, a: &str, b: &str) -> Vec<String> {
    let out = room.run(["diff", a, b]).exits(0).out;
    let is_path = |line: &&str| line.starts_with(['A', 'D', 'M', 'T']);
    out.lines().filter(is_path).map(str::to_owned).collect()
}

#[test]
fn of_folders() {
    let room = Room::new();
    for name in ["same", "in/same", "changed", "in/changed", "gone", "old/gone", "a-file"] {
        room.write(format!("one/{name}"), "1234");
    }
    fs::create_dir(room.path("one/empty")).expect("a folder");
    symlink("same", room.path("one/link")).expect("a link");
    let a = room.add("one");
    for name in ["changed", "in/changed", "added", "new/added", "empty/not any more"] {
        room.write(format!("one/{name}"), "123456");
    }
    fs::remove_file(room.path("one/gone")).expect("it goes");
    fs::remove_dir_all(room.path("one/old")).expect("it goes");
    fs::remove_file(room.path("one/a-file")).expect("it goes");
    room.write("one/a-file/below", "12");
    fs::remove_file(room.path("one/link")).expect("it goes");
    symlink("changed", room.path("one/link")).expect("a link");
    let b = room.add("one");
    assert_eq!(
        lines(&room, &a, &b),
        [
            "T a-file  (file → folder)",
            "A a-file/below  (2 B)",
            "A added  (6 B)",
            "M changed  (4 B → 6 B)",
            "A empty/not any more  (6 B)",
            "D gone  (4 B)",
            "M in/changed  (4 B → 6 B)",
            "M link  (4 B → 7 B)",
            "A new/added  (6 B)",
            "D old/gone  (4 B)",
        ]
    );
    let below = lines(&room, &format!("{a}/in"), &format!("{b}/in"));
    assert_eq!(below, ["M changed  (4 B → 6 B)"]);
    assert!(lines(&room, &a, &a).is_empty());
}

#[test]
fn of_empty_folders_and_modes() {
    let room = Room::new();
    room.write("tree/in/a", "a");
    let flags = ["add", "-Q", "--profile=carpool-v1-meta", "--preserve-mode", "tree"];
    let a = room.run(flags).exits(0).out;
    fs::create_dir(room.path("tree/new")).expect("a folder");
    fs::set_permissions(room.path("tree/in"), fs::Permissions::from_mode(0o700)).expect("a mode");
    let b = room.run(flags).exits(0).out;
    let (a, b) = (a.trim(), b.trim());
    assert_eq!(lines(&room, a, b), ["M in  (mode or time)", "A new  (empty folder)"]);
    assert_eq!(lines(&room, b, a), ["M in  (mode or time)", "D new  (empty folder)"]);
}

#[test]
fn of_files() {
    let room = Room::new();
    room.write("a", noise(1, 3_000_000));
    room.write("b", [noise(1, 3_000_000), noise(2, 100)].concat());
    let (a, b) = (room.add("a"), room.add("b"));
    assert_eq!(lines(&room, &a, &b), ["M .  (2.86 MiB → 2.86 MiB)"]);
    let all = room.run(["--json", "diff", &a, &b]).exits(0).objects();
    assert_eq!(all[0]["bytes_after"], 3_000_100);
    assert_eq!(all[1]["both"]["blocks"], 2, "{}", all[1]);
}

#[test]
fn of_folders_in_shards() {
    let room = Room::new();
    for n in 0..400 {
        room.write(format!("tree/{n}"), n.to_string());
    }
    let add = |flag: &str| room.run(["add", "-Q", flag, "tree"]).exits(0).out.trim().to_owned();
    let (a, flat) = (add("--max-directory-links=30"), add("--max-directory-links=0"));
    assert!(lines(&room, &a, &flat).is_empty(), "the same paths in another shape");
    room.write("tree/77", "changed");
    room.write("tree/new", "new");
    fs::remove_file(room.path("tree/5")).expect("it goes");
    let b = add("--max-directory-links=30");
    let expected = ["D 5  (1 B)", "M 77  (2 B → 7 B)", "A new  (3 B)"];
    assert_eq!(lines(&room, &a, &b), expected);
    assert_eq!(lines(&room, &flat, &b), expected);
}

#[test]
fn names_of_the_store_are_roots_too() {
    let room = Room::new();
    let server = room.serve("far", &[]);
    room.write("tree/a", "alpha");
    let before = room.run(["--json", "sync", "tree", &server.url]).exits(0).object();
    room.write("other/a", "beta");
    room.run(["sync", "other", &server.url]).exits(0);
    assert_eq!(lines(&room, "tree", "other"), ["M a  (5 B → 4 B)"]);
    let root = before["root"].as_str().expect("a root");
    assert!(lines(&room, root, "tree").is_empty());
    room.run(["diff", "neither", "tree"]).exits(2).says("begins with no CID, and is no name");
}

#[test]
fn what_is_not_held_is_said() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let a = room.add("tree");
    let lost = dag::file("lost");
    let folder = dag::folder(&[(b"a", *lost.cid())]);
    let b = dag::write_car(&room.path("part.car"), &[folder]);
    room.run(["import", "part.car"]).exits(4);
    room.run(["diff", &a, &b]).exits(4).says("not in the store");
    let nowhere = lost.cid().to_string();
    room.run(["diff", &a, &nowhere]).exits(4).says("not in the store");
}

#[test]
fn what_is_no_unixfs_has_blocks_alone() {
    use carpool_core::{Block, cbor, codec};
    let node = |links: &[&Block]| {
        let mut data = Vec::new();
        cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
        links.iter().for_each(|link| cbor::write_link(&mut data, link.cid()));
        Block::new(codec::DAG_CBOR, data.into())
    };
    let room = Room::new();
    let (one, two) = (dag::file("one"), dag::file("two two"));
    let (a, b) = (node(&[&one]), node(&[&one, &two]));
    let a = dag::write_car(&room.path("a.car"), &[a, one.clone()]);
    let b = dag::write_car(&room.path("b.car"), &[b, one, two]);
    room.run(["import", "a.car"]).exits(0);
    room.run(["import", "b.car"]).exits(0);
    let all = room.run(["--json", "diff", &a, &b]).exits(0).object();
    assert!(all["paths"].is_null());
    assert_eq!(all["both"], serde_json::json!({"blocks": 1, "bytes": 3}));
    assert_eq!(all["only_b"]["blocks"], 2);
    let stat = room.run(["--json", "diff", "--stat", &a, &b]).exits(0).object();
    assert_eq!(stat["encodings"][0]["encoding"], "plain");
}
