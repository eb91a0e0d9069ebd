//! Exit code 2: the command line is wrong, and nothing was done.

mod common;
use common::Room;

#[test]
fn wrong_command_lines() {
    let room = Room::new();
    room.write("a", "alpha");
    let root = room.run(["add", "-Qn", "a"]).exits(0).out.trim().to_owned();
    let wrong: [&[&str]; 31] = [
        &[],
        &["fly"],
        &["add"],
        &["add", "--fly", "a"],
        &["add", "--chunker=size-0", "a"],
        &["add", "--chunker=size-2096897", "a"],
        &["add", "--chunker=words", "a"],
        &["add", "--chunker=rabin", "a"],
        &["add", "--cid-version=2", "a"],
        &["add", "--profile=none", "a"],
        &["add", "--preserve-mode", "a"],
        &["add", "--profile=default", "--raw-leaves", "--preserve-mtime", "a"],
        &["add", "--max-hamt-fanout=7", "a"],
        &["add", "--max-file-links=1", "a"],
        &["add", "--raw-leaves=maybe", "a"],
        &["add", "--ignore={a", "a"],
        &["add", "-w", "a", "a"],
        &["get", "no-cid"],
        &["get", &root, "-o", "..", "--force"],
        &["ls", "no-cid"],
        &["stat", "no-cid"],
        &["export", "no-cid", "-o", "x.car"],
        &["push", &root],
        &["push", &root, "ftp://127.0.0.1"],
        &["push", &root, "http://127.0.0.1:1", "ftp://127.0.0.1"],
        &["push", &root, "http://127.0.0.1:1#name"],
        &["pull", &root],
        &["pull", "no-cid", "http://127.0.0.1:1"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--peer", "ftp://127.0.0.1"],
        &["serve", "--peer", "http://127.0.0.1:1", "--peer", "nowhere"],
    ];
    for args in wrong {
        let ran = room.run(args).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{args:?}");
    }
}

#[test]
fn remotes_are_checked_before_anything_is_added_or_sent() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let url = "http://127.0.0.1:1";
    let long = format!("{url}#{}", "n".repeat(5000));
    let wrong: [&[&str]; 7] = [
        &["sync", "tree", "127.0.0.1"],
        &["sync", "tree", ""],
        &["sync", "tree", "http://127.0.0.1:1#a\nb"],
        &["sync", "tree", &long],
        &["pull", "http://127.0.0.1:1#a\nb"],
        &["sync", "tree", url, "--header", "no colon"],
        &["sync", "/", url],
    ];
    for args in wrong {
        let ran = room.run(args).exits(2);
        assert!(ran.out.is_empty(), "{args:?}");
    }
}

#[test]
fn a_sync_says_what_is_wrong_with_its_arguments() {
    let room = Room::new();
    room.write("tree/a", "alpha");
    let url = "http://127.0.0.1:1#tree";
    for (args, said) in [
        (&["tree", "127.0.0.1:1"][..], "begins with http://"),
        (&[url, url], "both are servers"),
        (&["http://127.0.0.1:1", "copy"], "#NAME"),
        (&["tree", url, "--delete"], "sync URL#NAME DIR"),
        (&[url, "copy", "--watch"], "a folder that is sent"),
        (&[url, "copy", "--profile=default"], "import settings are the sender's"),
        (&["tree", url, "--watch", "--dry-run"], "cannot be used with"),
        (&["tree", url, "--exclude=a{b"], "a{b"),
        (&[url, "copy", "--ignore-file=none"], "none"),
    ] {
        let ran = room.run(["sync"].iter().chain(args)).exits(2).says(said);
        assert!(ran.out.is_empty(), "{args:?}");
    }
    assert!(!room.path("copy").exists() && !room.path("store/folders").exists());
    room.run(["diff", "no-cid", "no-cid"]).exits(2).says("no name of the store");
}

#[test]
fn errors_say_what_to_do() {
    let room = Room::new();
    room.write("a", "alpha");
    room.run(["add", "--preserve-mode", "a"]).exits(2).says("carpool-v1-meta");
    room.run(["add", "--profile=none", "a"]).exits(2).says("unixfs-v1-2025");
    room.run(["add", "-w", "a", "a"]).exits(2).says("\"a\" twice");
    let root = room.add(".");
    room.run(["get", &root, "-o", "-"]).exits(2).says("is no file");
}
