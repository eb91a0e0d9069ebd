//! A full disk is named as such, and the store is usable afterwards.

mod common;
use common::{Ran, Room, noise};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A tiny disk; it is unmounted when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).expect("a folder is made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "carpool"]).arg(&at);
        let done = mount.output().is_ok_and(|done| done.status.success());
        done.then_some(Self(at))
    }

    fn fill(&self, leave: usize) {
        let _ = fs::write(self.0.join("filler"), vec![1; 3 << 20]);
        let filler = fs::File::options().write(true).open(self.0.join("filler")).expect("it opens");
        let len = filler.metadata().expect("it is there").len();
        filler.set_len(len - leave as u64).expect("it shrinks");
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("it is removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn on_a_full_disk(work: impl FnOnce(&Room, &Disk)) {
    let room = Room::new();
    let Some(disk) = Disk::mount(room.path("disk")) else {
        println!("skipped: no disk can be mounted");
        return;
    };
    work(&room, &disk);
}

#[track_caller]
fn full(ran: Ran) {
    ran.exits(1).says("the disk is full");
}

/// A store on the small disk with a small file, and outside a large file and its CAR.
fn stores(room: &Room) -> (String, String) {
    room.write("small", "alpha");
    room.write("tree/large", noise(1, 4 << 20));
    let small = room.run(["--store", "disk/store", "add", "-Q", "small"]).exits(0).out;
    let large = room.add("tree");
    room.run(["export", &large, "-o", "large.car"]).exits(0);
    (small.trim().to_owned(), large)
}

fn usable(room: &Room, disk: &Path, small: &str) {
    let store = disk.join("store");
    let store = store.to_str().expect("a path");
    room.run(["--store", store, "get", small, "-o", "-"]).exits(0);
    room.write("other", "beta");
    room.run(["--store", store, "add", "other"]).exits(0);
    room.run(["--store", store, "repair"]).exits(0);
}

#[test]
fn into_the_store() {
    on_a_full_disk(|room, disk| {
        let (small, large) = stores(room);
        let server = room.serve("store", &[]);
        for verb in [&["add", "tree"][..], &["import", "large.car"], &["pull", &large, &server.url]]
        {
            full(room.run([&["--store", "disk/store"], verb].concat()));
            usable(room, &disk.0, &small);
        }
    });
}

#[test]
fn out_of_the_store() {
    on_a_full_disk(|room, disk| {
        let (_, large) = stores(room);
        full(room.run(["get", &large, "-o", "disk/back"]));
        full(room.run(["export", &large, "-o", "disk/back.car"]));
        assert_eq!(common::names(&disk.0), ["store"], "nothing half is left");
    });
}

#[test]
fn at_the_server() {
    on_a_full_disk(|room, disk| {
        let (small, large) = stores(room);
        let server = room.serve("disk/store", &[]);
        full(room.run(["push", &large, &server.url]));
        full(room.run(["sync", "tree", &server.url]));
        usable(room, &disk.0, &small);
    });
}

#[test]
fn with_no_room_at_all() {
    on_a_full_disk(|room, disk| {
        let (small, _) = stores(room);
        disk.fill(0);
        full(room.run(["--store", "disk/store", "add", "large.car"]));
        full(room.run(["--store", "disk/new", "add", "small"]));
        disk.empty();
        usable(room, &disk.0, &small);
    });
}
