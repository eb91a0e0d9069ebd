//! Measures every number of the book, each beside its limit in the same run.
//!
//! ```text
//! cargo build --release -p carpool-cli
//! cargo run --release -p benches --bin numbers -- [--json] [--long] [--only CASE]…
//! ```

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use benches::{
    cases::{ALL, Case, peak_pull, peak_push, serve_sink, serve_source},
    report::HEAD,
};
use std::process::{Command, ExitCode};

/// Milliseconds after which the allocator gives memory back to the system; -1 is never.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";
/// The verb for a case in a process of its own.
const ALONE: &str = "alone";

const USAGE: &str = "\
usage: numbers [--json] [--long] [--only CASE]…

  --json        one JSON object a number, in place of a table
  --long        the cases that take minutes too
  --only CASE   this case alone; can be given again

`carpool` has to be built beside it: cargo build --release -p carpool-cli";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["peak-serve-source"] => serve_source(),
        ["peak-serve-sink"] => serve_sink(),
        ["peak-pull", url, http, root] => peak_pull(url, http == "--http2", root),
        ["peak-push", url, http, _] => peak_push(url, http == "--http2"),
        [ALONE, ref rest @ ..] => return measure(rest, true),
        _ => return measure(&args, false),
    }
    ExitCode::SUCCESS
}

fn measure(args: &[&str], alone: bool) -> ExitCode {
    let Some(asked) = Asked::parse(args) else {
        let cases: Vec<_> = ALL.iter().map(|case| case.name).collect();
        eprintln!("{USAGE}\ncases: {}", cases.join(", "));
        return ExitCode::from(2);
    };
    if !asked.json && !alone {
        println!("{HEAD}");
    }
    let mut reached = true;
    for case in ALL.iter().filter(|case| asked.wants(case)) {
        let elsewhere = case.keeps_memory && !alone && std::env::var_os(PURGE_DELAY).is_none();
        reached &= if elsewhere { measure_alone(case, asked.json) } else { rows(case, asked.json) };
    }
    ExitCode::from(u8::from(!reached))
}

/// Whether all goals of a case are reached.
fn rows(case: &Case, json: bool) -> bool {
    let mut reached = true;
    (case.measure)(&mut |row| {
        reached &= row.reached() != Some(false);
        if json { println!("{}", row.json()) } else { println!("{row}") }
    });
    reached
}

/// As [`rows`], in a process of its own whose allocator keeps the memory that it was given back.
fn measure_alone(case: &Case, json: bool) -> bool {
    let program = std::env::current_exe().expect("a program has a path");
    let args = [ALONE, "--only", case.name].into_iter().chain(json.then_some("--json"));
    let ended = Command::new(program).args(args).env(PURGE_DELAY, "-1").status();
    ended.expect("this program runs").success()
}

#[derive(Default)]
struct Asked<'a> {
    json: bool,
    long: bool,
    only: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    fn parse(args: &[&'a str]) -> Option<Self> {
        let (mut asked, mut args) = (Self::default(), args.iter());
        while let Some(arg) = args.next() {
            match *arg {
                "--json" => asked.json = true,
                "--long" => asked.long = true,
                "--only" => asked.only.push(args.next()?),
                _ => return None,
            }
        }
        let known = |only: &&str| ALL.iter().any(|case| case.name == *only);
        asked.only.iter().all(known).then_some(asked)
    }

    fn wants(&self, case: &Case) -> bool {
        if self.only.is_empty() { self.long || !case.long } else { self.only.contains(&case.name) }
    }
}
