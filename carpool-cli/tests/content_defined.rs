//! Files that are cut where their content says come back the same, and an insertion sends what is
//! around it and no more.

mod common;
use common::{Room, assert_same, noise};

const PROFILE: &str = "--profile=carpool-v1-fastcdc";

#[test]
fn an_insertion_sends_what_is_around_it() {
    let room = Room::new();
    let mut data = noise(3, 4_000_000);
    room.write("folder/large.bin", &data);
    let served = room.serve("server", &[]);
    let sync = |flag: &str| {
        let ran = room.run(["--json", "sync", flag, "folder", &served.url]).exits(0);
        ran.objects().pop().expect("a result")
    };
    let first = sync(PROFILE)["blocks_sent"].as_u64().expect("a number");
    assert!(first > 60, "{first} blocks of at most 64 KiB");
    data.splice(1_000_000..1_000_000, *b"a few bytes more");
    room.write("folder/large.bin", &data);
    let second = sync(PROFILE);
    let (blocks, root) = (second["blocks_sent"].as_u64(), second["root"].as_str());
    assert!(blocks < Some(12), "{second}");
    room.run(["get", root.expect("a root"), "-o", "back"]).exits(0);
    assert_same(&room.path("folder"), &room.path("back"));
}

#[test]
fn averages_that_there_are_not_are_refused() {
    let room = Room::new();
    room.write("a", "alpha");
    room.run(["add", "--chunker=fastcdc-16384", "a"]).exits(0);
    room.run(["add", "--chunker=fastcdc-1000", "a"]).exits(2).says("powers of two from 4096");
}
