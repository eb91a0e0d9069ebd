//! `carpool diff --stat` says what sending the second to who holds the first would take, by encoding it.

mod common;
use common::{Room, noise};
use serde_json::Value;

fn bytes(stat: &Value, encoding: &str) -> u64 {
    let all = stat["encodings"].as_array().expect("a list");
    let one = all.iter().find(|one| one["encoding"] == encoding).expect("it is there");
    one["bytes"].as_u64().expect("a number")
}

fn stat(room: &Room, a: &str, b: &str) -> Value {
    room.run(["--json", "diff", "--stat", a, b]).exits(0).objects().pop().expect("the last")
}

#[test]
fn an_insertion_is_cheap_as_a_delta_alone() {
    let room = Room::new();
    room.write("tree/a", noise(1, 3_000_000));
    room.write("tree/b", "beta");
    let a = room.add("tree");
    room.write("tree/a", [b"inserted".to_vec(), noise(1, 3_000_000)].concat());
    let b = room.add("tree");
    let stat = stat(&room, &a, &b);
    let (plain, zstd, delta) = (bytes(&stat, "plain"), bytes(&stat, "zstd"), bytes(&stat, "delta"));
    assert!(plain > 3_000_000 && zstd > 2_900_000 && delta < 2_000, "{stat}");
    assert!(stat["delta_blocks"]["copies"].as_u64() > Some(0), "{stat}");
    assert_eq!(stat["only_b"]["blocks"], 5);
    assert!(stat["shared"].as_f64() < Some(0.01), "{stat}");
}

#[test]
fn text_is_cheaper_in_a_stream() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let a = room.add("tree");
    room.write("tree/b", "the same words again and again, ".repeat(50_000));
    let b = room.add("tree");
    let stat = stat(&room, &a, &b);
    let (plain, zstd, delta) = (bytes(&stat, "plain"), bytes(&stat, "zstd"), bytes(&stat, "delta"));
    assert!(plain > 1_600_000 && zstd < 5_000 && delta < 5_000, "{stat}");
    let text = room.run(["diff", "--stat", &a, &b]).exits(0).out;
    assert!(text.contains("one zstd stream") && text.contains("blocks as they are"), "{text}");
}

/// What is said of plain blocks is what a CAR takes.
#[test]
fn plain_is_the_length_of_a_car() {
    let room = Room::new();
    room.write("empty/nothing", "");
    room.write("tree/a", noise(1, 2_000_000));
    let (a, b) = (room.add("empty"), room.add("tree"));
    room.run(["export", &b, "-o", "b.car"]).exits(0);
    let len = std::fs::metadata(room.path("b.car")).expect("it is there").len();
    assert_eq!(bytes(&stat(&room, &a, &b), "plain"), len);
}

#[test]
fn the_same_costs_nothing() {
    let room = Room::new();
    room.write("tree/a", noise(1, 2_000_000));
    let a = room.add("tree");
    let stat = stat(&room, &a, &a);
    assert!(bytes(&stat, "plain") < 100 && bytes(&stat, "delta") < 100, "{stat}");
    assert_eq!((&stat["same"], &stat["shared"]), (&true.into(), &1.0.into()));
}
