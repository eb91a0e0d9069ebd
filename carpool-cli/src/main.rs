//! `carpool`: CAR Mirror on the command line.

mod acquainted;
mod args;
mod blocks;
mod car;
mod comparison;
mod explain;
mod failure;
mod files;
mod folders;
mod interrupt;
mod output;
mod pretend;
mod progress;
mod remote;
mod savings;
mod verbs;

use args::{Cli, CompletionsArgs, LogFormat, Verb};
use clap::{CommandFactory, Parser};
use failure::Outcome;
use output::Output;
use serde_json::json;
use std::process::ExitCode;

/// Blocks come and go in great numbers and on several threads: see `docs/architecture.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(&cli.verb);
    let output = Output::new(cli.json);
    let done = run(cli, &output).and_then(|()| output.written());
    interrupt::yield_to();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Warnings on standard error, and with them the requests that are served; `CARPOOL_LOG=debug` for
/// more. Servers run long, so their lines say when.
#[expect(clippy::wildcard_enum_match_arm, reason = "only servers log what they do")]
fn log(verb: &Verb) {
    use tracing_subscriber::{EnvFilter, fmt};
    let (format, default) = match verb {
        Verb::Serve(args) => {
            (Some(args.log_format), "warn,carpool::request=info,carpool::fill=info")
        }
        _ => (None, "warn"),
    };
    let filter = EnvFilter::try_from_env("CARPOOL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        None => log.without_time().init(),
        Some(LogFormat::Text) => log.init(),
        Some(LogFormat::Json) => log.json().flatten_event(true).init(),
    }
}

fn run(cli: Cli, output: &Output) -> Outcome {
    if !matches!(cli.verb, Verb::Serve(_)) {
        interrupt::handle();
    }
    let store = cli.store;
    match cli.verb {
        Verb::Add(args) => verbs::add::run(&args, store, output),
        Verb::Get(args) => verbs::get::run(&args, store, output),
        Verb::Ls(args) => verbs::ls::run(&args, store, output),
        Verb::Stat(args) => verbs::stat::run(&args, store, output),
        Verb::Diff(args) => verbs::diff::run(&args, store, output),
        Verb::Export(args) => verbs::car::export(&args, store, output),
        Verb::Import(args) => verbs::car::import(&args, store, output),
        Verb::Car(args) => car::run(&args, output),
        Verb::Serve(args) => verbs::serve::run(&args, store, output),
        Verb::Push(args) => verbs::push::run(&args, store, output),
        Verb::Pull(args) => verbs::pull::run(&args, store, output),
        Verb::Sync(args) => verbs::sync::run(&args, store, output),
        Verb::Demo(args) => verbs::demo::run(&args, output),
        Verb::Names => verbs::names::run(store, output),
        Verb::Repair(args) => verbs::repair::run(&args, store, output),
        Verb::Completions(args) => completions(&args, output),
    }
}

fn completions(args: &CompletionsArgs, output: &Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "carpool", &mut script);
    let script = String::from_utf8_lossy(&script);
    let value = json!({"shell": args.shell.to_string(), "script": script});
    output.result(&value, script.trim_end());
    Ok(())
}
