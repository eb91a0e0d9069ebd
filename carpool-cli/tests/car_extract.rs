//! `carpool car extract`: all that is there, nowhere else, and never half a file.

mod common;
use carpool_core::{Block, Bytes};
use common::{Ran, Room, car::Car, dag, names, noise};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

fn write(room: &Room, blocks: &[Block]) {
    room.write("in.car", Car::of(blocks).bytes());
}

fn extract(room: &Room, flags: &[&str]) -> Ran {
    room.run([&["car", "extract", "-f", "in.car", "-o", "out"], flags].concat())
}

#[track_caller]
fn text(room: &Room, name: &str) -> String {
    fs::read_to_string(room.path(name)).expect("a file")
}

#[test]
fn two_entries_of_one_name_are_refused_before_anything_is_written() {
    let (one, two) = (dag::file("one"), dag::file("two"));
    let link = dag::symlink("../aim");
    let below = dag::folder(&[(b"evil", *one.cid())]);
    for pair in [[&one, &two], [&link, &one], [&one, &link], [&link, &below]] {
        let room = Room::new();
        let entries = [(&b"a"[..], *pair[0].cid()), (b"a", *pair[1].cid())];
        let rest = [one.clone(), two.clone(), link.clone(), below.clone()];
        write(&room, &[&[dag::folder(&entries)][..], &rest].concat());
        extract(&room, &[]).exits(3);
        assert_eq!(names(&room.path("")), ["in.car"]);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let evil = dag::file("evil");
    let names_: [&[u8]; 7] = [b"..", b".", b"", b"a/b", b"/etc/evil", b"../evil", b"a\0b"];
    for name in names_ {
        let room = Room::new();
        write(&room, &[dag::folder(&[(name, *evil.cid())]), evil.clone()]);
        extract(&room, &[]).exits(3);
        assert_eq!(names(&room.path("")), ["in.car"]);
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_is_there_is_not_followed() {
    let room = Room::new();
    let (file, below) = (dag::file("new"), dag::folder(&[(b"f", *dag::file("new").cid())]));
    write(&room, &[dag::folder(&[(b"a", *below.cid())]), below.clone(), file]);
    fs::create_dir(room.path("aim")).expect("a folder is made");
    fs::create_dir(room.path("out")).expect("a folder is made");
    std::os::unix::fs::symlink("../aim", room.path("out/a")).expect("a link is made");
    for flags in [&[][..], &["--force"], &["--continue"]] {
        extract(&room, flags).exits(5);
        assert!(names(&room.path("aim")).is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_file_replaces_a_link_only_by_force_and_never_what_it_leads_to() {
    let room = Room::new();
    write(&room, &[dag::folder(&[(b"a", *dag::file("new").cid())]), dag::file("new")]);
    room.write("aim", "old");
    fs::create_dir(room.path("out")).expect("a folder is made");
    std::os::unix::fs::symlink("../aim", room.path("out/a")).expect("a link is made");
    extract(&room, &[]).exits(5);
    extract(&room, &["--force"]).exits(0);
    assert_eq!((text(&room, "aim"), text(&room, "out/a")), ("old".into(), "new".into()));
}

#[test]
fn deep_folders_are_quick_and_have_a_limit() {
    let room = Room::new();
    let mut blocks = vec![dag::folder(&[])];
    for _ in 0..3000 {
        let below = *blocks.last().expect("there is one").cid();
        blocks.push(dag::folder(&[(b"d", below)]));
    }
    blocks.reverse();
    write(&room, &blocks);
    extract(&room, &["--max-depth", "2999"]).exits(5).says("--max-depth");
    assert_eq!(names(&room.path("")), ["in.car"]);
    extract(&room, &["--max-depth", "3000"]).exits(0);
    let swept = Command::new("rm").arg("-r").arg(room.path("out")).status();
    assert!(swept.expect("rm runs").success());
}

#[test]
fn a_dag_of_ten_million_paths_is_refused_at_once() {
    let room = Room::new();
    let mut blocks = vec![dag::file("x")];
    let digits: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for _ in 0..7 {
        let below = *blocks.last().expect("there is one").cid();
        let entries: Vec<(&[u8], _)> = digits.iter().map(|d| (d.as_bytes(), below)).collect();
        blocks.push(dag::folder(&entries));
    }
    blocks.reverse();
    write(&room, &blocks);
    extract(&room, &[]).exits(5).says("11111111").says("--max-paths");
    assert_eq!(names(&room.path("")), ["in.car"]);
}

#[test]
fn paths_and_bytes_have_limits() {
    let room = Room::new();
    let (one, two) = (dag::file("one"), dag::file("more"));
    let folder = dag::folder(&[(b"a", *one.cid()), (b"b", *two.cid())]);
    write(&room, &[folder, one, two]);
    extract(&room, &["--max-paths", "2"]).exits(5).says("--max-paths");
    extract(&room, &["--max-bytes", "6"]).exits(5).says("--max-bytes");
    extract(&room, &["--max-paths", "3", "--max-bytes", "7"]).exits(0);
}

#[test]
fn bytes_that_are_not_the_blocks_are_never_a_file() {
    let room = Room::new();
    let good = dag::file("good");
    let folder = dag::folder(&[(b"a", *good.cid())]);
    let car = Car::new(&[*folder.cid()]).block(&folder).section(good.cid(), b"evil");
    room.write("in.car", car.bytes());
    extract(&room, &[]).exits(3);
    assert!(names(&room.path("out")).is_empty());
}

#[test]
fn a_good_copy_behind_a_bad_one_is_found() {
    let room = Room::new();
    let good = dag::file("good");
    let folder = dag::folder(&[(b"a", *good.cid())]);
    let car = Car::new(&[*folder.cid()]).section(good.cid(), b"evil").block(&folder).block(&good);
    room.write("in.car", car.bytes());
    extract(&room, &[]).exits(0);
    assert_eq!(text(&room, "out/a"), "good");
}

#[test]
fn what_is_missing_is_named_and_the_rest_is_written() {
    let room = Room::new();
    let (here, gone) = (dag::file("here"), dag::file("gone"));
    let folder = dag::folder(&[(b"a", *gone.cid()), (b"b", *here.cid())]);
    write(&room, &[folder, here]);
    extract(&room, &[]).exits(4).says("out/a").says(&gone.cid().to_string());
    assert_eq!(names(&room.path("out")), ["b"]);
}

#[test]
fn an_extraction_goes_on() {
    let room = Room::new();
    let (one, two) = (dag::file("one"), dag::file("two"));
    let folder = dag::folder(&[(b"a", *one.cid()), (b"b", *two.cid())]);
    write(&room, &[folder, one, two]);
    room.write("out/a", "one");
    extract(&room, &[]).exits(5).says("--continue");
    let done = room.run(["--json", "car", "x", "-f", "in.car", "-o", "out", "--continue"]);
    let done = done.exits(0).object();
    assert_eq!((done["kept"].as_u64(), done["files"].as_u64()), (Some(1), Some(1)));
    room.write("out/a", "on");
    extract(&room, &["--continue"]).exits(5).says("other bytes");
    extract(&room, &["--force"]).exits(0);
    assert_eq!(text(&room, "out/a"), "one");
}

#[test]
fn a_root_that_is_a_file_has_its_cid_for_a_name() {
    let room = Room::new();
    let file = dag::file("bytes");
    write(&room, std::slice::from_ref(&file));
    extract(&room, &[]).exits(0);
    assert_eq!(text(&room, &format!("out/{}", file.cid())), "bytes");
    let printed = room.run(["car", "extract", "-f", "in.car", "-o", "-"]).exits(0);
    assert_eq!(printed.out, "bytes");
}

#[test]
fn paths_inside_are_taken_alone() {
    let room = Room::new();
    room.write("d/x/y/f", "f");
    room.write("d/g", "g");
    room.run(["car", "create", "--no-wrap", "-f", "in.car", "d"]).exits(0);
    room.run(["car", "extract", "in.car", "x/y/f", "-o", "out"]).exits(0);
    assert_eq!(
        (text(&room, "out/x/y/f"), names(&room.path("out"))),
        ("f".into(), vec!["x".into()])
    );
    let printed = room.run(["car", "extract", "-f", "in.car", "-o", "-", "g"]).exits(0);
    assert_eq!(printed.out, "g");
    extract(&room, &["nowhere"]).exits(1).says("nowhere");
    room.run(["car", "extract", "-f", "in.car", "-o", "-", "x"]).exits(2);
}

#[test]
fn standard_input_is_as_good_as_a_file() {
    let room = Room::new();
    room.write("d/f", noise(3, 600_000));
    room.run(["car", "create", "-f", "in.car", "d"]).exits(0);
    let car: Bytes = fs::read(room.path("in.car")).expect("readable").into();
    let mut command = room.command(["car", "extract", "-f", "-", "-o", "out"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(&car).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    common::assert_same(&room.path("d"), &room.path("out/d"));
}

#[test]
fn a_file_that_is_cut_fails() {
    let room = Room::new();
    let file = dag::file("bytes");
    let car = Car::of(&[dag::folder(&[(b"a", *file.cid())]), file]).bytes();
    room.write("in.car", &car[..car.len() - 1]);
    extract(&room, &[]).exits(3);
}
