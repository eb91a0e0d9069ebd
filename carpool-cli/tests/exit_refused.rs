//! Exit code 5: refused by policy, or because something has moved.

mod common;
use common::Room;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

#[test]
fn a_server_that_is_read_only() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let root = room.add("tree");
    let server = room.serve("store", &["--read-only"]);
    room.run(["push", &root, &server.url]).exits(5).says("read-only");
    room.run(["sync", "tree", &server.url]).exits(5).says("read-only");
    room.run(["--store", "new", "pull", &root, &server.url]).exits(0);
}

#[test]
fn a_token() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let root = room.add("tree");
    let server = room.serve("far", &["--token", "secret"]);
    room.run(["push", &root, &server.url]).exits(5).says("token");
    room.run(["push", &root, &server.url, "--token", "wrong"]).exits(5).says("token");
    room.run(["pull", &root, &server.url]).exits(0);
    room.run(["--store", "new", "pull", &root, &server.url]).exits(5).says("token");
    room.run(["sync", "tree", &server.url, "--token", "secret"]).exits(0);
    let header = ["--header", "Authorization: Bearer secret"];
    room.run(["--store", "new", "pull", &root, &server.url, header[0], header[1]]).exits(0);
    let mut by_variable = room.command(["--store", "third", "pull", &root, &server.url]);
    common::Ran::of(by_variable.env("CARPOOL_TOKEN", "secret")).exits(0);
}

/// A server that lets the name move between the look at it and its setting.
fn moving(real: &str) -> String {
    let real = real.strip_prefix("http://").expect("an http URL").to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&real) else { continue };
            std::thread::spawn(move || pass(&near, &far));
        }
    });
    url
}

/// Everybody is told that the name was never set.
fn pass(near: &TcpStream, far: &TcpStream) {
    std::thread::scope(|scope| {
        scope.spawn(|| std::io::copy(&mut { near }, &mut { far }));
        let (mut near, mut far) = (near, far);
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = far.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let hidden = text.contains("200 OK") && text.contains("\"seq\"");
            let none = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
            let bytes = if hidden { none.as_bytes() } else { &buffer[..read] };
            if near.write_all(bytes).is_err() {
                break;
            }
        }
    });
}

#[test]
fn a_name_that_has_moved_stays_as_it_is() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let server = room.serve("far", &[]);
    let first = room.run(["--json", "sync", "tree", &server.url]).exits(0).object();
    room.write("tree/a", "changed");
    room.run(["sync", "tree", &moving(&server.url)]).exits(5).says("the name has moved");
    let named = room.run(["--store", "far", "names"]).exits(0).out;
    assert_eq!(named.trim(), format!("{} tree", first["root"].as_str().expect("a root")));
}

#[test]
fn a_target_that_exists() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.add("a");
    room.write("out", "precious");
    room.run(["get", &root, "-o", "out"]).exits(5).says("out exists; --force");
    assert_eq!(std::fs::read(room.path("out")).expect("it is there"), b"precious");
    std::os::unix::fs::symlink("nowhere", room.path("link")).expect("a link is made");
    room.run(["get", &root, "-o", "link"]).exits(5);
    room.run(["get", &root, "-o", "/dev/null", "--force"]).exits(5).says("/dev/null");
}
