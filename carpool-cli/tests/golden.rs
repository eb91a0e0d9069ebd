//! Roots that Kubo gave, through the command line.

mod common;
use common::{Ran, Room};
use serde_json::Value;
use std::{
    env,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Flags that this program knows.
const KNOWN: [&str; 14] = [
    "--cid-version",
    "--raw-leaves",
    "--chunker=size-",
    "--max-file-links",
    "--max-directory-links",
    "--max-hamt-fanout",
    "--hidden",
    "--ignore",
    "-w",
    "--empty-dirs",
    "--dereference-symlinks",
    "--preserve-mode",
    "--preserve-mtime",
    "--wrap-with-directory",
];
/// Inputs that are larger are for the tests of the crate that makes the DAGs.
const MAX_BYTES: u64 = 1 << 20;

/// Makes the inputs of the cases that come in, one a line with the folder to make it in.
const MAKE: &str = "
import json, runpy, sys
make = runpy.run_path(sys.argv[1])['make']
for line in sys.stdin:
    make(*json.loads(line))
";

fn fixtures() -> PathBuf {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").into();
    env::var_os("CARPOOL_FIXTURES").map_or_else(beside, PathBuf::from).join("unixfs-golden")
}

fn flags(case: &Value) -> Option<Vec<String>> {
    let flags = case["flags"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
    let flags: Vec<String> = flags.collect();
    let known = |flag: &String| KNOWN.iter().any(|known| flag.starts_with(known));
    flags.iter().all(known).then_some(flags)
}

fn is_ours(case: &Value) -> bool {
    let config = case["config"].as_object().is_none_or(serde_json::Map::is_empty);
    let fails = case["error"].is_string();
    config && flags(case).is_some() && (fails || case["bytes"].as_u64() <= Some(MAX_BYTES))
}

fn run(room: &Room, case: &Value, input: &str) -> Ran {
    let profile = case["profile"].as_str().unwrap_or("default");
    let mut command = room.command(["add", "-Q", "-r", "--only-hash", "--profile", profile]);
    command.args(flags(case).expect("it is one of ours")).current_dir(room.path(input));
    match case["args"].as_array() {
        Some(args) => {
            command.args(args.iter().filter_map(Value::as_str));
            command.current_dir(room.path(input).join("input"))
        }
        None => command.arg("input"),
    };
    Ran::of(&mut command)
}

#[test]
fn they_are_ours_too() {
    let Ok(text) = std::fs::read_to_string(fixtures().join("cases.json")) else {
        println!("skipped: no fixtures");
        return;
    };
    let all: Value = serde_json::from_str(&text).expect("the cases are JSON");
    let cases = all["cases"].as_array().expect("cases").iter().filter(|case| is_ours(case));
    let cases: Vec<&Value> = cases.collect();
    let room = Room::new();
    if !make(&room, &cases) {
        println!("skipped: no python3");
        return;
    }
    let wrong: Vec<String> =
        (0..).zip(&cases).filter_map(|(at, case)| wrong(&room, case, at)).collect();
    println!("{} cases", cases.len());
    assert!(cases.len() > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}

fn make(room: &Room, cases: &[&Value]) -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", MAKE]).arg(fixtures().join("generate.py")).stdin(Stdio::piped());
    let Ok(mut child) = python.spawn() else { return false };
    let mut inputs = child.stdin.take().expect("it is piped");
    for (at, case) in cases.iter().enumerate() {
        let line = serde_json::json!([case, room.path(at.to_string())]);
        writeln!(inputs, "{line}").expect("python reads");
    }
    drop(inputs);
    child.wait().is_ok_and(|made| made.success())
}

fn wrong(room: &Room, case: &Value, at: usize) -> Option<String> {
    let ran = run(room, case, &at.to_string());
    let code = if case["error"].is_string() { 2 } else { 0 };
    let root = case["root"].as_str().unwrap_or_default();
    let right = ran.code == Some(code) && ran.out.lines().last().unwrap_or_default() == root;
    (!right).then(|| format!("{}: {root} {ran:?}", case["id"]))
}
