//! Where the store is: `--store` before or after the verb, then `CARPOOL_STORE`, then the
//! platform's folder.

mod common;
use common::{Ran, Room};

#[test]
fn the_flag_goes_before_and_after_the_verb_and_beats_the_variable() {
    let room = Room::new();
    room.write("file", "x");
    room.run(["--store", "one", "add", "file"]).exits(0);
    room.run(["add", "file", "--store", "two"]).exits(0);
    room.run(["add", "--store=three", "file"]).exits(0);
    assert!(!room.path("store").exists());
    room.run(["add", "file"]).exits(0);
    for store in ["one", "two", "three", "store"] {
        assert!(room.path(store).join("blocks").is_dir(), "{store}");
    }
}

#[test]
fn without_either_it_is_in_the_data_folder() {
    let room = Room::new();
    room.write("file", "x");
    let mut command = room.command(["add", "file"]);
    command.env_remove("CARPOOL_STORE").env("HOME", room.path("home"));
    command.env("XDG_DATA_HOME", room.path("data"));
    Ran::of(&mut command).exits(0);
    if cfg!(target_os = "linux") {
        assert!(room.path("data/carpool/blocks").is_dir());
    }
}

#[test]
fn an_empty_store_is_a_usage_error() {
    let room = Room::new();
    room.run(["--store", "", "names"]).exits(2);
}
