//! What was acknowledged survives the death of the process.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_store::{BlockStore, Recovery};
use common::{blocks, cids, data, open};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const FOLDER: &str = "CARPOOL_TEST_KILL_FOLDER";

const BATCHES: &str = "CARPOOL_TEST_KILL_BATCHES";
const ACKNOWLEDGED: &str = "acknowledged ";

/// The test `victim` in a process of its own, which aborts after so many batches of 100 blocks.
fn victim_process(folder: &Path, batches: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "victim", "--nocapture"]);
    command.env(FOLDER, folder).env(BATCHES, batches.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run_victim(folder: &Path, batches: u64) {
    assert!(!victim_process(folder, batches).status().unwrap().success());
}

#[test]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let batches: u64 = std::env::var(BATCHES).unwrap().parse().unwrap();
    let store = open(Path::new(&folder));
    for batch in 0..batches {
        store.put_many(&blocks(batch * 100..batch * 100 + 100, 200)).unwrap();
        eprintln!("{ACKNOWLEDGED}{batch}");
    }
    std::process::abort();
}

#[test]
fn acknowledged_blocks_survive_an_abort() {
    // 400 batches are more rows than may be pending, so part of them is committed.
    for batches in [1, 30, 400] {
        let folder = common::folder();
        run_victim(folder.path(), batches);
        let all = blocks(0..batches * 100, 200);
        let store = open(folder.path());
        assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
        assert_eq!(store.stats().unwrap().blocks, batches * 100);
        let report = store.recovery();
        assert_eq!((report.blocks, report.cuts.len()), (batches * 100, 0));
        drop(store);
        assert_eq!(open(folder.path()).recovery(), Recovery::default());
    }
}

#[test]
fn a_store_that_is_open_takes_over_from_a_dead_writer() {
    let folder = common::folder();
    let store = open(folder.path());
    run_victim(folder.path(), 2);
    let all = blocks(0..200, 200);
    store.put_many(&all[..1]).unwrap();
    assert_eq!(store.recovery().blocks, 200);
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    assert_eq!(common::segments(folder.path()).len(), 1);
}

#[test]
fn a_kill_at_any_time_takes_nothing_that_was_acknowledged() {
    for acknowledged in [1_usize, 9, 50, 120, 333] {
        let folder = common::folder();
        let mut command = victim_process(folder.path(), 100_000);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.filter(|line| line.as_ref().unwrap().starts_with(ACKNOWLEDGED));
        assert_eq!(told.take(acknowledged).count(), acknowledged);
        child.kill().unwrap();
        child.wait().unwrap();

        let all = blocks(0..acknowledged as u64 * 100, 200);
        let store = open(folder.path());
        assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
        assert!(store.recovery().damaged.is_empty() && store.recovery().lost_blocks == 0);
        assert!(store.scrub().unwrap().damaged.is_empty());
    }
}
