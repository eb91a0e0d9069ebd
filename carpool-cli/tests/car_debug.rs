//! `carpool car debug` and `compile`: a CAR as text, and back.

mod common;
use carpool_core::{Block, Cid, cbor, codec};
use common::{
    Room,
    car::{Car, leaves},
};
use std::{fs, path::PathBuf};

fn fixtures() -> Option<PathBuf> {
    let folder = std::env::var_os("CARPOOL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let folder = folder.join("go-car");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no fixtures");
    None
}

fn text(data: &str) -> Block {
    Block::new(codec::RAW, data.to_owned().into())
}

/// A DAG-CBOR list of links.
fn list(links: &[Cid]) -> Block {
    let mut data = Vec::new();
    cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
    links.iter().for_each(|link| cbor::write_link(&mut data, link));
    Block::new(codec::DAG_CBOR, data.into())
}

/// A root above a node above a leaf with this text.
fn chain(data: &str) -> Car {
    let leaf = text(data);
    let node = list(&[*leaf.cid()]);
    Car::of(&[list(&[*node.cid(), *leaf.cid()]), node, leaf])
}

fn read(room: &Room, name: &str) -> Vec<u8> {
    fs::read(room.path(name)).expect("a file")
}

#[test]
fn the_text_is_that_of_go_car_and_makes_the_same_car() {
    let Some(folder) = fixtures() else { return };
    let room = Room::new();
    for name in ["odd", "noroot"] {
        let car = fs::read(folder.join(format!("{name}.car"))).expect("a CAR");
        room.write(format!("{name}.car"), &car);
        let printed = room.run(["car", "debug", &format!("{name}.car")]).exits(0).out;
        let golden = fs::read_to_string(folder.join(format!("{name}.debug.txt"))).expect("a text");
        assert!(printed == golden, "{name}: another text");
        room.write("text", printed);
        room.run(["car", "compile", "text", "-o", "again.car"]).exits(0);
        assert!(read(&room, "again.car") == car, "{name}: another CAR");
    }
}

#[test]
fn an_edited_block_gets_a_new_cid_and_so_does_all_above_it() {
    let room = Room::new();
    room.write("old.car", chain("draft").bytes());
    let printed = room.run(["car", "debug", "old.car"]).exits(0).out;
    room.write("text", printed.replace("draft", "final"));
    let told = room.run(["--json", "car", "compile", "text", "-o", "new.car"]).exits(0).object();
    assert_eq!(told["renamed"].as_array().map(Vec::len), Some(3));
    assert!(read(&room, "new.car") == chain("final").bytes(), "not what edits come to");
    room.run(["car", "compile", "--version", "2", "text", "-o", "new2.car"]).exits(0);
    let new = chain("final");
    assert!(read(&room, "new2.car") == new.v2(0, Some(&new.index())), "another CARv2");
}

#[test]
fn texts_come_and_go_through_pipes() {
    let room = Room::new();
    let car = chain("piped");
    let v2 = car.v2(0, Some(&car.index()));
    let piped = |args: &[&str], name: &str| {
        let file = fs::File::open(room.path(name)).expect("a file");
        let ran = room.command(args).stdin(file).output().expect("the program runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    };
    room.write("a.car", &v2);
    room.write("text", piped(&["car", "debug"], "a.car"));
    assert!(piped(&["car", "compile", "-"], "text") == v2, "another CAR");
}

#[test]
fn two_blocks_that_name_each_other_are_an_error() {
    let room = Room::new();
    let (a, b) = (list(&[]), text("b"));
    let entry = |name: &Cid, link: &Cid| {
        format!("--- {name}\n+++ dag-json {name}\n@@ -0,1 +0,1 @@\n[{{\"/\": \"{link}\"}}]\n\n")
    };
    let b = Cid::new_v1(codec::DAG_CBOR, *b.cid().hash());
    let both = format!("car compile x\n{}{}", entry(a.cid(), &b), entry(&b, a.cid()));
    room.write("text", both);
    room.run(["car", "compile", "text", "-o", "out.car"]).exits(3).says("circle");
    room.write("text", format!("car compile x\n{}", entry(a.cid(), a.cid())));
    room.run(["car", "compile", "text", "-o", "out.car"]).exits(3).says("circle");
    assert!(!room.path("out.car").exists());
}

#[test]
fn one_name_for_two_contents_is_an_error() {
    let room = Room::new();
    let block = text("twice");
    let car = Car::of(&[block.clone(), block]);
    room.write("a.car", car.bytes());
    let printed = room.run(["car", "debug", "a.car"]).exits(0).out;
    room.write("text", &printed);
    room.run(["car", "compile", "text", "-o", "b.car"]).exits(0);
    assert!(read(&room, "b.car") == car.bytes(), "duplicates are kept");
    room.write("text", printed.replacen("\ntwice", "\nonce", 1));
    room.run(["car", "compile", "text", "-o", "c.car"]).exits(3).says("different contents");
}

#[test]
fn of_a_damaged_car_what_is_good_is_printed() {
    let room = Room::new();
    let blocks = leaves(2, 40);
    let car = Car::of(&blocks).section(blocks[0].cid(), b"another");
    room.write("a.car", car.bytes());
    let ran = room.run(["car", "debug", "a.car"]).exits(3).says("section at byte");
    assert_eq!(ran.out.matches("\n--- ").count(), 2);
    room.run(["car", "debug", "a.car", "-o", "text"]).exits(3);
    assert!(!room.path("text").exists(), "half a text looks whole");
    room.run(["car", "debug", "--trust", "a.car"]).exits(0);
    room.write("cut.car", &car.bytes()[..car.bytes().len() - 3]);
    room.run(["car", "debug", "cut.car"]).exits(3);
}

#[test]
fn texts_that_are_none() {
    let room = Room::new();
    let cid = *text("x").cid();
    let table = [
        String::new(),
        "no text\n".to_owned(),
        "car compile x\nroot nonsense\n".to_owned(),
        "car compile x\n--- nonsense\n".to_owned(),
        format!("car compile x\n--- {cid}\n+++ raw bafkqaaa\n@@\nx\n"),
        format!("car compile x\n--- {cid}\n+++ other {cid}\n@@\nx\n"),
        format!("car compile x\n--- {cid}\n+++ raw {cid}\nx\n"),
        format!("car compile x\n--- {cid}\n+++ hex {cid}\n@@\nx\n"),
        format!("car compile x\n--- {cid}\n+++ dag-json {cid}\n@@\n{{\"a\":1}}\n"),
        format!("car compile x\n--- {cid}\n+++ dag-json {cid}\n@@\n[\n"),
    ];
    for text in table {
        room.write("text", &text);
        room.run(["car", "compile", "text", "-o", "out.car"]).exits(3).says("line");
    }
    assert!(!room.path("out.car").exists());
}

#[test]
fn the_output_is_not_the_input() {
    let room = Room::new();
    room.write("a.car", chain("x").bytes());
    room.run(["car", "debug", "a.car", "-o", "a.car"]).exits(5);
    let printed = room.run(["car", "debug", "a.car"]).exits(0).out;
    room.write("text", printed);
    room.run(["car", "compile", "text", "-o", "text"]).exits(5);
}
