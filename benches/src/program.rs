//! The real programs: `carpool` and this one, as processes.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The program `carpool`: what `CARPOOL` names, else the one that was built beside this one.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn carpool() -> PathBuf {
    let beside = || {
        let here = std::env::current_exe().expect("a running program has a path");
        here.with_file_name(format!("carpool{}", std::env::consts::EXE_SUFFIX))
    };
    let path = std::env::var_os("CARPOOL").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "build it first: cargo build --release -p carpool-cli");
    path
}

/// Runs `carpool --json --store STORE ARGS…`; returns the last object that it printed.
///
/// # Panics
/// When it fails.
pub fn run(store: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(carpool());
    command.arg("--json").arg("--store").arg(store).args(args);
    last_object(command)
}

/// Runs a command; returns the last JSON object that it printed.
///
/// # Panics
/// When it fails.
pub fn last_object(mut command: Command) -> Value {
    let output = command.stderr(Stdio::inherit()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let last = text.lines().last().expect("it prints a result");
    serde_json::from_str(last).expect("it prints JSON")
}

/// A process that serves until it is dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    /// Where it listens, and what else it printed.
    pub said: Value,
}

impl Serving {
    /// Starts `carpool serve` over a store.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn carpool(store: &Path) -> Self {
        let mut command = Command::new(carpool());
        command.arg("--json").arg("--store").arg(store);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts a command that prints an object with `listening` once it serves.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let out = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it prints where it listens");
        let said = serde_json::from_str(&line).expect("it prints JSON");
        Self { child, said }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it did not say so.
    #[must_use]
    pub fn url(&self) -> &str {
        self.said["listening"].as_str().expect("it says where it listens")
    }

    /// The most memory that it has used, in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> Option<f64> {
        peak_mib(&self.child.id().to_string())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that a process (`self` or a number) has had in use, in MiB, where the system
/// tells.
#[must_use]
pub fn peak_mib(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}
