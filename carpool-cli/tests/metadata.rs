//! Modes and times travel where they are asked for.

mod common;
use common::Room;
use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

fn set(path: &std::path::Path, mode: u32, time: SystemTime) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
    let file = File::open(path).expect("it opens");
    file.set_times(fs::FileTimes::new().set_modified(time)).expect("its time is set");
}

#[test]
fn they_come_back() {
    let room = Room::new();
    room.write("tree/sub/a", "alpha");
    room.write("tree/big", common::noise(1, 2_500_000));
    room.write("tree/old", "before 1970");
    let time = UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
    set(&room.path("tree/sub/a"), 0o640, time);
    set(&room.path("tree/big"), 0o755, time + Duration::from_secs(5));
    set(&room.path("tree/old"), 0o1604, UNIX_EPOCH - Duration::new(10, 500));
    set(&room.path("tree/sub"), 0o750, time + Duration::from_secs(7));
    set(&room.path("tree"), 0o711, time);
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode", "--preserve-mtime"];
    let added = room.run(["add", "-Q", flags[0], flags[1], flags[2], "tree"]).exits(0);
    room.run(["get", added.out.trim(), "-o", "back"]).exits(0);
    for name in ["", "sub", "sub/a", "big", "old"] {
        let seen = |room_of: &str| {
            let found = fs::metadata(room.path(room_of).join(name)).expect("it is there");
            (found.mode() & 0o7777, found.mtime(), found.mtime_nsec())
        };
        assert_eq!(seen("tree"), seen("back"), "{name:?}");
    }
}

#[test]
fn bits_that_give_away_rights_do_not() {
    let room = Room::new();
    room.write("a", "alpha");
    fs::set_permissions(room.path("a"), fs::Permissions::from_mode(0o6755)).expect("a mode");
    let flags = ["--profile=carpool-v1-meta", "--preserve-mode"];
    let added = room.run(["add", "-Q", flags[0], flags[1], "a"]).exits(0);
    room.run(["get", added.out.trim(), "-o", "back"]).exits(0);
    assert_eq!(fs::metadata(room.path("back")).expect("it is there").mode() & 0o7777, 0o755);
}

#[test]
fn profiles_of_kubo_give_up_raw_leaves_for_them() {
    let room = Room::new();
    room.write("a", "alpha");
    room.run(["add", "--preserve-mtime", "a"]).exits(2);
    room.run(["add", "--preserve-mtime", "--raw-leaves=false", "a"]).exits(0);
    let kept = room.run(["add", "-Q", "--profile=default", "--preserve-mtime", "a"]).exits(0);
    assert!(kept.out.starts_with("Qm"));
    let off = room.run(["add", "-Q", "--preserve-mtime=false", "a"]).exits(0);
    assert_eq!(off.out.trim(), room.add("a"));
}
