//! Two stores that sync under one name: neither overwrites what it has not seen.

mod common;
use common::{Room, noise};

/// A file in which something is inserted, so that all of its chunks are new.
fn edit(room: &Room, folder: &str, what: &str) {
    let at = room.path(folder).join("file");
    let mut bytes = std::fs::read(&at).expect("it is there");
    bytes.splice(100..100, what.bytes());
    std::fs::write(at, bytes).expect("it is written");
}

#[test]
fn a_name_that_somebody_else_moved_is_refused() {
    let room = Room::new();
    room.write("mine/file", noise(1, 3_000_000));
    let served = room.serve("server", &[]);
    let url = format!("{}#shared", served.url);
    let sync = |store: &str, flags: &[&str], from: &str, to: &str| {
        let args = ["--json", "--store", store, "sync", from, to, "--delta", "always"];
        room.run([&args[..], flags].concat())
    };
    sync("a", &[], "mine", &url).exits(0);
    edit(&room, "mine", "a second version");
    let sent = sync("a", &[], "mine", &url).exits(0).object();
    assert_eq!((&sent["rounds"], &sent["requests"]), (&1.into(), &2.into()));
    assert!(sent["bytes_sent"].as_u64().expect("a number") < 10_000, "{}", sent["bytes_sent"]);
    assert!(sent["encodings"]["copies"]["blocks"].as_u64() > Some(3), "{}", sent["encodings"]);
    // Another writer takes what is there, changes it and sends it.
    let got = sync("b", &[], &url, "theirs").exits(0).object();
    assert_eq!(got["root"], sent["root"]);
    edit(&room, "theirs", "a third one");
    let third = sync("b", &[], "theirs", &url).exits(0).object();
    assert!(third["bytes_sent"].as_u64().expect("a number") < 10_000);
    // The first one has not seen that.
    edit(&room, "mine", "a fourth one");
    sync("a", &[], "mine", &url).exits(5).says("the name has moved");
    let there = room.run(["--json", "--store", "c", "pull", &url]).exits(0).object();
    assert_eq!(there["root"], third["root"]);
    let fourth = sync("a", &["--force"], "mine", &url).exits(0).object();
    // Nor has the second now; it takes it first.
    edit(&room, "theirs", "a fifth one");
    sync("b", &[], "theirs", &url).exits(5).says("the name has moved");
    let got = sync("b", &["--force"], &url, "theirs").exits(0).object();
    assert_eq!(got["root"], fourth["root"]);
    edit(&room, "theirs", "a sixth one");
    sync("b", &[], "theirs", &url).exits(0);
}
