//! `carpool car concat`, `merge`, `split` and `diff`.

mod common;
use carpool_core::{Block, Cid, Multihash, cbor, codec};
use common::{
    Room,
    car::{Car, leaves},
    names,
};
use std::fs;

fn list(links: &[&Block]) -> Block {
    let mut data = Vec::new();
    cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
    links.iter().for_each(|link| cbor::write_link(&mut data, link.cid()));
    Block::new(codec::DAG_CBOR, data.into())
}

fn no_root() -> Cid {
    Cid::new_v1(codec::RAW, Multihash::wrap(0, &[]).expect("it fits"))
}

#[track_caller]
fn holds(room: &Room, name: &str, bytes: &[u8]) {
    assert!(fs::read(room.path(name)).expect("a file") == bytes, "{name} is another one");
}

#[test]
fn concat_is_verbatim_and_merge_has_each_block_once() {
    let (room, all) = (Room::new(), leaves(4, 60));
    let (a, b) = (Car::of(&all[..3]), Car::of(&all[2..]).block(&all[0]));
    room.write("a.car", a.bytes());
    room.write("b.car", b.v2(7, Some(&b.index())));
    room.run(["car", "concat", "-o", "c.car", "a.car", "b.car"]).exits(0);
    let both = all[2..].iter().fold(a, Car::block).block(&all[0]);
    holds(&room, "c.car", &both.bytes());
    room.run(["car", "merge", "a.car", "b.car", "-o", "m.car"]).exits(0);
    let union = all.iter().fold(Car::new(&[*all[0].cid(), *all[2].cid()]), Car::block);
    holds(&room, "m.car", &union.bytes());
    room.run(["car", "merge", "--version", "2", "a.car", "b.car", "-o", "m2.car"]).exits(0);
    holds(&room, "m2.car", &union.v2(0, Some(&union.index())));
    room.run(["car", "concat", "--version", "2", "a.car", "b.car", "-o", "c2.car"]).exits(0);
    holds(&room, "c2.car", &both.v2(0, Some(&both.index())));
}

#[test]
fn inputs_without_roots_are_taken() {
    let (room, all) = (Room::new(), leaves(2, 60));
    room.write("a.car", Car::new(&[]).block(&all[0]).bytes());
    room.write("b.car", Car::of(&all[1..]).bytes());
    room.run(["car", "concat", "-o", "c.car", "a.car", "b.car"]).exits(0);
    holds(&room, "c.car", &Car::new(&[*all[1].cid()]).block(&all[0]).block(&all[1]).bytes());
    room.run(["car", "merge", "-o", "m.car", "a.car"]).exits(0).says("no root");
    holds(&room, "m.car", &Car::new(&[no_root()]).block(&all[0]).bytes());
}

#[test]
fn damage_and_outputs_that_are_inputs_are_refused() {
    let (room, all) = (Room::new(), leaves(2, 60));
    room.write("good.car", Car::of(&all).bytes());
    room.write("bad.car", Car::of(&all).section(all[0].cid(), b"x").bytes());
    for verb in ["concat", "merge"] {
        room.run(["car", verb, "-o", "out.car", "good.car", "bad.car"]).exits(3).says("bad.car");
        assert!(!room.path("out.car").exists());
        room.run(["car", verb, "-o", "good.car", "good.car"]).exits(5);
        room.run(["car", verb, "-o", "out.car", "good.car", "none.car"]).exits(1);
        room.run(["car", verb, "-o", "out.car", "-", "-"]).exits(2);
    }
    room.run(["car", "concat", "--trust", "-o", "out.car", "bad.car"]).exits(0);
    let good = Car::of(&all);
    holds(&room, "good.car", &good.bytes());
}

#[test]
fn parts_of_a_size_come_together_again() {
    let (room, all) = (Room::new(), leaves(20, 100));
    let car = all.iter().fold(Car::new(&[*all[7].cid(), *all[1].cid()]), Car::block).block(&all[3]);
    room.write("a.car", car.v2(0, None));
    let told = room.run(["--json", "car", "split", "a.car", "--size", "600", "-o", "p"]).exits(0);
    let parts = told.objects();
    assert_eq!(parts.len(), names(&room.path("")).iter().filter(|n| n.starts_with("p")).count());
    for part in &parts[..parts.len() - 1] {
        let name = part["name"].as_str().expect("a name");
        assert!(room.path(name).metadata().expect("a part").len() <= 600, "{name}");
        room.run(["car", "concat", name, "-o", "alone.car"]).exits(0);
        let roots = room.run(["car", "root", name]).exits(0).out;
        assert!(
            room.run(["car", "debug", name]).exits(0).out.contains(&format!("--- {roots}")[..40])
        );
    }
    room.run(["car", "merge", "p.json", "-o", "again.car"]).exits(0);
    holds(&room, "again.car", &car.bytes());
}

#[test]
fn parts_by_sub_graph_are_whole_dags() {
    let (room, leaf) = (Room::new(), leaves(7, 100));
    let shared = list(&[&leaf[0], &leaf[1]]);
    let (x, y) = (list(&[&shared, &leaf[2]]), list(&[&leaf[3], &shared]));
    let root = list(&[&x, &y, &leaf[4]]);
    let order =
        [&root, &x, &shared, &leaf[0], &leaf[1], &leaf[2], &y, &leaf[3], &leaf[4], &leaf[5]];
    let car = order.into_iter().fold(Car::new(&[*root.cid()]), Car::block);
    room.write("a.car", car.bytes());
    let told = room.run(["--json", "car", "split", "a.car", "--subgraph", "-o", "p"]).exits(0);
    let blocks: Vec<u64> =
        told.objects().iter().filter_map(|part| part["blocks"].as_u64()).collect();
    assert_eq!(
        blocks,
        [5, 5, 1, 2, 10],
        "x, y, a leaf, and the rest; the manifest counts each once"
    );
    let root_of = |name: &str| room.run(["car", "root", name]).exits(0).out.trim().to_owned();
    assert_eq!(root_of("p-00001.car"), x.cid().to_string());
    assert_eq!(root_of("p-00004.car"), root.cid().to_string());
    room.run(["car", "merge", "p.json", "-o", "again.car"]).exits(0);
    holds(&room, "again.car", &car.bytes());
    room.write("a.car", car.v2(9, None));
    let packed = ["car", "split", "a.car", "--subgraph", "--size", "1KiB", "-o", "q"];
    room.run(packed).exits(0);
    room.run(["car", "merge", "q.json", "-o", "again.car"]).exits(0);
    holds(&room, "again.car", &car.bytes());
}

#[test]
fn a_part_that_changed_and_a_manifest_that_lies_are_refused() {
    let (room, all) = (Room::new(), leaves(6, 100));
    room.write("a.car", Car::of(&all).bytes());
    room.run(["car", "split", "a.car", "--size", "400", "-o", "p"]).exits(0);
    let part = fs::read(room.path("p-00001.car")).expect("a part");
    let mut other = part.clone();
    *other.last_mut().expect("it has bytes") ^= 1;
    let merge = || room.run(["car", "merge", "p.json", "-o", "out.car"]);
    room.write("p-00001.car", &other);
    merge().exits(3).says("hash");
    room.write("p-00001.car", &part[..part.len() - 1]);
    merge().exits(3);
    room.write("p-00001.car", &part);
    let manifest = fs::read_to_string(room.path("p.json")).expect("a manifest");
    for (old, new) in [
        ("p-00002.car", "../p-00002.car"),
        ("p-00002.car", "p-00001.car"),
        ("\"blocks\": 6", "\"blocks\": 7"),
        ("split 1", "split 9"),
        ("{", "{{"),
    ] {
        assert!(manifest.contains(old), "{old}");
        room.write("p.json", manifest.replace(old, new));
        merge().exits(3);
    }
    assert!(!room.path("out.car").exists());
}

#[test]
fn a_failed_split_leaves_nothing() {
    let (room, all) = (Room::new(), leaves(6, 100));
    room.write("a.car", Car::of(&all).section(all[0].cid(), b"x").bytes());
    room.run(["car", "split", "a.car", "--size", "400", "-o", "p"]).exits(3);
    assert_eq!(names(&room.path("")), ["a.car"]);
    room.run(["car", "split", "a.car", "-o", "p"]).exits(2);
    room.run(["car", "split", "a.car", "--size", "0", "-o", "p"]).exits(2);
}

#[test]
fn diff_counts_and_lists() {
    let (room, all) = (Room::new(), leaves(4, 100));
    room.write("a.car", Car::of(&all[..3]).block(&all[0]).bytes());
    room.write("b.car", Car::of(&all[1..]).bytes());
    let told = room.run(["--json", "car", "diff", "a.car", "b.car"]).exits(0).object();
    assert_eq!(told["only_a"]["blocks"], 1);
    assert_eq!(told["only_b"]["blocks"], 1);
    assert_eq!(told["both"]["bytes"], 200);
    assert_eq!(told["saved_bytes"], 2 * (2 + 36 + 100));
    let listed = room.run(["car", "diff", "--list", "a.car", "b.car"]).exits(0).out;
    let lines: Vec<&str> = listed.lines().take(2).collect();
    assert_eq!(lines, [format!("< {}", all[0].cid()), format!("> {}", all[3].cid())]);
    let same = room.run(["--json", "car", "diff", "a.car", "a.car"]).exits(0).object();
    assert_eq!(same["same"], true);
}
