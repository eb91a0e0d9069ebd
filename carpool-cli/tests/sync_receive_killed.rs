//! Killed at any moment while a folder is brought to a root: each file is the old one or the new one,
//! and the same command, or one for a later root, completes.

mod common;
use common::{Room, assert_same, folder::Synced, noise};
use std::{fs, path::Path, time::Duration};

const FILES: u64 = 300;

fn version(room: &Room, version: u64) {
    for n in 0..FILES {
        room.write(format!("tree/{}/{n}", n % 10), noise(version * FILES + n, 20_000));
    }
}

/// Each file has the bytes of one of the versions, all of them.
fn check(room: &Room, versions: u64) {
    for n in 0..FILES {
        let path = room.path(format!("copy/{}/{n}", n % 10));
        let Ok(bytes) = fs::read(&path) else { continue };
        let whole = (0..=versions).any(|version| bytes == noise(version * FILES + n, 20_000));
        assert!(whole, "{} is half", path.display());
    }
}

fn leftovers(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    entries
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let below = if path.is_dir() { leftovers(&path) } else { 0 };
            usize::from(name.ends_with(".part")) + below
        })
        .sum()
}

#[test]
fn each_file_is_whole_and_it_goes_on() {
    let synced = Synced::new();
    version(&synced.room, 0);
    synced.send(&[]);
    let url = synced.url();
    let receive = ["--store", "mine", "sync", &url, "copy"];
    synced.room.run(receive).exits(0);
    for round in 1..=6 {
        version(&synced.room, round);
        synced.send(&[]);
        let pull = ["--store", "mine", "pull", &url];
        synced.room.run(pull).exits(0);
        let delay = Duration::from_millis(5 + round * 12);
        synced.room.start(receive).kill_after(delay);
        check(&synced.room, round);
        if round % 3 == 0 {
            // Otherwise the root has moved on by the next time.
            synced.room.run(receive).exits(0);
            assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
        }
    }
    synced.room.run(receive).exits(0);
    assert_same(&synced.room.path("tree"), &synced.room.path("copy"));
    assert_eq!(leftovers(&synced.room.path("copy")), 0);
}
