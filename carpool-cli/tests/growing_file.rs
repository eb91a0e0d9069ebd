//! A file that grows while it is read is reported, and what was read is taken.

mod common;
use common::{Room, noise};
use std::{
    fs::File,
    io::Write,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

#[test]
fn it_is_reported() {
    let room = Room::new();
    let path = room.write("tree/log", noise(1, 16 << 20));
    room.write("tree/a", "alpha");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = File::options().append(true).open(&path).expect("it opens");
            while !stop.load(SeqCst) {
                log.write_all(&[7; 4096]).expect("it grows");
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        let added = room.run(["add", "-Q", "tree"]);
        stop.store(true, SeqCst);
        let added = added.exits(1).says("tree/log: changed while it was read");
        room.run(["get", added.out.trim(), "-o", "back"]).exits(0);
    });
    let read = std::fs::read(room.path("back/log")).expect("it is there");
    assert!(read.starts_with(&noise(1, 16 << 20)));
}

#[test]
fn files_that_do_not_say_how_long_they_are_are_read_to_their_end() {
    if File::open("/proc/cpuinfo").is_err() {
        println!("skipped: no /proc");
        return;
    }
    let room = Room::new();
    let added = room.run(["add", "-Q", "/proc/cpuinfo"]).exits(1).says("changed while it was read");
    let back = room.run(["get", added.out.trim(), "-o", "-"]).exits(0).out;
    assert!(back.contains("processor"));
}
