//! `sync URL#NAME DIR` brings a folder to what the name points to, and touches what changed.

mod common;
use common::{
    Room, assert_same,
    folder::{Synced, settle},
    names, noise,
};
use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    time::{Duration, UNIX_EPOCH},
};

/// A folder that was sent and received.
fn both() -> Synced {
    let synced = Synced::new();
    for n in 0..20 {
        synced.room.write(format!("tree/{}/{n}", n % 4), noise(n, 3000));
    }
    synced.room.write("tree/big", noise(99, 3_000_000));
    synced.room.write("tree/.hidden", "taken too");
    fs::create_dir(synced.room.path("tree/empty")).expect("a folder");
    symlink("0/0", synced.room.path("tree/link")).expect("a link");
    synced.send(&[]);
    receive(&synced, &[]);
    synced
}

fn receive(synced: &Synced, flags: &[&str]) -> serde_json::Value {
    let url = synced.url();
    let args = ["--store", "mine", "--json", "sync", &url, "copy"];
    synced.room.run(args.iter().chain(flags)).exits(0).object()
}

fn inode(room: &Room, name: &str) -> u64 {
    fs::symlink_metadata(room.path(name)).expect("it is there").ino()
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let synced = both();
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
    let again = receive(&synced, &[]);
    assert_eq!((&again["files_added"], &again["files_changed"]), (&0.into(), &0.into()));
    assert_eq!(again["blocks_received"], 0);
}

#[test]
fn only_what_changed_is_touched() {
    let synced = both();
    let kept = ["1/1", "2/2", "big", "link"].map(|name| format!("copy/{name}"));
    let before = kept.each_ref().map(|name| inode(&synced.room, name));
    synced.room.write("tree/0/4", "changed");
    synced.room.write("tree/new/er/file", "added");
    fs::remove_file(synced.room.path("tree/1/5")).expect("it goes");
    synced.send(&[]);
    let received = receive(&synced, &[]);
    assert_eq!(
        ["files_added", "files_changed", "files_removed"].map(|field| received[field].as_u64()),
        [Some(1), Some(1), Some(0)],
        "{received}"
    );
    assert_eq!(kept.each_ref().map(|name| inode(&synced.room, name)), before);
    assert!(synced.room.path("copy/1/5").exists(), "nothing goes unless that is asked for");
    fs::remove_file(synced.room.path("copy/1/5")).expect("it goes");
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn what_did_not_change_is_not_read() {
    let synced = both();
    settle();
    // Files are believed once they were looked at when they had been there for a while.
    receive(&synced, &[]);
    let third = receive(&synced, &[]);
    assert_eq!((&third["files_read"], &third["files_known"]), (&0.into(), &23.into()), "{third}");
    synced.room.write("tree/0/4", noise(4, 2999));
    synced.send(&[]);
    let fourth = receive(&synced, &[]);
    assert_eq!((&fourth["files_known"], &fourth["files_changed"]), (&22.into(), &1.into()));
}

#[test]
fn files_become_folders_and_links_and_the_other_way_round() {
    let synced = both();
    let at = |name: &str| synced.room.path("tree").join(name);
    fs::remove_file(at("0/0")).expect("it goes");
    synced.room.write("tree/0/0/below", "a folder now");
    fs::remove_file(at("0/4")).expect("it goes");
    symlink("../big", at("0/4")).expect("a link");
    fs::remove_file(at("link")).expect("it goes");
    synced.room.write("tree/link", "a file now");
    fs::remove_dir_all(at("3")).expect("it goes");
    synced.room.write("tree/3", "a file now");
    fs::remove_dir_all(at("2")).expect("it goes");
    symlink("1", at("2")).expect("a link");
    synced.send(&[]);
    let url = synced.url();
    let refused = synced.room.run(["--store", "mine", "sync", &url, "copy"]);
    refused.exits(5).says("copy/3: is a folder").says("copy/2: is a folder");
    receive(&synced, &["--delete"]);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn modes_and_times_where_they_were_kept() {
    let synced = both();
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode", "--preserve-mtime"];
    let set = |name: &str, mode: u32, seconds: u64| {
        let path = synced.room.path("tree").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        let time = UNIX_EPOCH + Duration::new(seconds, 123_456_789);
        let times = fs::FileTimes::new().set_modified(time);
        File::open(&path).and_then(|file| file.set_times(times)).expect("a time");
    };
    set("big", 0o751, 1_000_000);
    set("0/4", 0o640, 2_000_000);
    set("0", 0o555, 3_000_000);
    synced.send(&flags);
    let seen = |of: &str, name: &str| {
        let found = fs::symlink_metadata(synced.room.path(of).join(name)).expect("it is there");
        (found.mode() & 0o7777, found.mtime(), found.mtime_nsec())
    };
    let inode_before = inode(&synced.room, "copy/big");
    receive(&synced, &[]);
    for name in ["", "big", "0/4", "0", "1", "link"] {
        assert_eq!(seen("tree", name), seen("copy", name), "{name:?}");
    }
    assert_eq!(inode(&synced.room, "copy/big"), inode_before, "its bytes were right");
    set("0/4", 0o600, 2_000_000);
    synced.room.write("tree/0/new", "in a folder that nobody may write to");
    set("0", 0o555, 4_000_000);
    synced.send(&flags);
    receive(&synced, &[]);
    assert_eq!(seen("tree", "0"), seen("copy", "0"));
    assert_eq!(seen("tree", "0/4"), seen("copy", "0/4"));
    settle();
    receive(&synced, &[]);
    assert_eq!(receive(&synced, &[])["files_read"], 0);
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_where_none_is_kept() {
    let synced = both();
    let path = synced.room.path("copy/0/4");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
    synced.room.write("tree/0/4", "changed");
    synced.send(&[]);
    receive(&synced, &[]);
    assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o700);
}

#[test]
fn it_goes_back_and_forth() {
    let synced = both();
    settle();
    let url = synced.url();
    synced.room.write("copy/0/4", "changed there");
    synced.room.write("copy/made there", "new");
    let sent = synced.room.run(["--store", "mine", "--json", "sync", "copy", &url]).exits(0);
    let back = synced.room.run(["--json", "sync", &url, "tree"]).exits(0).object();
    assert_eq!(back["root"], sent.object()["root"]);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
    synced.room.write("tree/1/1", "changed here");
    synced.send(&[]);
    receive(&synced, &[]);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn a_folder_in_shards() {
    let synced = Synced::new();
    for n in 0..500 {
        synced.room.write(format!("tree/large/{n}"), noise(n, 10));
    }
    synced.send(&["--max-directory-links=20"]);
    receive(&synced, &[]);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
    fs::remove_file(synced.room.path("tree/large/77")).expect("it goes");
    synced.room.write("tree/large/new", "new");
    synced.send(&["--max-directory-links=20"]);
    receive(&synced, &["--delete"]);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
}

#[test]
fn another_profile_of_the_same_files_writes_nothing() {
    let synced = both();
    let before = inode(&synced.room, "copy/big");
    synced.send(&["--chunker=size-1000"]);
    let received = receive(&synced, &[]);
    assert_eq!(received["files_changed"], 0, "{received}");
    assert_eq!(inode(&synced.room, "copy/big"), before);
}

#[test]
fn nothing_of_ours_stays_in_it() {
    let synced = both();
    assert_eq!(
        names(&synced.room.path("copy")),
        [".hidden", "0", "1", "2", "3", "big", "empty", "link"]
    );
}
