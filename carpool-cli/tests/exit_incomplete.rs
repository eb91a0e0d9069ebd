//! Exit code 4: not all is there, and the same command goes on once it can.

mod common;
use common::{Room, dag, noise, relay::cut_after};

#[test]
fn a_dag_of_which_a_part_is_missing() {
    let room = Room::new();
    let child = dag::file("child");
    let folder = dag::folder(&[(b"child", *child.cid()), (b"gone", *dag::file("gone").cid())]);
    let root = dag::write_car(&room.path("part.car"), &[folder, child]);
    let ran = room.run(["--json", "import", "part.car"]).exits(4);
    assert_eq!(ran.object()["complete"], false);
    room.run(["get", &root, "-o", "out"]).exits(4);
    assert_eq!(common::names(&room.path("")), ["part.car", "store"], "nothing half is left");
    room.run(["export", &root, "-o", "out.car"]).exits(4);
    assert_eq!(common::names(&room.path("")), ["part.car", "store"]);
    assert_eq!(room.run(["--json", "stat", &root]).exits(4).object()["blocks_missing"], 1);
    let server = room.serve("far", &[]);
    room.run(["push", &root, &server.url]).exits(4);
    room.run(["get", &format!("{root}/child"), "-o", "-"]).exits(0);
}

#[test]
fn a_root_that_nobody_has() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.run(["add", "-Qn", "a"]).exits(0).out.trim().to_owned();
    let server = room.serve("far", &[]);
    room.run(["get", &root]).exits(4);
    room.run(["stat", &root]).exits(4);
    room.run(["push", &root, &server.url]).exits(4).says("not held here");
    room.run(["pull", &root, &server.url]).exits(4).says(&root);
}

#[test]
fn a_connection_that_is_cut_and_another_one_later() {
    let room = Room::new();
    for n in 0..40 {
        room.write(format!("tree/{n}"), noise(n, 100_000));
    }
    let root = room.add("tree");
    let server = room.serve("store", &[]);
    let cut = cut_after(&server.url, 2_000_000);
    let pulled = room
        .run(["--json", "--store", "new", "pull", "--delta", "never", &root, &cut])
        .exits(4)
        .object();
    assert!(pulled["blocks_received"].as_u64() > Some(10), "{pulled}");
    assert!(pulled["blocks_missing"].as_u64() > Some(0), "{pulled}");
    let resumed =
        room.run(["--json", "--store", "new", "pull", "--delta", "never", &root, &server.url]);
    let resumed = resumed.exits(0).object();
    assert!(resumed["bytes_received"].as_u64() < Some(2_500_000), "{resumed}");
    room.run(["--store", "new", "get", &root, "-o", "back"]).exits(0);
    common::assert_same(&room.path("tree"), &room.path("back"));
}
