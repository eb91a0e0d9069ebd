//! Exit code 1: input or output failed, or files were left out.

mod common;
use common::{Ran, Room, noise};
use std::{fs::File, os::unix::net::UnixListener, process::Command};

#[test]
fn files_that_are_not_there() {
    let room = Room::new();
    room.write("a", "alpha");
    let added = room.run(["add", "-Q", "missing", "a"]).exits(1).says("missing: skipped");
    assert_eq!(added.out.lines().count(), 1, "the other one is added");
    room.run(["import", "missing.car"]).exits(1).says("missing.car");
    room.run(["sync", "missing", "http://127.0.0.1:1"]).exits(1).says("missing");
    let root = room.add("a");
    room.run(["get", &root, "-o", "no/such/folder/a"]).exits(1).says("no/such/folder/a");
    room.run(["export", &root, "-o", "no/a.car"]).exits(1).says("no/a.car");
    room.run(["get", &format!("{root}/below")]).exits(1).says("below");
}

#[test]
fn nobody_listens() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.add("a");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    room.run(["push", &root, &url]).exits(1).says("no connection");
    room.run(["sync", "a", &url]).exits(1).says("no connection");
    room.run(["pull", &format!("{url}#name")]).exits(1).says("no connection");
}

#[test]
fn special_files_are_reported_and_the_rest_is_taken() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let plain = room.add("tree");
    let made = Command::new("mkfifo").arg(room.path("tree/fifo")).status().expect("mkfifo runs");
    assert!(made.success());
    let _socket = UnixListener::bind(room.path("tree/socket")).expect("a socket");
    let ran = room.run(["add", "-Q", "tree"]).exits(1).says("tree/fifo: skipped");
    assert_eq!(ran.says("tree/socket: skipped").out.trim(), plain);
    let server = room.serve("far", &[]);
    let ran = room.run(["--json", "sync", "tree", &server.url]).exits(1).says("fifo: skipped");
    assert_eq!(ran.object()["root"], plain, "the rest has arrived");
}

#[test]
fn a_file_that_cannot_be_read() {
    // Root may read everything, but nobody may read this.
    let unreadable = "/proc/self/mem";
    if File::open(unreadable).is_err() {
        println!("skipped: no {unreadable}");
        return;
    }
    let room = Room::new();
    room.write("tree/a", "alpha");
    let plain = room.add("tree");
    std::os::unix::fs::symlink(unreadable, room.path("tree/link")).expect("a link is made");
    let ran = room.run(["add", "-Q", "--dereference-symlinks", "tree"]).exits(1);
    assert_eq!(ran.says("tree/link: skipped").out.trim(), plain);
}

#[test]
fn standard_output_that_takes_nothing() {
    let room = Room::new();
    room.write("a", noise(1, 100_000));
    let root = room.add("a");
    let full = || File::options().write(true).open("/dev/full").expect("it is there");
    for args in [
        vec!["names", "--json"],
        vec!["get", &root, "-o", "-"],
        vec!["export", &root],
        vec!["add", "a"],
    ] {
        let mut child = room.command(&args);
        let ran = child.stdout(full()).output().expect("it runs");
        let err = String::from_utf8_lossy(&ran.stderr);
        let empty = args[0] == "names";
        assert_eq!(ran.status.code(), Some(i32::from(!empty)), "{args:?}: {err}");
        assert!(empty || err.contains("the disk is full"), "{args:?}: {err}");
    }
    let mut deaf = room.command(["add", "missing"]);
    assert_eq!(deaf.stderr(full()).status().expect("it runs").code(), Some(1));
}

#[test]
fn an_address_that_is_taken() {
    let room = Room::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    Ran::of(&mut room.command(["serve", "--listen", &address])).exits(1).says(&address);
}
