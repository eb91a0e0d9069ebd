//! The command line.

mod add;
mod local;
mod remote;
mod serve;
mod transfer;

use carpool_core::Cid;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

pub(crate) use add::{AddArgs, ImportFlags};
pub(crate) use local::{DiffArgs, ExportArgs, GetArgs, ImportArgs, LsArgs, RepairArgs, StatArgs};
pub(crate) use remote::{DeltaArg, DialectArg, RemoteFlags, ServerFlags, StrategyArg};
pub(crate) use serve::{LogFormat, ServeArgs};
pub(crate) use transfer::{PullArgs, PushArgs, SyncArgs};

/// rsync and git-fetch for Merkle DAGs, over plain HTTP.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Folder of the block store [default: the platform's data directory]
    #[arg(
        long,
        global = true,
        env = "CARPOOL_STORE",
        value_name = "DIR",
        hide_env_values = true,
        help_heading = "Everywhere"
    )]
    pub(crate) store: Option<PathBuf>,
    /// Print one JSON object per result
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  carpool demo                                    see it work, in a temporary folder
  carpool serve --listen 127.0.0.1:4747           offer the local store
  carpool sync ./photos http://127.0.0.1:4747     send a folder; again, and only the change goes
  carpool pull http://127.0.0.1:4747#photos       fetch what a name points to
  carpool get bafy…/2024/a.jpg -o a.jpg           write a file or folder out of the store

Exit codes:
  0 done                 3 damaged data
  1 input or output      4 incomplete; run the same command again to go on
  2 usage                5 refused, by policy or because something has moved";

pub(crate) fn parse_cid(text: &str) -> Result<Cid, String> {
    text.parse().map_err(|error| format!("no CID: {error}"))
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Add(AddArgs),
    Get(GetArgs),
    Ls(LsArgs),
    Stat(StatArgs),
    Diff(DiffArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Car(crate::car::CarArgs),
    Serve(ServeArgs),
    Push(PushArgs),
    Pull(PullArgs),
    Sync(SyncArgs),
    Demo(DemoArgs),
    /// List the names of the store and what they point to. `sync` and `pull URL#name` set them.
    Names,
    Repair(RepairArgs),
    Completions(CompletionsArgs),
}

/// Watch a folder travel to a server, change, and travel again. Works on a copy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool demo             the files that git tracks around the current folder
  carpool demo ./photos    a copy of that folder")]
pub(crate) struct DemoArgs {
    /// The folder to copy [default: the files that git tracks here]
    pub(crate) dir: Option<PathBuf>,
}

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool completions bash > ~/.local/share/bash-completion/completions/carpool
  carpool completions zsh > ~/.zfunc/_carpool
  carpool completions fish > ~/.config/fish/completions/carpool.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}
