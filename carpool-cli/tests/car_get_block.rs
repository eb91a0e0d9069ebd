//! `car get-block`: by the index or without, and never a block that is wrong.

mod common;
use common::{
    Ran, Room,
    car::{Car, index, leaves},
};
use std::{fs, process::Stdio};

#[test]
fn out_of_every_kind_of_file() {
    let room = Room::new();
    let blocks = leaves(20, 1000);
    let car = Car::of(&blocks);
    room.write("v1.car", car.bytes());
    room.write("bare.car", car.v2(5, None));
    room.write("v2.car", car.v2(0, Some(&car.index())));
    for file in ["v1.car", "bare.car", "v2.car"] {
        for block in [&blocks[0], &blocks[19]] {
            let cid = block.cid().to_string();
            room.run(["car", "gb", file, &cid, "out"]).exits(0);
            assert!(fs::read(room.path("out")).unwrap() == block.data()[..], "{file}");
            let mut piped = room.command(["car", "get-block", "-", &cid]);
            piped.stdin(Stdio::from(fs::File::open(room.path(file)).unwrap()));
            assert!(piped.output().unwrap().stdout == block.data()[..], "{file}");
        }
    }
}

#[test]
fn a_wrong_index_is_told_and_gone_round() {
    let room = Room::new();
    let blocks = leaves(3, 1000);
    let car = Car::of(&blocks);
    let digest = |n: usize| blocks[n].cid().hash().digest().to_vec();
    let lies = index((0..3).map(|n| (digest(n), 1_000_000)).collect());
    room.write("lies.car", car.v2(0, Some(&lies)));
    room.write("lacks.car", car.v2(0, Some(&index(vec![]))));
    room.write("broken.car", car.v2(0, Some(&[1, 2, 3])));
    for (file, said) in
        [("lies.car", "is wrong"), ("lacks.car", "does not have"), ("broken.car", "malformed")]
    {
        let ran = room.run(["car", "get-block", file, &blocks[1].cid().to_string(), "out"]);
        ran.exits(0).says(said);
        assert!(fs::read(room.path("out")).unwrap() == blocks[1].data()[..]);
    }
}

#[test]
fn a_damaged_block_is_not_given() {
    let room = Room::new();
    let blocks = leaves(2, 10);
    let car = Car::of(&blocks[..1]).section(blocks[1].cid(), b"other");
    let cid = blocks[1].cid().to_string();
    for bytes in [car.bytes(), car.v2(0, Some(&car.index()))] {
        room.write("a.car", bytes);
        room.run(["car", "get-block", "a.car", &cid, "out"]).exits(3).says("damaged");
    }
    room.write("a.car", car.block(&blocks[1]).bytes());
    room.run(["car", "get-block", "a.car", &cid, "out"]).exits(0);
    assert!(fs::read(room.path("out")).unwrap() == blocks[1].data()[..]);
}

#[test]
fn one_that_is_not_there() {
    let room = Room::new();
    room.write("a.car", Car::of(&leaves(1, 10)).bytes());
    let other = leaves(2, 10)[1].cid().to_string();
    room.run(["car", "get-block", "a.car", &other, "out"]).exits(4).says("not there");
    let mut piped = room.command(["car", "get-block", "-", &other, "out"]);
    piped.stdin(Stdio::from(fs::File::open(room.path("a.car")).unwrap()));
    Ran::of(&mut piped).exits(4);
    assert_eq!(common::names(&room.path("")), ["a.car"]);
}

/// Sections that are short and many are looked through by several threads, a window each.
#[test]
fn among_many_short_ones() {
    let room = Room::new();
    let blocks = leaves(6000, 1000);
    let long = &leaves(1, 2 << 20)[0];
    let (front, back) = blocks.split_at(3000);
    let car = front.iter().fold(Car::new(&[*long.cid()]), |car, block| car.block(block));
    let car = back.iter().fold(car.block(long), |car, block| car.block(block));
    room.write("a.car", car.bytes());
    room.write("v2.car", car.v2(3, None));
    let found = |file: &str, block: &carpool_core::Block| {
        room.run(["car", "get-block", file, &block.cid().to_string(), "out"]).exits(0);
        assert!(fs::read(room.path("out")).unwrap() == block.data()[..], "{file}");
    };
    for block in blocks.iter().step_by(997).chain([long, &blocks[2999], &blocks[3000]]) {
        found("a.car", block);
        found("v2.car", block);
    }
    let absent = leaves(1, 999)[0].cid().to_string();
    room.run(["car", "get-block", "a.car", &absent, "out"]).exits(4).says("not there");
    let bytes = car.bytes();
    room.write("cut.car", &bytes[..bytes.len() - 1]);
    found("cut.car", &blocks[5998]);
    room.run(["car", "get-block", "cut.car", &absent, "out"]).exits(3).says("ends");
}

#[test]
fn damaged_ones_among_many_are_passed_over() {
    let room = Room::new();
    let blocks = leaves(3000, 1000);
    let wanted = &leaves(1, 998)[0];
    let half = |car: Car| blocks.iter().fold(car, |car, block| car.block(block));
    let car = half(half(Car::new(&[*wanted.cid()])).section(wanted.cid(), b"other"));
    room.write("a.car", car.bytes());
    let cid = wanted.cid().to_string();
    room.run(["car", "get-block", "a.car", &cid, "out"]).exits(3).says("damaged");
    room.write("a.car", half(car.block(wanted)).bytes());
    room.run(["car", "get-block", "a.car", &cid, "out"]).exits(0);
    assert!(fs::read(room.path("out")).unwrap() == wanted.data()[..]);
}
