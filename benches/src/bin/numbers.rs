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
use std::process::ExitCode;

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
        _ => return measure(&args),
    }
    ExitCode::SUCCESS
}

fn measure(args: &[&str]) -> ExitCode {
    let Some(asked) = Asked::parse(args) else {
        let cases: Vec<_> = ALL.iter().map(|case| case.name).collect();
        eprintln!("{USAGE}\ncases: {}", cases.join(", "));
        return ExitCode::from(2);
    };
    if !asked.json {
        println!("{HEAD}");
    }
    let mut missed = 0;
    for case in ALL.iter().filter(|case| asked.wants(case)) {
        (case.measure)(&mut |row| {
            missed += u32::from(row.reached() == Some(false));
            if asked.json { println!("{}", row.json()) } else { println!("{row}") }
        });
    }
    ExitCode::from(u8::from(missed > 0))
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
