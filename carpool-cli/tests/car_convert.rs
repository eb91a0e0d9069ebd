//! `carpool car convert`: the same sections in another version, with another index.

mod common;
use common::{
    Room,
    car::{Car, leaves},
};
use std::{fs, fs::File};

#[test]
fn there_and_back_again() {
    let room = Room::new();
    let car = Car::of(&leaves(5, 300));
    room.write("a.car", car.bytes());
    let read = |name| fs::read(room.path(name)).expect("an output");
    room.run(["car", "convert", "a.car", "b.car"]).exits(0);
    assert_eq!(read("b.car"), car.v2(0, Some(&car.index())));
    room.run(["car", "convert", "b.car", "c.car", "--codec", "none"]).exits(0);
    assert_eq!(read("c.car"), car.v2(0, None));
    room.run(["car", "convert", "b.car", "d.car", "--codec", "car-index-sorted"]).exits(0);
    let sorted = read("d.car");
    assert_eq!(sorted[51 + car.bytes().len()..][..2], [0x80, 0x08]);
    room.run(["car", "convert", "--version", "1", "d.car", "e.car"]).exits(0);
    assert_eq!(read("e.car"), car.bytes());
}

#[test]
fn padding_goes_and_a_pipe_is_as_good() {
    let room = Room::new();
    let car = Car::of(&leaves(2, 300));
    let input = File::open(room.write("a.car", car.v2(100, None))).expect("readable");
    let mut command = room.command(["car", "convert", "-", "-"]);
    let done = command.stdin(input).output().expect("it runs");
    assert!(done.status.success());
    assert_eq!(done.stdout, car.v2(0, Some(&car.index())));
}

#[test]
fn no_roots_stay_none_and_a_cut_file_fails() {
    let room = Room::new();
    let car = leaves(2, 300).iter().fold(Car::new(&[]), Car::block);
    room.write("a.car", car.bytes());
    room.run(["car", "convert", "--version", "1", "a.car", "b.car"]).exits(0);
    assert_eq!(fs::read(room.path("b.car")).expect("an output"), car.bytes());
    room.write("a.car", &car.bytes()[..400]);
    room.run(["car", "convert", "a.car", "b.car"]).exits(3);
    assert_eq!(fs::read(room.path("b.car")).expect("as it was"), car.bytes());
    room.run(["car", "convert", "--version", "1", "--codec", "car-index-sorted", "a.car", "c"])
        .exits(2);
}
