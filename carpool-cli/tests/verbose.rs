//! What `serve` logs, and what `-v` explains.

mod common;
use common::{Ran, Room, Running, noise};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
};

/// Serves the store `far`, has `work` done with it, and returns what was logged.
fn logged(room: &Room, flags: &[&str], log: Option<&str>, work: impl FnOnce(&str)) -> String {
    let mut command = room.command(["--json", "serve", "--listen", "127.0.0.1:0"]);
    command.args(flags).env("CARPOOL_STORE", room.path("far"));
    log.map(|log| command.env("CARPOOL_LOG", log));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    out.read_line(&mut line).expect("it says where it listens");
    let said: Value = serde_json::from_str(&line).expect("it is JSON");
    let server = Running::from(child);
    work(said["listening"].as_str().expect("a URL"));
    server.signal("TERM");
    server.ended().exits(0).err
}

/// A room with a tree in its store, and the root.
fn room() -> (Room, String) {
    let room = Room::new();
    room.write("tree/a", noise(1, 600_000));
    room.write("tree/b", "beta");
    let root = room.add("tree");
    (room, root)
}

#[test]
fn a_server_logs_an_object_for_each_request() {
    let (room, root) = room();
    let log = logged(&room, &["--log-format", "json"], None, |url| {
        room.run(["sync", "tree", url]).exits(0);
        room.run(["--store", "new", "pull", &root, url]).exits(0);
    });
    let lines = Ran { code: None, out: log, err: String::new() }.objects();
    let of = |route: &str| lines.iter().filter(|line| line["route"] == route).count();
    assert_eq!((of("/api/v0/names/{name}"), of("/api/v0/dag/pull")), (2, 1), "{lines:?}");
    assert!(of("/api/v0/dag/push") >= 1, "{lines:?}");
    for line in &lines {
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"request".into()));
        for field in ["timestamp", "method", "status", "bytes_in", "bytes_out", "seconds", "peer"] {
            assert!(line.get(field).is_some(), "no {field} in {line}");
        }
    }
    let pull = lines.last().expect("a line");
    assert_eq!((&pull["complete"], &pull["root"]), (&true.into(), &root.as_str().into()));
}

#[test]
fn a_server_logs_lines_for_people_unless_told_otherwise() {
    let (room, root) = room();
    let push = |url: &str| drop(room.run(["push", &root, url]).exits(5));
    let log = logged(&room, &["--read-only"], None, push);
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in ["INFO", "status=403", "complete=false", "reason=\"this server is read-only\""] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert_eq!(logged(&room, &["--read-only"], Some("warn"), push), "");
}

/// The head and the body of the answer to `GET /metrics`.
fn metrics(url: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn metrics_are_there_unless_they_are_left_out() {
    let room = Room::new();
    let served = metrics(&room.serve("far", &[]).url);
    assert!(served.starts_with("HTTP/1.1 200 "), "{served}");
    assert!(served.contains("\ncarpool_blocks_sent_total 0\n"), "{served}");
    let left_out = metrics(&room.serve("far", &["--no-metrics"]).url);
    assert!(left_out.starts_with("HTTP/1.1 404 "), "{left_out}");
}

#[test]
fn a_transfer_explains_its_rounds() {
    let (room, root) = room();
    let server = room.serve("far", &[]);
    let pushed = room.run(["push", "-v", &root, &server.url]).exits(0);
    let lines: Vec<&str> = pushed.err.lines().collect();
    assert!(lines[0].starts_with("plan: filter ("), "{lines:?}");
    assert_eq!(lines[1], "the server speaks CAR Mirror over HTTP 0.2.0", "{lines:?}");
    assert!(lines[2].starts_with("round 1: cold call"), "{lines:?}");
    assert!(lines.last().expect("lines").ends_with("; the server has all of it"), "{lines:?}");
    let pulled = room.run(["--store", "new", "--json", "pull", "-v", &root, &server.url]).exits(0);
    let came = "round 1: asked for 1 root without a filter; ";
    assert!(pulled.err.lines().any(|line| line.starts_with(came)), "{}", pulled.err);
    assert!(pulled.err.contains(", 0 duplicates, "), "{}", pulled.err);
    assert!(pulled.err.ends_with("; nothing is missing now\n"), "{}", pulled.err);
    pulled.object();
    room.write("tree/c", noise(2, 300_000));
    let synced = room.run(["sync", "-v", "tree", &server.url]).exits(0);
    assert!(synced.err.contains("round 1: "), "{}", synced.err);
    assert!(room.run(["push", &root, &server.url]).exits(0).err.is_empty(), "only when asked");
}

#[test]
fn the_other_dialect_is_told_of() {
    let (room, root) = room();
    let server = room.serve("far", &[]);
    let pushed = room.run(["push", "-v", &root, &format!("{}/dag", server.url)]).exits(0);
    pushed.says("the server speaks the dialect of car-mirror 0.1.0").says("round 1: ");
}
