//! What was added comes back the same, out of this store and through a CAR out of another one.

mod common;
use common::{Room, assert_same, dag, names, noise};

fn tree(room: &Room) {
    room.write("tree/a.txt", "alpha");
    room.write("tree/empty", "");
    room.write("tree/sub/.hidden", "h");
    room.write("tree/sub/deep/big.bin", noise(1, 3_000_000));
    std::fs::create_dir(room.path("tree/nothing")).expect("a folder is made");
}

#[test]
fn a_folder_comes_back() {
    let room = Room::new();
    tree(&room);
    let root = room.add("tree");
    room.run(["get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    assert!(room.path("back/nothing").is_dir());
    assert_eq!(names(&room.path("")), ["back", "store", "tree"], "nothing else is left");
}

#[test]
fn parts_come_back_by_path() {
    let room = Room::new();
    tree(&room);
    let root = room.add("tree");
    let out = room.run(["get", &format!("{root}/a.txt"), "-o", "-"]).exits(0).out;
    assert_eq!(out, "alpha");
    room.run(["get", &format!("/ipfs/{root}/sub/deep/")]).exits(0);
    assert_same(&room.path("tree/sub/deep"), &room.path("deep"));
    room.run(["get", &format!("ipfs://{root}/empty")]).exits(0);
    assert_eq!(std::fs::read(room.path("empty")).expect("it is there"), b"");
}

#[test]
fn a_car_carries_it_to_another_store() {
    let room = Room::new();
    tree(&room);
    let root = room.add("tree");
    room.run(["export", &root, "-o", "tree.car"]).exits(0);
    let piped = common::Ran::of(
        std::process::Command::new("sh")
            .arg("-c")
            .arg("\"$0\" export \"$1\" | \"$0\" --store other import -")
            .args([env!("CARGO_BIN_EXE_carpool"), &root])
            .current_dir(room.path(""))
            .env("CARPOOL_STORE", room.path("store")),
    );
    assert_eq!(piped.exits(0).out.trim(), root);
    room.run(["import", "tree.car", "--store", "third"]).exits(0);
    for store in ["other", "third"] {
        room.run(["get", &root, "-o", store.to_uppercase().as_str(), "--store", store]).exits(0);
        assert_same(&room.path("tree"), &room.path(store.to_uppercase()));
    }
}

#[test]
fn blocks_of_a_car_that_no_root_leads_to_are_kept_too() {
    let room = Room::new();
    let (leaf, stray) = (dag::file("leaf"), dag::file("stray"));
    let below = dag::folder(&[(b"stray", *stray.cid())]);
    let blocks = [dag::folder(&[(b"leaf", *leaf.cid())]), leaf, below.clone(), stray];
    dag::write_car(&room.path("x.car"), &blocks);
    let imported = room.run(["--json", "import", "x.car"]).exits(0).object();
    assert_eq!(imported["blocks"], 4);
    let out = room.run(["get", &format!("{}/stray", below.cid()), "-o", "-"]).exits(0).out;
    assert_eq!(out, "stray");
}

#[test]
fn a_folder_is_listed_and_counted() {
    let room = Room::new();
    tree(&room);
    let root = room.add("tree");
    let list = room.run(["ls", &root]).exits(0).out;
    let last: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(last, ["a.txt", "empty", "nothing", "sub"]);
    room.run(["ls", &format!("{root}/a.txt")]).exits(1).says("is no folder");
    let stat = room.run(["--json", "stat", &root]).exits(0).object();
    assert_eq!(stat["blocks"], 11, "{stat}");
    assert_eq!(stat["raw_blocks"], 6, "{stat}");
    assert_eq!(stat["blocks_missing"], 0);
}
