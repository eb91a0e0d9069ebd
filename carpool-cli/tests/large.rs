//! Large trees in bounded memory. Minutes and gigabytes: only where `CARPOOL_LONG` is set, with
//! the program in `CARPOOL_BIN` or, without it, this build's.

mod common;
use common::{Room, assert_same};
use std::{env, ffi::OsString, fs, path::Path, process::Command, time::Instant};

/// Runs the program and returns what it printed; its peak memory in MiB is at most `limit`.
#[track_caller]
fn measured(room: &Room, limit: u64, args: &[&str]) -> String {
    let program = env::var_os("CARPOOL_BIN");
    let program = program.unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_carpool")));
    let begun = Instant::now();
    let mut command = Command::new("bash");
    let peak = room.path("peak");
    // Peak memory of the children of a shell that has one.
    command.arg("-c").arg(
        "peak=$1; shift; \"$@\" & id=$!; \
         while grep VmHWM /proc/$id/status > \"$peak.next\" 2> /dev/null && [ -s \"$peak.next\" ]; \
         do mv \"$peak.next\" \"$peak\"; sleep 0.02; done; wait $id",
    );
    command.arg("bash").arg(&peak).arg(program).args(args).current_dir(room.path(""));
    let ran = common::Ran::of(command.env("CARPOOL_STORE", room.path("store"))).exits(0);
    let text = fs::read_to_string(&peak).expect("it ran for a while");
    let kib = text.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    let mib = kib.expect("a number") >> 10;
    println!("{args:?}: {:.1} s, {mib} MiB", begun.elapsed().as_secs_f64());
    assert!(mib < limit, "{args:?}: {mib} MiB, limit {limit}");
    ran.out.trim().to_owned()
}

fn wanted() -> bool {
    let wanted = env::var_os("CARPOOL_LONG").is_some();
    if !wanted {
        println!("skipped: CARPOOL_LONG is not set");
    }
    wanted
}

#[test]
fn a_hundred_thousand_small_files() {
    if !wanted() {
        return;
    }
    let room = Room::new();
    for n in 0..100_000 {
        room.write(format!("tree/{}/{n}", n / 1000), format!("file {n}"));
    }
    let root = measured(&room, 200, &["add", "-Q", "tree"]);
    measured(&room, 200, &["get", &root, "-o", "back"]);
    assert_same(&room.path("tree"), &room.path("back"));
}

#[test]
fn a_sparse_file_of_4_gib() {
    if !wanted() {
        return;
    }
    let room = Room::new();
    let file = fs::File::create(room.path("sparse")).expect("a file is made");
    file.set_len(4 << 30).expect("it grows");
    let root = measured(&room, 200, &["add", "-Q", "sparse"]);
    measured(&room, 200, &["get", &root, "-o", "back"]);
    let found = fs::metadata(room.path("back")).expect("it is there");
    assert_eq!(found.len(), 4 << 30);
}

#[test]
fn a_folder_of_a_million_entries() {
    if !wanted() {
        return;
    }
    let room = Room::new();
    fs::create_dir(room.path("tree")).expect("a folder is made");
    for n in 0..1_000_000 {
        let path = room.path("tree").join(format!("entry number {n:07}"));
        fs::write(path, "").expect("a file is written");
    }
    let root = measured(&room, 400, &["add", "-Q", "tree"]);
    measured(&room, 400, &["get", &root, "-o", "back"]);
    let count = |path: &Path| fs::read_dir(path).expect("a folder").count();
    assert_eq!(count(&room.path("back")), 1_000_000);
}
