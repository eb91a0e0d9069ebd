//! `carpool car put-block`: one block more, and none less.

mod common;
use carpool_core::{Block, codec};
use common::{
    Ran, Room,
    car::{Car, leaves},
};
use std::{fs, fs::File};

fn put(room: &Room, args: &[&str], bytes: &[u8]) -> Ran {
    let input = File::open(room.write("input", bytes)).expect("readable");
    Ran::of(room.command([&["car", "put-block"], args].concat()).stdin(input))
}

#[track_caller]
fn holds(room: &Room, bytes: &[u8]) {
    assert!(fs::read(room.path("a.car")).expect("a file") == bytes, "other bytes");
}

#[test]
fn a_file_is_made_and_grows_in_both_versions() {
    for version in ["1", "2"] {
        let (room, all) = (Room::new(), leaves(2, 50));
        let made = put(&room, &["--version", version, "--set-root", "a.car"], all[0].data());
        assert_eq!(made.exits(0).out.trim(), all[0].cid().to_string());
        put(&room, &["a.car"], all[1].data()).exits(0);
        put(&room, &["a.car"], all[1].data()).exits(0);
        let car = Car::of(&all);
        let v2 = || car.v2(0, Some(&car.index()));
        holds(&room, &if version == "1" { car.bytes() } else { v2() });
    }
}

#[test]
fn codecs_are_told_and_the_root_is_set() {
    let room = Room::new();
    let bytes = b"\xa0";
    let block = Block::new(codec::DAG_CBOR, bytes.to_vec().into());
    let first = Block::new(codec::RAW, "x".into());
    room.write("a.car", Car::of(std::slice::from_ref(&first)).bytes());
    let ran = put(&room, &["-c", "dag-cbor", "--set-root", "a.car"], bytes).exits(0);
    assert_eq!(ran.out.trim(), block.cid().to_string());
    holds(&room, &Car::new(&[*block.cid()]).block(&first).block(&block).bytes());
}

#[test]
fn a_cid_is_held_to_its_bytes() {
    let (room, all) = (Room::new(), leaves(1, 50));
    let cid = all[0].cid().to_string();
    put(&room, &["--cid", &cid, "a.car"], b"other").exits(3);
    assert!(!room.path("a.car").exists());
    put(&room, &["--cid", &cid, "a.car"], all[0].data()).exits(0);
}

#[test]
fn a_damaged_file_is_left_as_it_is() {
    let (room, all) = (Room::new(), leaves(2, 50));
    let car = Car::of(&all[..1]).section(all[1].cid(), b"evil").bytes();
    room.write("a.car", &car);
    put(&room, &["a.car"], b"more").exits(3);
    holds(&room, &car);
    let cut = &Car::of(&all).bytes()[..100];
    room.write("a.car", cut);
    put(&room, &["a.car"], b"more").exits(3);
    holds(&room, cut);
}
