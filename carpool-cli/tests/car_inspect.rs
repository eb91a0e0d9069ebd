//! `car inspect`: go-car's lines.

mod common;
use common::{
    Room,
    car::{Car, leaves},
    golden::{go_car, text},
};

#[test]
fn lines_are_those_of_go_car() {
    let room = Room::new();
    for name in ["mixed", "odd.v2", "noroot", "noroot.v2", "mixed.v2"] {
        let Some(car) = go_car(&format!("{name}.car")) else { return };
        let car = car.to_str().unwrap();
        let golden = text(&format!("{name}.inspect.txt"));
        assert_eq!(room.run(["car", "inspect", car]).exits(0).out, golden, "{name}");
        assert_eq!(room.run(["car", "inspect", car, "--full"]).exits(0).out, golden, "{name}");
    }
}

#[test]
fn a_cut_in_the_last_payload_is_found_without_reading_it() {
    let room = Room::new();
    let bytes = Car::of(&leaves(2, 100_000)).bytes();
    room.write("a.car", &bytes[..bytes.len() - 1]);
    room.run(["car", "inspect", "a.car"]).exits(3).says("ends inside");
}

#[test]
fn only_full_hashes() {
    let room = Room::new();
    let block = &leaves(1, 10)[0];
    room.write("a.car", Car::new(&[*block.cid()]).section(block.cid(), b"other").bytes());
    room.run(["car", "inspect", "a.car"]).exits(0);
    room.run(["car", "inspect", "--full", "a.car"]).exits(3).says("damaged");
}
