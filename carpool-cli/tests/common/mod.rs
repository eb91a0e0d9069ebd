//! A room with a store in it, the program, and servers that stop when they are dropped.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod car;
pub mod dag;
pub mod folder;
pub mod golden;
pub mod relay;

use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A temporary folder: the program runs in it, on the store `store` in it.
pub struct Room(TempDir);

impl Room {
    /// In memory where there is such a thing: the tests sync a lot.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let in_memory = if memory.is_dir() { tempfile::tempdir_in(memory).ok() } else { None };
        Self(in_memory.unwrap_or_else(|| tempfile::tempdir().expect("a temporary folder")))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders that lead to it.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the room")).expect("folders are made");
        fs::write(&path, bytes).expect("a file is written");
        path
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carpool"));
        command.current_dir(self.0.path()).env("CARPOOL_STORE", self.path("store"));
        command.env_remove("CARPOOL_TOKEN").env_remove("CARPOOL_LOG");
        command.stdin(Stdio::null()).args(args);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// Adds `name` and returns its root.
    #[track_caller]
    pub fn add(&self, name: &str) -> String {
        self.run(["add", "-Q", "--hidden", name]).exits(0).out.trim().to_owned()
    }

    /// Starts the program and leaves it running.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().expect("the program starts")))
    }

    /// Serves the store `store` of the room on a free port of loopback; it logs no requests.
    pub fn serve(&self, store: &str, flags: &[&str]) -> Served {
        self.serve_at("127.0.0.1:0", store, flags)
    }

    /// The same at an address.
    pub fn serve_at(&self, address: &str, store: &str, flags: &[&str]) -> Served {
        let store = self.path(store);
        let mut command = self.command(["--json", "serve", "--listen", address]);
        command.args(flags).env("CARPOOL_STORE", store).env("CARPOOL_LOG", "warn");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("the server says where it listens");
        let said: Value = serde_json::from_str(&line).expect("it is JSON");
        let url = said["listening"].as_str().expect("a URL").to_owned();
        Served { url, running: Running(Some(child)) }
    }
}

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let done = command.output().expect("the program runs");
        Self {
            code: done.status.code(),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// What the program said to people holds `what`.
    #[track_caller]
    pub fn says(self, what: &str) -> Self {
        assert!(self.err.contains(what), "{what:?} is not in: {}", self.err);
        self
    }

    /// Every line of standard output is a JSON object.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        let object = |line: &str| {
            let value: Value = serde_json::from_str(line).expect("nothing but JSON");
            assert!(value.is_object(), "{value}");
            value
        };
        self.out.lines().map(object).collect()
    }

    #[track_caller]
    pub fn object(&self) -> Value {
        let mut all = self.objects();
        assert_eq!(all.len(), 1, "one object for one result: {}", self.out);
        all.remove(0)
    }
}

/// A program that runs; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(Some(child))
    }
}

impl Running {
    /// Sends a signal by name: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let id = self.0.as_ref().expect("it runs").id();
        let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Kills the program after a while, unless it has ended by then.
    pub fn kill_after(mut self, delay: Duration) {
        std::thread::sleep(delay);
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            child.wait().expect("it ends");
        }
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Ran {
        let done = self.0.take().expect("it runs").wait_with_output().expect("it ends");
        Ran {
            code: done.status.code(),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server of the program.
#[derive(Debug)]
pub struct Served {
    pub url: String,
    pub running: Running,
}

/// Bytes that no two chunks have in common, the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Refuses any difference between two folders, files or links.
#[track_caller]
pub fn assert_same(left: &Path, right: &Path) {
    let run = Command::new("diff").args(["-r", "--no-dereference"]).args([left, right]).output();
    let run = run.expect("diff runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

/// Waits until `done` holds.
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Names of a folder's entries, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = fs::read_dir(folder).expect("a folder").map(name).collect();
    names.sort_unstable();
    names
}
