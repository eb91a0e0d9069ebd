//! What is learned of a server serves the next run, and is never in its way.

mod common;
use common::{Ran, Room, noise};
use serde_json::Value;
use std::{fs, path::PathBuf};

const FILE: &str = "store/servers.json";

/// A room with a folder of ten files, in the store, and its root.
fn room() -> (Room, String) {
    let room = Room::new();
    (0..10).for_each(|n| drop(room.write(format!("tree/{n}"), noise(n, 2_000))));
    let root = room.add("tree");
    (room, root)
}

fn change(room: &Room, seed: u64) {
    room.write("tree/3", noise(seed, 2_000));
}

fn written(room: &Room) -> Value {
    let text = fs::read(room.path(FILE)).expect("it is written");
    serde_json::from_slice(&text).expect("it is JSON")
}

#[test]
fn a_change_is_expected_to_be_like_the_last_one() {
    let (room, _) = room();
    let server = room.serve("far", &[]);
    let expected = "a change as after the last change";
    let sync = || room.run(["sync", "-v", "tree", &server.url]).exits(0);
    assert!(!sync().err.contains(expected));
    change(&room, 20);
    assert!(!sync().err.contains(expected), "all of it was a beginning");
    change(&room, 21);
    sync().says(expected);
    let by_name = format!("{}#tree", server.url);
    let pull = || room.run(["--store", "near", "pull", "-v", &by_name]).exits(0);
    for seed in [22, 23, 24] {
        pull();
        change(&room, seed);
        sync();
    }
    pull().says(expected);
}

#[test]
fn the_next_pull_of_a_root_speaks_as_the_server_reads() {
    let (room, first) = room();
    let server = room.serve("store", &[]);
    let pull = |root: &str| room.run(["--store", "near", "pull", "-v", root, &server.url]).exits(0);
    assert!(!pull(&first).err.contains("plan: held roots"));
    change(&room, 20);
    let second = room.add("tree");
    pull(&second).says("plan: held roots");
}

#[cfg(unix)]
#[test]
fn it_is_for_the_eyes_of_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let (room, _) = room();
    let server = room.serve("far", &[]);
    room.run(["sync", "tree", &server.url]).exits(0);
    let mode = fs::metadata(room.path(FILE)).expect("it is written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(written(&room)["servers"][0]["key_given"].is_array(), "which is why");
}

#[test]
fn what_is_damaged_or_too_long_is_forgotten() {
    let (room, _) = room();
    let server = room.serve("far", &[]);
    room.run(["sync", "tree", &server.url]).exits(0);
    let good = fs::read(room.path(FILE)).expect("it is written");
    let long = [&good[..], &vec![b' '; 256 << 10]].concat();
    for (n, text) in [&good[..good.len() / 2], b"\xff", &long].into_iter().enumerate() {
        fs::write(room.path(FILE), text).expect("a file");
        change(&room, 30 + n as u64);
        let synced = room.run(["sync", "tree", &server.url]).exits(0);
        assert!(synced.err.is_empty(), "{}", synced.err);
        assert_eq!(written(&room)["servers"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn where_it_cannot_be_written_transfers_go_on() {
    let (room, _) = room();
    let server = room.serve("far", &[]);
    fs::create_dir(room.path(FILE)).expect("a folder in its place");
    room.run(["sync", "tree", &server.url]).exits(0);
    assert!(room.path(FILE).is_dir());
}

/// Names of the store's folder that are not the store's own.
fn leftovers(room: &Room) -> Vec<PathBuf> {
    let entries = fs::read_dir(room.path("store")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let ours = |path: &PathBuf| path.to_string_lossy().contains("servers");
    paths.filter(|path| ours(path) && !path.ends_with("servers.json")).collect()
}

#[test]
fn processes_at_once_leave_the_word_of_one() {
    let (room, root) = room();
    let servers: Vec<_> = (0..4).map(|n| room.serve(&format!("far{n}"), &[])).collect();
    let urls = servers.iter().map(|server| server.url.as_str());
    let pushes: Vec<_> = urls.clone().map(|url| room.start(["push", &root, url])).collect();
    pushes.into_iter().map(common::Running::ended).for_each(|ran: Ran| drop(ran.exits(0)));
    let known = written(&room);
    let said = known["servers"].as_array().expect("servers");
    assert!(
        !said.is_empty()
            && said.iter().all(|server| {
                urls.clone().any(|url| server["url"] == url) && server["key_drawn"].is_array()
            })
    );
    assert_eq!(leftovers(&room), Vec::<PathBuf>::new());
}

#[test]
fn where_nothing_was_learned_nothing_is_written() {
    let (room, root) = room();
    let gone = room.serve("far", &[]).url;
    room.run(["--store", "other", "pull", &root, &gone]).exits(1);
    assert!(!room.path("other/servers.json").exists());
}
