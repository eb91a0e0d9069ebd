//! A folder that did not change is looked at and not read.

mod common;
use common::{
    folder::{Synced, mtime, set_mtime, settle},
    noise,
};
use std::os::unix::fs::symlink;

fn tree() -> Synced {
    let synced = Synced::new();
    for n in 0..40 {
        synced.room.write(format!("tree/{}/{n}", n % 7), noise(n, 2000));
    }
    synced.room.write("tree/.hidden", "taken too");
    synced.room.write("tree/deep/er/still/big", noise(99, 2_500_000));
    std::fs::create_dir(synced.room.path("tree/empty")).expect("a folder");
    symlink("0/0", synced.room.path("tree/link")).expect("a link");
    settle();
    synced
}

#[test]
fn nothing_is_read() {
    let synced = tree();
    let first = synced.sent(42);
    let second = synced.sent(0);
    assert_eq!((&second["root"], &second["files_known"]), (&first["root"], &43.into()));
    assert_eq!((&second["blocks_sent"], &second["requests"]), (&0.into(), &1.into()));
}

#[test]
fn to_another_server_it_goes_unread() {
    let synced = tree();
    synced.sent(42);
    let other = synced.room.serve("other", &[]);
    let sent = synced.room.run(["--json", "sync", "tree", &other.url]).exits(0).object();
    assert_eq!(sent["files_read"], 0);
    synced.room.run(["--store", "new", "pull", &format!("{}#tree", other.url)]).exits(0);
}

#[test]
fn under_another_path_it_is_another_folder() {
    let synced = tree();
    synced.sent(42);
    std::fs::rename(synced.room.path("tree"), synced.room.path("moved")).expect("it moves");
    let url = synced.url();
    let sent = synced.room.run(["--json", "sync", "moved", &url]).exits(0).object();
    assert_eq!((&sent["files_read"], &sent["blocks_sent"]), (&42.into(), &0.into()));
}

#[test]
fn with_times_kept_too() {
    let synced = tree();
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode", "--preserve-mtime"];
    let first = synced.send(&flags);
    let second = synced.send(&flags);
    assert_eq!((&second["files_read"], &second["root"]), (&0.into(), &first["root"]));
    // A folder's time is its own: nothing in it is read for that.
    let folder = synced.room.path("tree/deep");
    let file = std::fs::File::open(&folder).expect("it opens");
    let times = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    file.set_times(times).expect("its time is set");
    let third = synced.send(&flags);
    assert_eq!(third["files_read"], 0);
    assert_ne!(third["root"], second["root"]);
}

#[test]
fn what_was_touched_is_read_and_is_the_same() {
    let synced = tree();
    let first = synced.sent(42);
    let file = synced.room.path("tree/.hidden");
    set_mtime(&file, mtime(&file) - std::time::Duration::from_secs(100));
    settle();
    assert_eq!(synced.sent(1)["root"], first["root"]);
    synced.sent(0);
}
