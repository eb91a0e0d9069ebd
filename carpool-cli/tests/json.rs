//! `--json`: one object a result, nothing else on standard output, and no progress bars in pipes.

mod common;
use common::{Ran, Room};
use serde_json::Value;

const TRANSFER: [&str; 11] = [
    "root",
    "rounds",
    "requests",
    "bytes_sent",
    "bytes_received",
    "blocks_sent",
    "blocks_received",
    "blocks_duplicate",
    "blocks_missing",
    "seconds",
    "plan",
];

#[track_caller]
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no {field} in {value}");
    }
}

#[track_caller]
fn quiet(ran: Ran) -> Ran {
    let ran = ran.exits(0);
    assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'), "{ran:?}");
    ran
}

#[test]
fn every_local_verb() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    room.write("tree/.b", "beta");
    let added = quiet(room.run(["--json", "add", "tree", "tree/a"])).objects();
    assert_eq!(added.len(), 2, "one a root");
    has(&added[0], &["root", "name", "bytes", "dag_bytes"]);
    assert_eq!(added[0]["hidden_skipped"], 1);
    let root = added[0]["root"].as_str().expect("a root").to_owned();
    let listed = quiet(room.run(["ls", "--json", &root])).objects();
    assert_eq!((listed.len(), &listed[0]["name"]), (1, &Value::from("a")));
    has(&listed[0], &["cid", "dag_bytes"]);
    let stat = quiet(room.run(["stat", &root, "--json"])).object();
    has(&stat, &["root", "blocks", "bytes", "blocks_missing"]);
    let got = quiet(room.run(["--json", "get", &root, "-o", "back"])).object();
    has(&got, &["root", "output", "files", "bytes"]);
    let exported = quiet(room.run(["--json", "export", &root, "-o", "x.car"])).object();
    has(&exported, &["root", "output", "blocks", "bytes"]);
    let imported = quiet(room.run(["--json", "--store", "other", "import", "x.car"])).object();
    assert_eq!(imported["root"], root.as_str());
    let repaired = quiet(room.run(["--json", "repair"])).object();
    assert_eq!(repaired["damaged"], 0);
    let rebuilt = quiet(room.run(["--json", "repair", "--rebuild"])).object();
    has(&rebuilt, &["blocks", "damaged"]);
    let shell = quiet(room.run(["--json", "completions", "bash"])).object();
    has(&shell, &["shell", "script"]);
    assert!(quiet(room.run(["--json", "names"])).objects().is_empty());
}

#[test]
fn every_transfer() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let server = room.serve("far", &[]);
    let synced = quiet(room.run(["--json", "sync", "tree", &server.url])).object();
    has(&synced, &TRANSFER);
    let root = synced["root"].as_str().expect("a root").to_owned();
    assert_eq!(synced["blocks_sent"], 2);
    let again = quiet(room.run(["--json", "sync", "tree", &server.url])).object();
    has(&again, &TRANSFER);
    assert_eq!(again["blocks_sent"], 0);
    let pushed = quiet(room.run(["--json", "push", &root, &server.url])).object();
    has(&pushed, &TRANSFER);
    let by_name = format!("{}#tree", server.url);
    let pulled = quiet(room.run(["--json", "--store", "new", "pull", &by_name])).object();
    has(&pulled, &TRANSFER);
    assert_eq!((&pulled["blocks_received"], &pulled["blocks_missing"]), (&2.into(), &0.into()));
    let names = quiet(room.run(["--json", "--store", "new", "names"])).object();
    assert_eq!((&names["name"], &names["root"]), (&"tree".into(), &root.as_str().into()));
}

#[test]
fn the_demo() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let rows = quiet(room.run(["--json", "demo", "tree"])).objects();
    assert_eq!(rows.len(), 4);
    rows.iter().for_each(|row| has(row, &["step", "root", "rounds", "bytes_sent"]));
}

#[test]
fn data_on_standard_output_leaves_no_room_for_json() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.add("a");
    room.run(["--json", "get", &root, "-o", "-"]).exits(2).says("--json");
    room.run(["--json", "export", &root]).exits(2).says("--json");
}

#[test]
fn a_transfer_that_stops_short_says_what_is_missing() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.run(["add", "-Qn", "a"]).exits(0).out.trim().to_owned();
    let server = room.serve("far", &[]);
    let pulled = room.run(["--json", "pull", &root, &server.url]).exits(4).object();
    has(&pulled, &TRANSFER);
    assert_eq!(pulled["blocks_missing"], 1);
}
