//! `car index` and `car detach-index`: go-car's bytes.

mod common;
use common::{
    Ran, Room,
    car::{Car, leaves},
    golden::{go_car, text},
};
use std::{fs, process::Stdio};

#[test]
fn indexes_are_those_of_go_car() {
    let room = Room::new();
    for (name, codec, golden) in [
        ("mixed.car", "0x0401", "mixed.0401.idx"),
        ("mixed.v2.car", "car-index-sorted", "mixed.0400.idx"),
        ("noroot.car", "car-multihash-index-sorted", "noroot.0401.idx"),
    ] {
        let (Some(car), Some(golden)) = (go_car(name), go_car(golden)) else { return };
        let car = car.to_str().unwrap();
        for budget in ["4096", "268435456"] {
            let args =
                ["car", "index", "-c", codec, "create", car, "out.idx", "--sort-memory", budget];
            room.run(args).exits(0);
            assert_eq!(fs::read(room.path("out.idx")).unwrap(), fs::read(&golden).unwrap());
        }
    }
}

#[test]
fn a_carv2_is_that_of_go_car_and_back() {
    let room = Room::new();
    let (Some(v1), Some(v2)) = (go_car("mixed.car"), go_car("mixed.v2.car")) else { return };
    room.run(["car", "i", v1.to_str().unwrap(), "out.car"]).exits(0);
    assert!(fs::read(room.path("out.car")).unwrap() == fs::read(v2).unwrap());
    room.run(["car", "index", "--version", "1", "out.car", "back.car"]).exits(0);
    assert!(fs::read(room.path("back.car")).unwrap() == fs::read(v1).unwrap());
}

#[test]
fn pipes_both_ways_and_none() {
    let room = Room::new();
    let car = Car::of(&leaves(3, 1000));
    let path = room.write("a.car", car.bytes());
    for (codec, wanted) in [("none", car.v2(0, None)), ("0x0401", car.v2(0, Some(&car.index())))] {
        let mut command = room.command(["car", "index", "-c", codec, "-", "-"]);
        command.stdin(Stdio::from(fs::File::open(&path).unwrap()));
        assert!(command.output().unwrap().stdout == wanted, "{codec}");
    }
}

#[test]
fn damage_leaves_no_output() {
    let room = Room::new();
    let block = &leaves(1, 10)[0];
    let bytes = Car::new(&[*block.cid()]).section(block.cid(), b"other").bytes();
    room.write("a.car", &bytes);
    room.write("cut.car", &bytes[..bytes.len() - 1]);
    room.run(["car", "index", "a.car", "b.car"]).exits(3).says("--trust");
    room.run(["car", "index", "cut.car", "b.car", "--trust"]).exits(3);
    assert_eq!(common::names(&room.path("")), ["a.car", "cut.car"]);
    room.run(["car", "index", "a.car", "b.car", "--trust"]).exits(0);
    room.run(["car", "index", "a.car", "a.car"]).exits(5);
    assert!(fs::read(room.path("a.car")).unwrap() == bytes);
}

#[test]
fn an_index_is_detached_and_listed() {
    let room = Room::new();
    let Some(v2) = go_car("noroot.v2.car") else { return };
    room.run(["car", "detach-index", v2.to_str().unwrap(), "out.idx"]).exits(0);
    let golden = fs::read(go_car("noroot.0401.idx").unwrap()).unwrap();
    assert!(fs::read(room.path("out.idx")).unwrap() == golden);
    let out = room.run(["car", "detach-index", "list", "out.idx"]).exits(0).out;
    assert_eq!(out, text("noroot.idxlist.txt"));
    let mut piped = room.command(["car", "detach-index", "list"]);
    piped.stdin(Stdio::from(fs::File::open(room.path("out.idx")).unwrap()));
    assert_eq!(Ran::of(&mut piped).exits(0).out, out);
}

#[test]
fn what_has_no_index_gives_none() {
    let room = Room::new();
    room.write("a.car", Car::of(&leaves(1, 10)).bytes());
    room.run(["car", "detach-index", "a.car", "out.idx"]).exits(5).says("index create");
    assert_eq!(common::names(&room.path("")), ["a.car"]);
}

/// Short sections are read ahead in windows, long ones are skipped.
#[test]
fn short_and_long_sections_by_turns() {
    let room = Room::new();
    let (short, long) = (leaves(40_000, 50), leaves(8, 700_000));
    let root = *short[0].cid();
    let mut car = Car::new(&[root]);
    for (n, block) in short.iter().enumerate() {
        car = car.block(block);
        if n % 5000 == 4999 {
            car = car.block(&long[n / 5000]);
        }
    }
    room.write("a.car", car.bytes());
    room.run(["car", "index", "create", "a.car", "out.idx"]).exits(0);
    assert!(fs::read(room.path("out.idx")).unwrap() == car.index());
    let bytes = car.bytes();
    room.write("cut.car", &bytes[..bytes.len() - 1]);
    room.run(["car", "index", "create", "cut.car", "cut.idx"]).exits(3);
}
