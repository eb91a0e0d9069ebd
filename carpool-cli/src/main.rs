//! `carpool`: CAR Mirror on the command line.

mod args;
mod blocks;
mod failure;
mod files;
mod output;
mod remote;
mod verbs;

use args::{Cli, Verb};
use clap::{CommandFactory, Parser};
use failure::{Exit, Outcome};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    let output = Output::new(cli.json);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Warnings on standard error; `CARPOOL_LOG=debug` for more.
fn log() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_env("CARPOOL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}

/// Blocks are safe once they are written, so an interrupt needs no farewell, only a word.
fn stop_on_interrupt() {
    let stop = || {
        eprintln!("carpool: interrupted; what is done is kept, run the same command again to go on");
        std::process::exit(Exit::Incomplete as i32);
    };
    if let Err(error) = ctrlc::set_handler(stop) {
        tracing::warn!(%error, "interrupts are not handled");
    }
}

fn run(cli: Cli, output: &Output) -> Outcome {
    if !matches!(cli.verb, Verb::Serve(_)) {
        stop_on_interrupt();
    }
    let store = cli.store;
    match cli.verb {
        Verb::Add(args) => verbs::add::run(&args, store, output),
        Verb::Get(args) => verbs::get::run(&args, store, output),
        Verb::Ls(args) => verbs::ls::run(&args, store, output),
        Verb::Stat(args) => verbs::stat::run(&args, store, output),
        Verb::Export(args) => verbs::car::export(&args, store, output),
        Verb::Import(args) => verbs::car::import(&args, store, output),
        Verb::Serve(args) => verbs::serve::run(&args, store, output),
        Verb::Push(args) => verbs::push::run(&args, store, output),
        Verb::Pull(args) => verbs::pull::run(&args, store, output),
        Verb::Sync(args) => verbs::sync::run(&args, store, output),
        Verb::Demo(args) => verbs::demo::run(&args, output),
        Verb::Names => verbs::names::run(store, output),
        Verb::Repair(args) => verbs::repair::run(&args, store, output),
        Verb::Completions(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "carpool", &mut std::io::stdout());
            Ok(())
        }
    }
}
