//! Completions for every shell, also into a pipe that closes early.

mod common;
use common::{Ran, Room};
use std::process::{Command, Stdio};

#[test]
fn every_shell_has_them() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = room.run(["completions", shell]).exits(0).out;
        assert!(script.contains("carpool") && script.contains("sync"), "{shell}");
    }
    let syntax = room.run(["completions", "bash"]).exits(0).out;
    let checked = Command::new("bash").args(["-n", "-c", &syntax]).output().expect("bash runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    room.run(["completions", "tcsh"]).exits(2);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let room = Room::new();
    let mut command = room.command(["completions", "bash"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let done = child.wait_with_output().expect("it ends");
    assert_eq!((done.status.code(), done.stderr), (Some(0), Vec::new()));
}

#[test]
fn help_teaches_with_examples() {
    let room = Room::new();
    let verbs = [
        "add",
        "get",
        "ls",
        "stat",
        "export",
        "import",
        "serve",
        "push",
        "pull",
        "sync",
        "demo",
        "repair",
        "completions",
    ];
    for verb in verbs {
        let help = room.run([verb, "--help"]).exits(0).out;
        assert!(help.contains(&format!("carpool {verb}")), "{verb}: {help}");
    }
    let help = Ran::of(&mut room.command(["--help"])).exits(0).out;
    assert!(help.contains("Exit codes"));
}
