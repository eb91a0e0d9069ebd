//! A relay on this machine that makes a long way of loopback, and counts what passes.
//!
//! ```text
//! cargo run --release -p benches --bin relay -- HOST:PORT [--rtt MS] [--mbps MBPS]
//! ```
//!
//! It says where it listens, and answers each line on its standard input with what has passed up to then,
//! as JSON. It ends with its standard input. TCP's own slow start is not made slower than it is on loopback.

use benches::relay::{Passed, Way, start_way};
use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

const USAGE: &str = "usage: relay HOST:PORT [--rtt MS] [--mbps MBPS]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((target, way)) = asked(&args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(target, way) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn asked(args: &[String]) -> Option<(&str, Way)> {
    let (target, flags) = args.split_first()?;
    let mut way = Way { handshakes: true, ..Way::default() };
    for flag in flags.chunks(2) {
        let [name, value] = flag else { return None };
        let value: u64 = value.parse().ok()?;
        match name.as_str() {
            "--rtt" => way.one_way = Duration::from_millis(value) / 2,
            "--mbps" => way.bytes_per_second = value.checked_mul(125_000).filter(|n| *n > 0),
            _ => return None,
        }
    }
    Some((target, way))
}

fn run(target: &str, way: Way) -> io::Result<()> {
    let (at, passed) = start_way(target, way)?;
    say(&at)?;
    for line in io::stdin().lock().lines() {
        line?;
        say(&counted(&passed))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn counted(passed: &Passed) -> String {
    let Passed { up, down, turns, connections } = passed;
    let [up, down, turns, connections] = [up, down, turns, connections].map(|n| n.load(Relaxed));
    format!(r#"{{"up":{up},"down":{down},"turns":{turns},"connections":{connections}}}"#)
}
