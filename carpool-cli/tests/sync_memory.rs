//! What is remembered of a folder is a cache: damaged, cut, of other settings or of blocks that are
//! gone it costs reading, and never a wrong root.

mod common;
use common::{
    folder::{Synced, memories, settle},
    names, noise,
};
use std::fs;

fn tree() -> Synced {
    let synced = Synced::new();
    for n in 0..10 {
        synced.room.write(format!("tree/{}/{n}", n % 3), noise(n, 1000));
    }
    settle();
    synced.sent(10);
    synced.sent(0);
    synced
}

#[test]
fn it_is_in_the_folder_of_the_store() {
    let synced = tree();
    assert_eq!(memories(&synced.room).len(), 1);
    assert_eq!(names(&synced.room.path("tree")), ["0", "1", "2"]);
}

#[test]
fn damaged_anywhere_it_is_made_anew() {
    let synced = tree();
    let path = memories(&synced.room).remove(0);
    let sound = fs::read(&path).expect("it is read");
    for at in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).expect("it is written");
        synced.sent(10);
    }
    synced.sent(0);
}

#[test]
fn cut_empty_or_garbage_it_is_made_anew() {
    let synced = tree();
    let path = memories(&synced.room).remove(0);
    let sound = fs::read(&path).expect("it is read");
    let half = sound[..sound.len() / 2].to_vec();
    let twice = [&sound[..], &sound].concat();
    for bytes in [half, Vec::new(), noise(1, 5000), twice] {
        fs::write(&path, bytes).expect("it is written");
        synced.sent(10);
    }
    fs::remove_file(&path).expect("it goes");
    synced.sent(10);
    synced.sent(0);
}

#[test]
fn other_settings_make_it_anew() {
    let synced = tree();
    for flags in [
        &["--chunker=size-500"][..],
        &["--profile=default"],
        &["--raw-leaves=false"],
        &["--max-directory-links=2"],
        &["--profile=carpool-v1-meta", "--preserve-mode"],
        &[],
    ] {
        assert_eq!(synced.send(flags)["files_read"], 10, "{flags:?}");
        assert_eq!(synced.send(flags)["files_read"], 0, "{flags:?}");
    }
}

#[test]
fn a_store_that_was_mended_takes_all_files_again() {
    let synced = tree();
    let content = noise(4, 1000);
    let segment = synced.room.path("store/blocks/00000001.car");
    let mut bytes = fs::read(&segment).expect("it is read");
    let at = bytes.windows(64).position(|window| *window == content[..64]).expect("it is there");
    bytes[at] ^= 1;
    fs::write(&segment, bytes).expect("it is written");
    synced.room.run(["repair", "--forget"]).exits(3).says("are forgotten");
    let root = synced.sent(10)["root"].as_str().expect("a root").to_owned();
    synced.sent(0);
    assert_eq!(synced.room.run(["--json", "stat", &root]).exits(0).object()["blocks_missing"], 0);
}

#[test]
fn a_store_that_was_put_in_anothers_place_takes_all_files_again() {
    let synced = tree();
    fs::rename(synced.room.path("store"), synced.room.path("was")).expect("it moves");
    synced.room.run(["add", "tree/0"]).exits(0);
    let (from, to) = (synced.room.path("was/folders"), synced.room.path("store/folders"));
    fs::rename(from, to).expect("it moves");
    assert_eq!(synced.send(&[])["files_read"], 10);
}

/// One block of many is lost in a way that nobody was told of.
#[test]
fn a_push_that_lacks_a_block_reads_all_files_again() {
    let synced = Synced::new();
    for n in 0..2000 {
        synced.room.write(format!("tree/{}/{n}", n % 30), n.to_string());
    }
    settle();
    synced.send(&[]);
    let root = synced.send(&[])["root"].as_str().expect("a root").to_owned();
    // Another store has all but one, and what the first remembers.
    synced.room.run(["export", &root, "-o", "all.car"]).exits(0);
    let one = synced.room.run(["add", "-Qn", "tree/7/7"]).exits(0).out;
    let most =
        ["car", "filter", "--version=1", "--inverse", "--cid-file", "one", "all.car", "most.car"];
    synced.room.write("one", &one);
    synced.room.run(most).exits(0);
    fs::rename(synced.room.path("store"), synced.room.path("was")).expect("it moves");
    synced.room.run(["import", "most.car"]).exits(4);
    let (from, to) = (synced.room.path("was/folders"), synced.room.path("store/folders"));
    fs::rename(from, to).expect("it moves");
    let other = synced.room.serve("other", &[]);
    let sent = synced.room.run(["--json", "sync", "tree", &other.url]).exits(0).object();
    assert_eq!((&sent["root"], &sent["files_read"]), (&root.as_str().into(), &2000.into()));
    synced.room.run(["--store", "new", "pull", &format!("{}#tree", other.url)]).exits(0);
}
