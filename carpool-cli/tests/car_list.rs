//! `car list`: go-car's lines, and nothing after a damaged block.

mod common;
use common::{
    Room,
    car::{Car, leaves},
    dag,
    golden::{go_car, text},
};
use std::{fs, process::Stdio};

#[test]
fn lines_are_those_of_go_car() {
    let room = Room::new();
    for (name, flag, golden) in [
        ("mixed.car", "", "mixed.list.txt"),
        ("odd.car", "", "odd.list.txt"),
        ("odd.car", "-v", "odd.listv.txt"),
        ("noroot.car", "-v", "noroot.listv.txt"),
    ] {
        let Some(car) = go_car(name) else { return };
        let mut args = vec!["car".into(), "list".into(), car.into_os_string()];
        args.extend((!flag.is_empty()).then(|| flag.into()));
        assert_eq!(room.run(args).exits(0).out, text(golden), "{golden}");
    }
}

#[test]
fn the_list_ends_at_the_first_damaged_block() {
    let room = Room::new();
    let blocks = leaves(3, 100);
    let car = Car::of(&blocks[..1]).section(blocks[1].cid(), b"other").block(&blocks[2]);
    room.write("a.car", car.bytes());
    let ran = room.run(["car", "l", "a.car"]).exits(3);
    assert_eq!(ran.out, format!("{}\n", blocks[0].cid()));
    let at = car.sections[1].1.to_string();
    let ran = ran.says(&at);
    assert!(ran.err.contains(&blocks[1].cid().to_string()), "{}", ran.err);
    assert_eq!(room.run(["car", "ls", "--trust", "a.car"]).exits(0).out.lines().count(), 3);
}

#[test]
fn a_pipe_of_a_carv2_with_places_as_json() {
    let room = Room::new();
    let car = Car::of(&leaves(2, 10));
    let path = room.write("a.car", car.v2(7, Some(&car.index())));
    let mut command = room.command(["--json", "car", "list", "-"]);
    command.stdin(Stdio::from(fs::File::open(path).unwrap()));
    let all = common::Ran::of(&mut command).exits(0).objects();
    for (object, (cid, offset, data_offset)) in all.iter().zip(&car.sections) {
        assert_eq!(object["cid"], cid.to_string());
        assert_eq!(object["offset"], offset + 58);
        assert_eq!(object["data_offset"], data_offset + 58);
    }
    assert_eq!(all.len(), 2);
}

#[test]
fn paths_below_the_roots() {
    let room = Room::new();
    let file = dag::file("hello");
    let inner = dag::folder(&[(b"b.txt", *file.cid())]);
    let outer = dag::folder(&[(b"a", *inner.cid()), (b"c", *file.cid())]);
    room.write("a.car", Car::of(&[outer, inner.clone(), file.clone()]).bytes());
    let out = room.run(["car", "list", "--unixfs", "a.car"]).exits(0).out;
    assert_eq!(out, "a\na/b.txt\nc\n");
    let out = room.run(["car", "list", "a.car", "out.txt", "--unixfs-blocks"]).exits(0).out;
    assert_eq!(out, "");
    let list = fs::read_to_string(room.path("out.txt")).unwrap();
    assert!(list.starts_with(&format!("{} a\n{} a/b.txt\n", inner.cid(), file.cid())), "{list}");
}

#[test]
fn the_input_is_no_output() {
    let room = Room::new();
    let car = Car::of(&leaves(1, 10)).bytes();
    room.write("a.car", &car);
    room.run(["car", "list", "a.car", "a.car"]).exits(5);
    assert_eq!(fs::read(room.path("a.car")).unwrap(), car);
}
