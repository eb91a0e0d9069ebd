//! Of a folder that changed what changed is read, and the root is that of an import of all.

mod common;
use common::{
    folder::{Synced, settle},
    noise,
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn tree() -> Synced {
    let synced = Synced::new();
    for n in 0..30 {
        synced.room.write(format!("tree/{}/{n}", n % 5), noise(n, 1000));
    }
    settle();
    synced.sent(30);
    synced
}

#[test]
fn a_file_that_is_changed_added_renamed_or_removed() {
    let synced = tree();
    synced.room.write("tree/1/6", "changed");
    settle();
    assert_eq!(synced.sent(1)["blocks_sent"], 3, "the file and the folders above it");
    synced.room.write("tree/1/new", "added");
    synced.room.write("tree/other/new", "added");
    settle();
    synced.sent(2);
    fs::rename(synced.room.path("tree/1/new"), synced.room.path("tree/2/renamed")).expect("moved");
    settle();
    synced.sent(1);
    fs::remove_file(synced.room.path("tree/2/renamed")).expect("removed");
    synced.sent(0);
    fs::remove_dir_all(synced.room.path("tree/other")).expect("removed");
    synced.sent(0);
}

#[test]
fn a_folder_that_is_renamed() {
    let synced = tree();
    fs::rename(synced.room.path("tree/3"), synced.room.path("tree/0/three")).expect("moved");
    settle();
    let sent = synced.send(&[]);
    assert_eq!(sent["blocks_sent"], 2, "two folders are new: {sent}");
    synced.sent(0);
}

#[test]
fn something_that_becomes_something_else() {
    let synced = tree();
    let path = synced.room.path("tree/1/6");
    fs::remove_file(&path).expect("removed");
    symlink("11", &path).expect("a link");
    settle();
    synced.sent(0);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a folder");
    synced.sent(0);
    synced.room.write("tree/1/6/below", "below");
    settle();
    synced.sent(1);
    fs::remove_dir_all(&path).expect("removed");
    synced.room.write("tree/1/6", "a file again");
    settle();
    synced.sent(1);
    synced.sent(0);
}

#[test]
fn a_mode_where_modes_are_kept() {
    let synced = tree();
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode"];
    let first = synced.send(&flags);
    let path = synced.room.path("tree/1/6");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("its mode is set");
    let second = synced.send(&flags);
    assert_ne!(first["root"], second["root"]);
    assert_eq!(second["files_read"], 1);
}

#[test]
fn empty_folders_that_are_left_out() {
    let synced = tree();
    let flags = ["--empty-dirs=false"];
    fs::create_dir_all(synced.room.path("tree/empty/in")).expect("folders");
    settle();
    synced.send(&flags);
    assert_eq!(synced.send(&flags)["files_read"], 0);
    synced.room.write("tree/empty/in/no", "more");
    synced.send(&flags);
    fs::remove_file(synced.room.path("tree/empty/in/no")).expect("removed");
    synced.send(&flags);
}

#[test]
fn files_that_cannot_be_taken_are_named_each_time() {
    use std::os::unix::ffi::OsStrExt;
    let synced = tree();
    let name = std::ffi::OsStr::from_bytes(b"tree/1/\xff");
    synced.room.write(name, "a name");
    for _ in 0..2 {
        let ran = synced.room.run(["sync", "tree", &synced.server.url]);
        ran.exits(1).says("its name is not UTF-8").says("1 paths were skipped");
    }
}

#[test]
fn a_large_folder_in_shards() {
    let synced = Synced::new();
    for n in 0..3000_u16 {
        synced
            .room
            .write(format!("tree/large/a name that is not short at all {n}"), n.to_le_bytes());
    }
    let flags = ["--max-directory-links=100"];
    settle();
    synced.send(&flags);
    synced.room.write("tree/large/a name that is not short at all 7", "changed");
    settle();
    assert_eq!(synced.send(&flags)["files_read"], 1);
    assert_eq!(synced.send(&flags)["files_read"], 0);
}
