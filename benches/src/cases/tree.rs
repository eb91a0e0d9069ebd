//! 20,000 small files through the real programs.

use std::{path::Path, time::Duration};
use tempfile::TempDir;

use crate::{
    clock::{by_turns, repeated, timed},
    folder, program, relay,
    report::{Goal, Row},
    tree::{TREE_BLOCKS, hash_files, make_tree},
};

const RUNS: usize = 5;
/// Half of a round trip of 50 ms.
const ONE_WAY: Duration = Duration::from_millis(25);

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let tree = folder::temporary();
    let bytes = make_tree(tree.path()).expect("the memory file system takes files");
    let (ours, limit) = by_turns(RUNS, || only_hash(tree.path()), || hash(tree.path(), bytes));
    let row = Row::new("tree", "import of 20,000 files of 1–8 KiB, --only-hash", ours, "s");
    let row = row.against("read and sha2, one thread", limit);
    each(row.goal(Goal::RatioAtLeast(0.85)));
    let (ours, limit) = by_turns(RUNS, || import(tree.path()).0, || hash(tree.path(), bytes));
    let row = Row::new("tree", "import of 20,000 files of 1–8 KiB", ours, "s");
    each(row.beside("read and sha2, one thread", limit).goal(Goal::AtMost(2.4)));
    let (_, root, store) = import(tree.path());
    for (name, delay, goal) in [("loopback", None, 1.5), ("50 ms round trip", Some(ONE_WAY), 2.5)] {
        let (ours, limit) =
            by_turns(RUNS, || pull(&root, store.path(), delay), || hash(tree.path(), bytes));
        let row = Row::new("tree", format!("cold pull of 20,201 blocks, {name}"), ours, "s");
        each(row.beside("read and sha2, one thread", limit).goal(Goal::AtMost(goal)));
        let ours = repeated(RUNS, || push(&root, store.path(), delay));
        let row = Row::new("tree", format!("cold push of 20,201 blocks, {name}"), ours, "s");
        each(row.beside("read and sha2, one thread", limit).goal(Goal::AtMost(goal)));
    }
}

fn hash(tree: &Path, bytes: u64) -> f64 {
    let (seconds, hashed) = timed(|| hash_files(tree).expect("files can be read"));
    assert_eq!(hashed, bytes, "all was read");
    seconds
}

/// Seconds, root and store of an import.
fn import(tree: &Path) -> (f64, String, TempDir) {
    let store = folder::temporary();
    let tree = tree.to_str().expect("a temporary folder has a plain name");
    let (seconds, said) = timed(|| program::run(store.path(), &["add", tree]));
    let root = said["root"].as_str().expect("add prints a root").to_owned();
    (seconds, root, store)
}

/// Seconds of an import that stores nothing.
fn only_hash(tree: &Path) -> f64 {
    let store = folder::temporary();
    let tree = tree.to_str().expect("a temporary folder has a plain name");
    timed(|| program::run(store.path(), &["add", "--only-hash", tree])).0
}

fn pull(root: &str, from: &Path, delay: Option<Duration>) -> f64 {
    let to = folder::temporary();
    let server = program::Serving::carpool(from);
    let url = far(server.url(), delay);
    let (seconds, said) = timed(|| program::run(to.path(), &["pull", root, &url]));
    assert_eq!(said["blocks_received"], TREE_BLOCKS, "all came");
    assert_eq!((&said["blocks_duplicate"], &said["blocks_missing"]), (&0.into(), &0.into()));
    seconds
}

fn push(root: &str, from: &Path, delay: Option<Duration>) -> f64 {
    let to = folder::temporary();
    let server = program::Serving::carpool(to.path());
    let url = far(server.url(), delay);
    let (seconds, said) = timed(|| program::run(from, &["push", root, &url]));
    assert_eq!(said["blocks_sent"], TREE_BLOCKS, "all went, once");
    seconds
}

fn far(url: &str, delay: Option<Duration>) -> String {
    match delay {
        Some(delay) => relay::start(url, delay).expect("loopback has a port"),
        None => url.to_owned(),
    }
}
