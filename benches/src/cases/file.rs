//! One large file through the real program.

use sha2::{Digest, Sha256};
use std::{hint::black_box, path::Path};

use super::rate;
use crate::{
    clock::{by_turns, repeated, seconds, timed},
    folder, program,
    report::{Goal, Row},
    tree::{hash_files, make_file},
};

const BYTES: u64 = 1 << 30;
const RUNS: usize = 5;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let folder = folder::temporary();
    let path = folder.path().join("file");
    make_file(&path, BYTES).expect("the memory file system takes a gigabyte");
    let read = || seconds(|| hash_files(&path).expect("the file can be read"));
    let (ours, limit) = by_turns(RUNS, || add(&path, &[]), read);
    let row = Row::new("file", "import of 1 GiB", rate(BYTES, ours), "MB/s");
    each(row.beside("read and sha2, one thread", rate(BYTES, limit)).goal(Goal::RatioAtLeast(0.8)));
    let (ours, limit) = by_turns(RUNS, || add(&path, &["--only-hash"]), read);
    let row = Row::new("file", "import of 1 GiB, --only-hash", rate(BYTES, ours), "MB/s");
    each(row.beside("read and sha2, one thread", rate(BYTES, limit)).goal(Goal::RatioAtLeast(2.5)));
    let bare = bare();
    each(Row::new("file", "sha2 of 256 KiB in cache, one core", bare, "MB/s"));
}

fn add(path: &Path, flags: &[&str]) -> f64 {
    let store = folder::temporary();
    let path = path.to_str().expect("a temporary folder has a plain name");
    let args = [&["add", path], flags].concat();
    let (seconds, said) = timed(|| program::run(store.path(), &args));
    assert_eq!(said["bytes"], BYTES, "all was imported");
    seconds
}

fn bare() -> f64 {
    let block = vec![7; 256 << 10];
    let hash = || {
        for _ in 0..64 {
            black_box(Sha256::digest(black_box(&block)));
        }
    };
    rate(64 << 18, repeated(11, || seconds(hash)))
}
