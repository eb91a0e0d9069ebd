//! `carpool car get-dag`: a DAG alone, parents first.

mod common;
use common::{Ran, Room, car::Car, dag};
use std::fs;

fn get(room: &Room, args: &[&str]) -> Ran {
    room.run([&["car", "get-dag", "--version", "1", "in.car"], args].concat())
}

#[test]
fn a_dag_alone_each_block_once_parents_first() {
    let room = Room::new();
    let (one, two) = (dag::file("one"), dag::file("two"));
    let below = dag::folder(&[(b"a", *one.cid()), (b"b", *one.cid())]);
    let root = dag::folder(&[(b"d", *below.cid()), (b"f", *two.cid()), (b"g", *one.cid())]);
    let blocks = [two.clone(), one.clone(), below.clone(), dag::file("other"), root.clone()];
    let car = blocks.iter().fold(Car::new(&[*root.cid()]), Car::block);
    room.write("in.car", car.bytes());
    get(&room, &["out.car"]).exits(0);
    let expected = Car::of(&[root, below.clone(), one.clone(), two]).bytes();
    assert_eq!(fs::read(room.path("out.car")).expect("an output"), expected);
    get(&room, &[&below.cid().to_string(), "out.car"]).exits(0);
    let expected = Car::of(&[below, one]).bytes();
    assert_eq!(fs::read(room.path("out.car")).expect("an output"), expected);
}

#[test]
fn missing_blocks_are_named_and_nothing_is_written_where_that_is_asked() {
    let room = Room::new();
    let (one, gone) = (dag::file("one"), dag::file("gone"));
    let root = dag::folder(&[(b"a", *gone.cid()), (b"b", *one.cid())]);
    room.write("in.car", Car::of(&[root.clone(), one.clone()]).bytes());
    get(&room, &["--strict", "out.car"]).exits(4).says(&gone.cid().to_string());
    assert_eq!(common::names(&room.path("")), ["in.car"]);
    get(&room, &["out.car"]).exits(4).says(&gone.cid().to_string());
    let expected = Car::of(&[root, one]).bytes();
    assert_eq!(fs::read(room.path("out.car")).expect("an output"), expected);
    get(&room, &[&gone.cid().to_string(), "none.car"]).exits(4);
    assert!(!room.path("none.car").exists());
}

#[test]
fn bytes_that_are_not_the_blocks_fail_it() {
    let room = Room::new();
    let one = dag::file("one");
    let root = dag::folder(&[(b"a", *one.cid())]);
    let car = Car::of(std::slice::from_ref(&root)).section(one.cid(), b"evil");
    room.write("in.car", car.bytes());
    get(&room, &["out.car"]).exits(3).says(&one.cid().to_string());
    assert!(!room.path("out.car").exists());
}

#[test]
fn which_root_has_to_be_clear_and_selectors_come_later() {
    let room = Room::new();
    let (one, two) = (dag::file("one"), dag::file("two"));
    room.write("in.car", Car::new(&[*one.cid(), *two.cid()]).block(&one).block(&two).bytes());
    get(&room, &["out.car"]).exits(2).says("2 roots");
    get(&room, &[&two.cid().to_string(), "out.car"]).exits(0);
    get(&room, &["-s", "{}", &two.cid().to_string(), "out.car"]).exits(2).says("selectors");
    get(&room, &[&two.cid().to_string(), "in.car"]).exits(5);
}
