//! Nothing outside a folder that is received is written or removed, whatever the root and whatever
//! lies in the folder.

mod common;
use carpool_core::Block;
use common::{Room, dag, names};
use std::{fs, os::unix::fs::symlink};

/// A server with a name that points to the first of these blocks.
fn served(room: &Room, blocks: &[Block]) -> common::Served {
    let root = dag::write_car(&room.path("evil.car"), blocks);
    room.run(["--store", "far", "import", "evil.car"]).exits(0);
    let server = room.serve("far", &[]);
    let name = format!("{}/api/v0/names/evil", server.url);
    let body = format!("{{\"root\":\"{root}\",\"expected\":null}}");
    put(&name, &body);
    server
}

fn put(url: &str, body: &str) {
    use std::io::{Read, Write};
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = std::net::TcpStream::connect(host).expect("it listens");
    let head = format!(
        "PUT /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it takes it");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    assert!(said.starts_with("HTTP/1.1 20"), "{said}");
}

fn receive(room: &Room, server: &common::Served, flags: &[&str]) -> common::Ran {
    let url = format!("{}#evil", server.url);
    room.run(["sync", &url, "in"].iter().chain(flags))
}

#[test]
fn names_that_lead_elsewhere() {
    let evil = dag::file("evil");
    let names_of: [&[u8]; 6] = [b"..", b".", b"a/b", b"/etc/evil", b"../evil", b"a\0b"];
    for name in names_of {
        let room = Room::new();
        let folder = dag::folder(&[(name, *evil.cid())]);
        let server = served(&room, &[folder, evil.clone()]);
        receive(&room, &server, &["--force", "--delete"]).exits(3);
        assert!(names(&room.path("in")).is_empty());
    }
}

#[test]
fn two_entries_of_one_name() {
    let room = Room::new();
    let (link, evil) = (dag::symlink("../aim"), dag::file("evil"));
    let inner = dag::folder(&[(b"evil", *evil.cid())]);
    fs::create_dir(room.path("aim")).expect("a folder");
    let folder = dag::folder(&[(b"x", *link.cid()), (b"x", *inner.cid())]);
    let server = served(&room, &[folder, link, inner, evil]);
    receive(&room, &server, &["--force", "--delete"]).exits(3);
    assert!(names(&room.path("aim")).is_empty() && names(&room.path("in")).is_empty());
}

/// Links that lie there are never gone through.
#[test]
fn a_link_in_the_way_of_a_folder_and_of_a_file() {
    let room = Room::new();
    let evil = dag::file("evil");
    let inner = dag::folder(&[(b"evil", *evil.cid())]);
    let folder = dag::folder(&[(b"file", *evil.cid()), (b"folder", *inner.cid())]);
    let server = served(&room, &[folder, inner, evil]);
    room.write("aim/evil", "precious");
    fs::create_dir(room.path("in")).expect("a folder");
    symlink("../aim", room.path("in/folder")).expect("a link");
    symlink("../aim/evil", room.path("in/file")).expect("a link");
    let ran = receive(&room, &server, &[]).exits(5);
    ran.says("in/folder: is here, and another").says("in/file: is here, and another");
    receive(&room, &server, &["--force"]).exits(0);
    assert_eq!(fs::read(room.path("aim/evil")).expect("it is there"), b"precious");
    assert_eq!(fs::read(room.path("in/folder/evil")).expect("it came"), b"evil");
    assert!(fs::symlink_metadata(room.path("in/file")).expect("it came").is_file());
}

/// What leads out comes as a link, and is not followed by what comes later.
#[test]
fn a_link_that_leads_out_and_a_folder_that_takes_its_place() {
    let room = Room::new();
    let (link, evil) = (dag::symlink("../aim"), dag::file("evil"));
    let inner = dag::folder(&[(b"evil", *evil.cid())]);
    let first = dag::folder(&[(b"x", *link.cid())]);
    let second = dag::folder(&[(b"x", *inner.cid())]);
    room.write("aim/precious", "precious");
    let server = served(&room, &[first.clone(), link]);
    receive(&room, &server, &[]).exits(0);
    let root = dag::write_car(&room.path("evil.car"), &[second, inner, evil]);
    room.run(["--store", "far", "import", "evil.car"]).exits(0);
    let name = format!("{}/api/v0/names/evil", server.url);
    put(&name, &format!("{{\"root\":\"{root}\",\"expected\":\"{}\"}}", first.cid()));
    receive(&room, &server, &[]).exits(0);
    assert_eq!(names(&room.path("aim")), ["precious"]);
    assert_eq!(fs::read(room.path("in/x/evil")).expect("it came"), b"evil");
}

#[test]
fn what_is_no_folder() {
    let room = Room::new();
    let server = served(&room, &[dag::file("just a file")]);
    receive(&room, &server, &[]).exits(1).says("is a file and no folder");
    room.write("in-the-way", "a file");
    let url = format!("{}#evil", server.url);
    room.run(["sync", &url, "in-the-way"]).exits(5).says("in-the-way is no folder");
    room.run(["sync", &format!("{}#none", server.url), "in"]).exits(1).says("no name \"none\"");
    room.run(["sync", &server.url, "in"]).exits(2).says("#NAME");
}

/// Something that is neither a file nor a folder nor a link is not replaced.
#[test]
fn a_pipe_in_the_way() {
    let room = Room::new();
    let evil = dag::file("evil");
    let server = served(&room, &[dag::folder(&[(b"pipe", *evil.cid())]), evil]);
    fs::create_dir(room.path("in")).expect("a folder");
    let made = std::process::Command::new("mkfifo").arg(room.path("in/pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    receive(&room, &server, &["--force"]).exits(4).says("in/pipe changed while it was synced");
    assert_eq!(names(&room.path("in")), ["pipe"]);
}
