//! `sync` says what the change would have cost under another profile, where it was asked.

mod common;
use common::{Room, Served, noise};
use serde_json::Value;

const MIB: u64 = 1 << 20;
const FASTCDC: &str = "--profile=carpool-v1-fastcdc";
const FIXED: &str = "--profile=unixfs-v1-2025";

/// A synced folder in whose large file something was put in near the start.
fn inserted(profile: &str) -> (Room, Served) {
    let room = Room::new();
    let mut data = noise(7, 4 << 20);
    room.write("folder/large.bin", &data);
    room.write("folder/in/same.bin", noise(8, 100_000));
    let server = room.serve("far", &[]);
    let first = room.run(["--json", "sync", profile, "folder", &server.url]).exits(0).object();
    assert_eq!(first["profiles"], Value::Null, "there was nothing before");
    data.splice(1_000..1_000, *b"a few bytes more");
    room.write("folder/large.bin", &data);
    room.write("folder/in/added.bin", noise(9, 100_000));
    (room, server)
}

/// What is held against the prediction is whole blocks: a machine that is busy makes the way look slow, and
/// then they would travel as deltas.
fn synced_as_blocks(room: &Room, profile: &str, server: &Served) -> Value {
    let how = ["--json", "sync", "--delta", "never", "--compress", "never", profile];
    room.run(how.into_iter().chain(["folder", &server.url])).exits(0).object()
}

fn bytes(profiles: &Value, of: &str) -> u64 {
    profiles[of]["bytes"].as_u64().expect("a number")
}

#[test]
fn an_insertion_is_all_new_at_fixed_places_and_little_by_content() {
    let (room, server) = inserted(FIXED);
    let synced = synced_as_blocks(&room, FIXED, &server);
    let profiles = &synced["profiles"];
    assert_eq!((&profiles["files_changed"], &profiles["files_compared"]), (&1.into(), &1.into()));
    assert_eq!(profiles["used"]["profile"], "unixfs-v1-2025");
    assert_eq!(profiles["other"]["profile"], "carpool-v1-fastcdc");
    assert_eq!(profiles["other"]["chunker"], "fastcdc-16384");
    let [used, other] = ["used", "other"].map(|of| bytes(profiles, of));
    assert!((4 * MIB..4 * MIB + 2_000).contains(&used), "{profiles}");
    assert!(other > 0 && other < 3 * MIB / 10, "{profiles}");
    let (sent, added) = (synced["bytes_sent"].as_u64().expect("a number"), 100_000);
    assert!(sent > used + added && sent < used + added + 5_000, "{sent} were sent for {profiles}");
}

#[test]
fn by_content_it_says_what_fixed_places_would_have_cost() {
    let (room, server) = inserted(FASTCDC);
    let synced = synced_as_blocks(&room, FASTCDC, &server);
    let profiles = &synced["profiles"];
    assert_eq!(profiles["used"]["profile"], "carpool-v1-fastcdc");
    assert_eq!(profiles["other"]["profile"], "unixfs-v1-2025");
    let [used, other] = ["used", "other"].map(|of| bytes(profiles, of));
    assert!(used < 3 * MIB / 10 && other >= 4 * MIB, "{profiles}");
    let (sent, added) = (synced["bytes_sent"].as_u64().expect("a number"), 100_000);
    assert!(sent > used + added && sent < used + added + 5_000, "{sent} were sent for {profiles}");
}

#[test]
fn people_are_told_where_they_ask() {
    let (room, server) = inserted(FIXED);
    let synced = room.run(["sync", "-v", FIXED, "folder", &server.url]).exits(0);
    let line = synced.err.lines().last().expect("lines");
    assert!(
        line.starts_with("profiles: of 1 changed file, 4.00 MiB under unixfs-v1-2025"),
        "{line}"
    );
    assert!(line.contains("; carpool-v1-fastcdc would have saved 3."), "{line}");
    let again = room.run(["sync", "-v", FIXED, "folder", &server.url]).exits(0);
    assert!(!again.err.contains("profiles: "), "nothing changed: {}", again.err);
    room.write("folder/large.bin", "short now");
    let plain = room.run(["sync", FIXED, "folder", &server.url]).exits(0);
    assert!(plain.err.is_empty(), "only when asked: {}", plain.err);
}

#[test]
fn without_the_old_version_here_nothing_is_said() {
    let (room, server) = inserted(FIXED);
    let args = ["--store", "new", "--json", "sync", FIXED, "folder", &server.url];
    assert_eq!(room.run(args).exits(0).object()["profiles"], Value::Null);
}
