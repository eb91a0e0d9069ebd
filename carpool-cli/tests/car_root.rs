//! `car root` prints the roots of the header.

mod common;
use common::{
    Room,
    car::{Car, leaves},
};

#[test]
fn every_root_a_line() {
    let room = Room::new();
    let blocks = leaves(2, 10);
    let roots: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
    room.write("a.car", Car::new(&roots).block(&blocks[0]).bytes());
    let out = room.run(["car", "root", "a.car"]).exits(0).out;
    assert_eq!(out, format!("{}\n{}\n", roots[0], roots[1]));
}

#[test]
fn none_is_nothing() {
    let room = Room::new();
    room.write("a.car", Car::new(&[]).bytes());
    assert_eq!(room.run(["car", "root", "a.car"]).exits(0).out, "");
}
