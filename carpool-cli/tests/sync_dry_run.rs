//! `--dry-run` says what would travel and change; nothing is sent and nothing is written.

mod common;
use common::{
    folder::{Synced, settle},
    noise,
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

fn tree() -> Synced {
    let synced = Synced::new();
    for n in 0..10 {
        synced.room.write(format!("tree/{}/{n}", n % 3), noise(n, 10_000));
    }
    synced.room.write("tree/big", noise(99, 3_000_000));
    settle();
    synced
}

fn dry(synced: &Synced, args: &[&str], code: i32) -> Value {
    let all = ["--json", "sync", "--dry-run"].iter().chain(args);
    synced.room.run(all).exits(code).object()
}

/// Names, lengths and times of all files below a folder.
fn state(path: &Path) -> String {
    let args = ["-mindepth", "1", "-printf", "%P %s %T@ %i\n"];
    let found = Command::new("find").arg(path).args(args).output().expect("find runs");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    // A store that is open has a journal, whoever reads it.
    let kept = |line: &&str| !line.contains("index.sqlite") && !line.contains("lock");
    let mut lines: Vec<&str> = text.lines().filter(kept).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn of_a_folder_that_was_never_sent() {
    let synced = tree();
    let said = dry(&synced, &["tree", &synced.server.url], 0);
    assert_eq!(said["added"].as_array().map(Vec::len), Some(11), "{said}");
    assert_eq!(said["before"], Value::Null);
    assert!(said["bytes"].as_u64() > Some(3_100_000), "{said}");
    let sent = synced.send(&[]);
    assert_eq!((&sent["blocks_sent"], &sent["root"]), (&said["blocks"], &said["root"]));
    assert_eq!(sent["files_read"], 11, "nothing was remembered");
}

#[test]
fn of_a_folder_that_changed() {
    let synced = tree();
    synced.send(&[]);
    synced.room.write("tree/0/3", "changed");
    synced.room.write("tree/new", noise(7, 500));
    fs::remove_file(synced.room.path("tree/1/4")).expect("it goes");
    settle();
    let before = ["store", "far"].map(|name| state(&synced.room.path(name)));
    let said = dry(&synced, &["tree", &synced.server.url], 0);
    assert_eq!(["store", "far"].map(|name| state(&synced.room.path(name))), before);
    let paths = [&said["added"], &said["changed"], &said["removed"]];
    assert_eq!(paths, [&json!(["new"]), &json!(["0/3"]), &json!(["1/4"])]);
    let text = synced.room.run(["sync", "-n", "tree", &synced.server.url]).exits(0).out;
    assert!(text.starts_with("A new\nM 0/3\nD 1/4\n"), "{text}");
    let sent = synced.send(&[]);
    assert_eq!((&sent["blocks_sent"], &sent["root"]), (&said["blocks"], &said["root"]), "{said}");
    let said = dry(&synced, &["tree", &synced.server.url], 0);
    assert_eq!((&said["blocks"], &said["changed"]), (&0.into(), &json!([])));
}

/// What the server has is of somebody else, and not held here.
#[test]
fn of_a_folder_that_changed_there() {
    let synced = tree();
    synced.send(&[]);
    synced.room.write("other/big", noise(99, 3_000_000));
    synced.room.write("other/theirs", noise(55, 700_000));
    let url = synced.url();
    synced.room.run(["--store", "mine", "sync", "other", &url]).exits(0);
    let said = dry(&synced, &["tree", &url], 0);
    assert_eq!(said["removed"], json!(["theirs"]));
    assert_eq!(said["added"].as_array().map(Vec::len), Some(10));
    assert_eq!(said["changed"], json!([]), "{said}");
    // All of the large file is there already.
    assert!(said["bytes"].as_u64() < Some(110_000), "{said}");
}

#[test]
fn of_leaves_that_are_nodes() {
    let synced = tree();
    let flags = ["--profile=default", "tree", &synced.server.url];
    let said = dry(&synced, &flags, 0);
    synced.send(&flags[..1]);
    synced.room.write("tree/big", [b"more".to_vec(), noise(99, 3_000_000)].concat());
    let again = dry(&synced, &flags, 0);
    assert_eq!(again["changed"], json!(["big"]));
    assert!(again["bytes"].as_u64() < said["bytes"].as_u64());
    assert!(again["bytes"].as_u64() > Some(3_000_000));
}

#[test]
fn of_a_folder_that_is_received() {
    let synced = tree();
    synced.send(&[]);
    let url = synced.url();
    let receive = ["--store", "mine", &url, "copy"];
    let said = dry(&synced, &receive, 0);
    assert_eq!(said["added"].as_array().map(Vec::len), Some(11), "{said}");
    assert!(!synced.room.path("copy").exists());
    let real = ["--json", "--store", "mine", "sync", &url, "copy"];
    let received = synced.room.run(real).exits(0).object();
    assert_eq!(received["blocks_received"], said["blocks"], "{said}");

    synced.room.write("tree/0/3", "changed");
    synced.room.write("tree/new", noise(7, 500));
    fs::remove_file(synced.room.path("tree/1/4")).expect("it goes");
    synced.send(&[]);
    settle();
    let before = ["mine", "far", "copy"].map(|name| state(&synced.room.path(name)));
    let said = dry(&synced, &[&receive[..], &["--delete"]].concat(), 0);
    assert_eq!(["mine", "far", "copy"].map(|name| state(&synced.room.path(name))), before);
    let paths = [&said["added"], &said["changed"], &said["removed"]];
    assert_eq!(paths, [&json!(["new"]), &json!(["0/3"]), &json!(["1/4"])]);
    let received = synced.room.run(real).exits(0).object();
    assert_eq!(received["blocks_received"], said["blocks"], "{said}");
}

/// Leaves are not fetched to find out.
#[test]
fn what_is_read_of_the_server_are_folders() {
    let synced = tree();
    synced.send(&[]);
    let url = format!("{}#tree", common::relay::cut_after(&synced.server.url, 30_000));
    let said = dry(&synced, &["--store", "mine", &url, "copy"], 0);
    assert!(said["bytes"].as_u64() > Some(3_100_000), "{said}");
}

#[test]
fn of_local_edits() {
    let synced = tree();
    synced.send(&[]);
    let url = synced.url();
    synced.room.run(["--store", "mine", "sync", &url, "copy"]).exits(0);
    synced.room.write("copy/0/3", "mine");
    let said = dry(&synced, &["--store", "mine", &url, "copy"], 5);
    assert_eq!(said["local_edits"], json!(["0/3"]));
    let said = dry(&synced, &["--store", "mine", &url, "copy", "--force"], 0);
    assert_eq!((&said["local_edits"], &said["changed"]), (&json!([]), &json!(["0/3"])));
}
