//! The demo works on a copy and never writes to what it was given.

mod common;
use common::{Ran, Room, names, noise};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

fn seen(room: &Room) -> String {
    let run = Command::new("sh")
        .args(["-c", "find tree -printf '%p %m %T@ %s\\n' | sort"])
        .current_dir(room.path(""))
        .output();
    String::from_utf8_lossy(&run.expect("find runs").stdout).into_owned()
}

fn demo(room: &Room, args: &[&str]) -> Ran {
    let temporary = room.path("tmp");
    fs::create_dir_all(&temporary).expect("a folder is made");
    let ran = Ran::of(room.command(["demo"]).args(args).env("TMPDIR", &temporary));
    assert!(names(&temporary).is_empty(), "nothing is left: {:?}", names(&temporary));
    ran
}

#[test]
fn the_folder_is_not_touched_and_the_table_is_printed() {
    let room = Room::new();
    room.write("tree/a", noise(1, 1_500_000));
    room.write("tree/.hidden/b", "beta");
    let read_only = room.write("tree/read-only", "r");
    fs::set_permissions(read_only, fs::Permissions::from_mode(0o444)).expect("its mode is set");
    std::os::unix::fs::symlink("nowhere", room.path("tree/dangling")).expect("a link is made");
    let before = seen(&room);
    let out = demo(&room, &["tree"]).exits(0).out;
    assert_eq!(seen(&room), before);
    for part in ["copied 4 files", "equal, byte for byte", "sending everything", "asking by levels"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn an_empty_folder_and_one_with_special_files_do_too() {
    let room = Room::new();
    fs::create_dir(room.path("tree")).expect("a folder is made");
    demo(&room, &["tree"]).exits(0);
    let made = Command::new("mkfifo").arg(room.path("tree/fifo")).status();
    assert!(made.expect("mkfifo runs").success());
    demo(&room, &["tree"]).exits(1).says("tree/fifo: skipped");
    demo(&room, &["missing"]).exits(1).says("missing is no folder");
}

#[test]
fn without_an_argument_it_takes_what_git_tracks() {
    let room = Room::new();
    room.write("tree/tracked", "t");
    room.write("tree/not tracked", "n");
    let git = |args: &[&str]| {
        let run = Command::new("git").args(args).current_dir(room.path("tree")).output();
        run.is_ok_and(|run| run.status.success())
    };
    if !(git(&["init", "-q"]) && git(&["add", "tracked"])) {
        println!("skipped: no git");
        return;
    }
    let out = Ran::of(room.command(["demo"]).current_dir(room.path("tree"))).exits(0).out;
    assert!(out.contains("copied 1 files"), "{out}");
}
