//! `--watch` sends a folder again whenever something in it has changed, until it is interrupted.

mod common;
use common::{
    Running,
    folder::{Synced, settle},
    wait_until,
};
use std::{
    fs,
    process::{Command, Stdio},
};

struct Watched {
    synced: Synced,
    running: Running,
}

/// The root that the name has at the server.
fn named(synced: &Synced) -> String {
    let names = synced.room.run(["names", "--store", "far"]).exits(0).out;
    names.split(' ').next().unwrap_or_default().to_owned()
}

/// What an import of all makes.
fn expected(synced: &Synced, flags: &[&str]) -> String {
    let args = ["--store", "fresh", "add", "-Qn", "--hidden"];
    let args = args.iter().chain(flags).chain(&["tree"]);
    synced.room.run(args).exits(0).out.trim().to_owned()
}

impl Watched {
    fn begin(flags: &[&str]) -> Self {
        let synced = Synced::new();
        synced.room.write("tree/a", "alpha");
        synced.room.write("tree/in/b", "beta");
        settle();
        let url = synced.server.url.clone();
        let args = ["sync", "--watch", "tree", &url];
        let mut command = synced.room.command(args.iter().chain(flags));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = Running::from(command.spawn().expect("it starts"));
        Self { synced, running }
    }

    #[track_caller]
    fn follows(&self, flags: &[&str]) {
        let expected = expected(&self.synced, flags);
        wait_until("the name to move", || named(&self.synced) == expected);
    }
}

#[test]
fn changes_are_followed_and_ctrl_c_ends_it_in_order() {
    let watched = Watched::begin(&[]);
    watched.follows(&[]);
    watched.synced.room.write("tree/a", "changed");
    watched.follows(&[]);
    watched.synced.room.write("tree/new/er/file", "added");
    watched.follows(&[]);
    watched.synced.room.write("tree/new/er/file", "in a folder that is new itself");
    fs::remove_file(watched.synced.room.path("tree/in/b")).expect("it goes");
    watched.follows(&[]);
    // Whoever has said what it did is idle before long.
    std::thread::sleep(std::time::Duration::from_millis(500));
    watched.running.signal("INT");
    let ran = watched.running.ended().exits(0);
    assert!(ran.err.is_empty(), "{}", ran.err);
    let lines = ran.out.lines().count();
    assert!((3..=6).contains(&lines), "a line for each root: {}", ran.out);
}

#[test]
fn what_is_excluded_is_not_followed() {
    let watched = Watched::begin(&["--exclude=*.tmp"]);
    watched.follows(&[]);
    watched.synced.room.write("tree/c.tmp", "left out");
    watched.synced.room.write("tree/d", "taken");
    watched.follows(&["--ignore=*.tmp"]);
}

#[test]
fn a_server_that_goes_away_is_waited_for() {
    let watched = Watched::begin(&[]);
    watched.follows(&[]);
    let Watched { synced: Synced { room, server }, running } = watched;
    let listen = server.url.strip_prefix("http://").expect("a URL").to_owned();
    drop(server);
    room.write("tree/a", "while it is away");
    settle();
    std::thread::sleep(std::time::Duration::from_millis(600));
    let mut again = room.command(["serve", "--listen", &listen]);
    again.env("CARPOOL_STORE", room.path("far")).env("CARPOOL_LOG", "warn");
    let _again = Running::from(again.stdout(Stdio::null()).spawn().expect("it starts"));
    wait_until("the server", || std::net::TcpStream::connect(&listen).is_ok());
    room.write("tree/b", "when it is back");
    let args = ["--store", "fresh", "add", "-Qn", "--hidden", "tree"];
    let expected = room.run(args).exits(0).out.trim().to_owned();
    wait_until("the name to move", || {
        room.run(["names", "--store", "far"]).exits(0).out.starts_with(&expected)
    });
    running.signal("TERM");
    let ran = running.ended();
    assert!(matches!(ran.code, Some(0 | 4)), "{ran:?}");
}

#[test]
fn what_cannot_work_ends_at_once() {
    let synced = Synced::new();
    synced.room.write("tree/a", "alpha");
    let sync = |args: &[&str]| synced.room.run(["sync", "--watch"].iter().chain(args));
    sync(&["none", &synced.server.url]).exits(1).says("none");
    sync(&[&synced.url(), "copy"]).exits(2).says("--watch follows a folder that is sent");
    sync(&["--dry-run", "tree", &synced.server.url]).exits(2);
    let nobody = Command::new("true").status().map(|_| "http://127.0.0.1:9").expect("it runs");
    sync(&["tree", nobody]).exits(1);
}
