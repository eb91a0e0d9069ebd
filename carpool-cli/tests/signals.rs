//! Interrupts: what is done is kept, half results go, and servers say goodbye.

mod common;
use common::{Room, assert_same, names, noise, wait_until};
use std::{fs, net::TcpStream};

/// Interrupts a run once `begun` holds; `None` when it had ended before.
fn interrupted(room: &Room, args: &[&str], begun: impl FnMut() -> bool) -> Option<common::Ran> {
    let running = room.start(args);
    wait_until("work to begin", begun);
    running.signal("INT");
    let ran = running.ended();
    if ran.code == Some(0) {
        println!("{args:?} ended before the signal");
        return None;
    }
    Some(ran.exits(4).says("interrupted"))
}

#[test]
fn an_add_that_was_interrupted_goes_on() {
    let room = Room::new();
    for n in 0..30 {
        room.write(format!("tree/{n}"), noise(n, 3 << 20));
    }
    let segment = room.path("store/blocks/00000001.car");
    let begun = || fs::metadata(&segment).is_ok_and(|found| found.len() > 8 << 20);
    interrupted(&room, &["add", "tree"], begun);
    let held = fs::metadata(&segment).expect("it is there").len();
    assert!(held > 8 << 20);
    let root = room.run(["--json", "add", "tree"]).exits(0).says("").object();
    let root = root["root"].as_str().expect("a root").to_owned();
    room.run(["repair"]).exits(0);
    room.run(["get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    let grown = fs::metadata(&segment).expect("it is there").len();
    assert!(grown < 93 << 20, "what was there is not written again: {grown}");
}

#[test]
fn get_export_and_demo_leave_nothing_behind() {
    let room = Room::new();
    for n in 0..20 {
        room.write(format!("tree/{n}"), noise(n, 2 << 20));
    }
    let root = room.add("tree");
    let tmp = room.path("tmp");
    fs::create_dir(&tmp).expect("a folder is made");
    let entries = || names(&room.path("")).len();
    for args in [&["get", &root, "-o", "out"][..], &["export", &root, "-o", "out.car"]] {
        interrupted(&room, args, || entries() > 3);
        let left = names(&room.path(""));
        assert!(left.iter().all(|name| !name.starts_with('.')), "{args:?}: {left:?}");
        if room.path("out").exists() {
            assert_same(&room.path("tree"), &room.path("out"));
        }
        let _ = (fs::remove_dir_all(room.path("out")), fs::remove_file(room.path("out.car")));
    }
    let mut demo = room.command(["demo", "tree"]);
    demo.env("TMPDIR", &tmp).stdout(std::process::Stdio::null());
    let demo = demo.stderr(std::process::Stdio::null()).spawn().expect("it starts");
    let demo = common::Running::from(demo);
    wait_until("the demo to begin", || !names(&tmp).is_empty());
    demo.signal("INT");
    demo.ended().exits(4);
    assert!(names(&tmp).is_empty(), "{:?}", names(&tmp));
}

#[test]
fn a_pull_that_was_interrupted_goes_on() {
    let room = Room::new();
    for n in 0..30 {
        room.write(format!("tree/{n}"), noise(n, 2 << 20));
    }
    let root = room.add("tree");
    let server = room.serve("store", &[]);
    let segment = room.path("new/blocks/00000001.car");
    let begun = || fs::metadata(&segment).is_ok_and(|found| found.len() > 4 << 20);
    let args = ["--store", "new", "pull", &root, &server.url];
    let cut = interrupted(&room, &args, begun).is_some();
    let pulled = room.run(["--json", "--store", "new", "pull", &root, &server.url]);
    let pulled = pulled.exits(0).object();
    assert!(!cut || pulled["bytes_received"].as_u64() < Some(60 << 20), "{pulled}");
    room.run(["--store", "new", "get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn a_server_ends_with_success() {
    let room = Room::new();
    for signal in ["TERM", "INT"] {
        let server = room.serve("store", &[]);
        let idle = TcpStream::connect(server.url.trim_start_matches("http://"));
        server.running.signal(signal);
        server.running.ended().exits(0);
        drop(idle);
    }
}
