//! `carpool car filter`: exactly the blocks that were asked for.

mod common;
use carpool_core::{Block, Cid, Multihash, codec};
use common::{
    Ran, Room,
    car::{Car, leaves},
};
use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

fn list(cids: &[&Cid]) -> String {
    cids.iter().map(|cid| format!("{cid}\n")).collect()
}

fn filter(room: &Room, flags: &[&str]) -> Ran {
    room.run([&["car", "filter", "--cid-file", "cids", "in.car", "out.car"], flags].concat())
}

#[track_caller]
fn holds(room: &Room, car: &Car) {
    let bytes = fs::read(room.path("out.car")).expect("an output");
    assert!(bytes == car.bytes(), "other sections");
}

#[test]
fn those_on_the_list_and_those_that_are_not() {
    let (room, all) = (Room::new(), leaves(4, 100));
    room.write("in.car", Car::of(&all).bytes());
    room.write("cids", list(&[all[2].cid(), all[0].cid()]));
    filter(&room, &["--version", "1"]).exits(0);
    holds(&room, &Car::new(&[*all[0].cid()]).block(&all[0]).block(&all[2]));
    filter(&room, &["--version", "1", "--inverse", "--empty-roots"]).exits(0).says("no root");
    holds(&room, &Car::new(&[]).block(&all[1]).block(&all[3]));
    let none = Cid::new_v1(codec::RAW, Multihash::wrap(0, &[]).expect("it fits"));
    filter(&room, &["--version", "1", "--inverse"]).exits(0);
    holds(&room, &Car::new(&[none]).block(&all[1]).block(&all[3]));
}

#[test]
fn version_2_has_an_index() {
    let (room, all) = (Room::new(), leaves(3, 100));
    room.write("in.car", Car::of(&all).bytes());
    room.write("cids", list(&[all[0].cid(), all[1].cid()]));
    filter(&room, &[]).exits(0);
    let kept = Car::of(&all[..2]);
    let expected = kept.v2(0, Some(&kept.index()));
    assert_eq!(fs::read(room.path("out.car")).expect("an output"), expected);
}

#[test]
fn what_is_not_found_is_said() {
    let (room, all) = (Room::new(), leaves(2, 100));
    room.write("in.car", Car::of(&all[..1]).bytes());
    room.write("cids", list(&[all[0].cid(), all[1].cid()]));
    filter(&room, &[]).exits(0).says(&format!("not found: {}", all[1].cid()));
}

#[test]
fn the_same_cid_is_kept_once_and_the_same_bytes_under_two() {
    let room = Room::new();
    let raw = Block::new(codec::RAW, "x".into());
    let cbor = Block::new(codec::DAG_CBOR, "x".into());
    room.write("in.car", Car::of(&[raw.clone(), cbor.clone(), raw.clone()]).bytes());
    room.write("cids", "");
    filter(&room, &["--version", "1", "--inverse"]).exits(0);
    holds(&room, &Car::of(&[raw.clone(), cbor.clone()]));
    filter(&room, &["--version", "1", "--inverse", "--dedup", "multihash"]).exits(0);
    holds(&room, &Car::of(std::slice::from_ref(&raw)));
    filter(&room, &["--version", "1", "--inverse", "--dedup", "none"]).exits(0);
    holds(&room, &Car::of(&[raw.clone(), cbor, raw]));
}

#[test]
fn identity_blocks_are_kept_unless_asked_otherwise() {
    let (room, all) = (Room::new(), leaves(1, 100));
    let inline = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"in").expect("it fits"));
    let car = Car::of(&all).section(&inline, b"in");
    room.write("in.car", car.bytes());
    room.write("cids", "");
    filter(&room, &["--version", "1", "--inverse"]).exits(0);
    holds(&room, &car);
    filter(&room, &["--version", "1", "--inverse", "--drop-identity"]).exits(0);
    holds(&room, &Car::of(&all));
}

#[test]
fn to_append_keeps_what_is_there() {
    let (room, all) = (Room::new(), leaves(4, 100));
    room.write("in.car", Car::of(&all).bytes());
    room.write("cids", list(&[all[3].cid(), all[1].cid()]));
    let there = Car::of(&all[1..3]);
    room.write("out.car", there.v2(0, Some(&there.index())));
    filter(&room, &["--append", "--version", "1"]).exits(0);
    holds(&room, &there.block(&all[3]));
}

#[test]
fn a_bad_block_fails_it_and_the_output_stays_as_it_was() {
    let (room, all) = (Room::new(), leaves(2, 100));
    room.write("in.car", Car::of(&all[..1]).section(all[1].cid(), b"evil").bytes());
    room.write("cids", "");
    room.write("out.car", "before");
    filter(&room, &["--inverse"]).exits(3).says(&all[1].cid().to_string());
    assert_eq!(fs::read(room.path("out.car")).expect("it is there"), b"before");
    filter(&room, &["--inverse", "--trust"]).exits(0);
}

#[test]
fn the_input_is_no_output() {
    let (room, all) = (Room::new(), leaves(1, 100));
    let car = Car::of(&all).bytes();
    room.write("in.car", &car);
    room.write("cids", "");
    room.run(["car", "filter", "--inverse", "--cid-file", "cids", "in.car", "in.car"]).exits(5);
    room.run(["car", "filter", "--append", "--cid-file", "cids", "in.car", "./in.car"]).exits(5);
    assert_eq!(fs::read(room.path("in.car")).expect("it is there"), car);
    assert_eq!(common::names(&room.path("")), ["cids", "in.car"]);
}

#[test]
fn the_list_or_the_car_comes_from_standard_input() {
    let (room, all) = (Room::new(), leaves(3, 100));
    room.write("in.car", Car::of(&all).bytes());
    room.write("cids", list(&[all[0].cid()]));
    let piped = |args: &[&str], input: &str| {
        let mut command: Command = room.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let bytes = fs::read(room.path(input)).expect("readable");
        child.stdin.take().expect("piped").write_all(&bytes).expect("it reads");
        let done = child.wait_with_output().expect("it ends");
        assert!(done.status.success());
        done.stdout
    };
    let expected = Car::of(&all[..1]).bytes();
    let flags = ["car", "filter", "--version", "1"];
    let out = piped(&[&flags[..], &["in.car", "-"]].concat(), "cids");
    assert_eq!(out, expected);
    let out = piped(&[&flags[..], &["--cid-file", "cids", "-", "-"]].concat(), "in.car");
    assert_eq!(out, expected);
    room.run(["car", "filter", "-", "-"]).exits(2);
}

#[test]
fn what_is_no_cid_is_told() {
    let (room, all) = (Room::new(), leaves(1, 100));
    room.write("in.car", Car::of(&all).bytes());
    room.write("cids", "\n\nnonsense\n");
    filter(&room, &[]).exits(2).says("nonsense");
}

/// What go-car makes of the same files, where the fixtures are at hand.
#[test]
fn with_its_switches_the_files_are_those_of_go_car() {
    let folder = std::env::var_os("CARPOOL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let folder = folder.join("go-car");
    if !folder.join("odd.car").is_file() {
        println!("skipped: no fixtures");
        return;
    }
    let room = Room::new();
    room.write("none", "");
    let path = |name: &str| folder.join(name).into_os_string().into_string().expect("UTF-8");
    let same = |list: &str, input: &str, flags: &[&str], golden: &str| {
        let input = path(input);
        let line = ["car", "filter", "--cid-file", list, &input, "out.car"];
        room.run([&line, flags].concat()).exits(0);
        let expected = fs::read(path(golden)).expect("readable");
        assert!(fs::read(room.path("out.car")).expect("an output") == expected, "{golden}");
    };
    same(&path("mixed.tenth.cids"), "mixed.car", &[], "mixed.filter-v2.car");
    let all = ["--inverse", "--drop-identity", "--dedup", "multihash"];
    same("none", "odd.car", &all, "odd.filter-all-v2.car");
    same("none", "odd.car", &[&all[..], &["--version", "1"]].concat(), "odd.filter-all-v1.car");
}
