//! Folders that are synced again and again.

use super::{Room, Served};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

/// A folder `tree` and a server to which it goes.
pub struct Synced {
    pub room: Room,
    pub server: Served,
}

impl Synced {
    pub fn new() -> Self {
        let room = Room::new();
        let server = room.serve("far", &[]);
        fs::create_dir(room.path("tree")).expect("a folder");
        Self { room, server }
    }

    /// Syncs `tree` and says what came of it. The root is what an import of all makes.
    #[track_caller]
    pub fn send(&self, flags: &[&str]) -> Value {
        let args = ["--json", "sync", "tree", &self.server.url];
        let sent = self.room.run(args.iter().chain(flags)).exits(0).object();
        let args = ["--store", "fresh", "add", "-Qn", "--hidden", "tree"];
        let all = self.room.run(args.iter().chain(flags)).exits(0).out;
        assert_eq!(sent["root"], all.trim(), "what is remembered made another root");
        sent
    }

    /// As [`send`](Self::send), with the number of files that were read.
    #[track_caller]
    pub fn sent(&self, read: u64) -> Value {
        let sent = self.send(&[]);
        assert_eq!(sent["files_read"], read, "{sent}");
        sent
    }

    pub fn url(&self) -> String {
        format!("{}#tree", self.server.url)
    }
}

/// Lets the clock of the file system move on, so that what was written is believed.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(70));
}

/// Sets when a file was modified.
pub fn set_mtime(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("it opens");
    file.set_times(fs::FileTimes::new().set_modified(time)).expect("its time is set");
}

/// When a file was modified.
pub fn mtime(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|found| found.modified()).expect("it is there")
}

/// All that is remembered of folders.
pub fn memories(room: &Room) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(room.path("store/folders")).expect("a folder");
    let path = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").path();
    all.map(path).filter(|path| path.extension().is_some_and(|end| end == "seen")).collect()
}
