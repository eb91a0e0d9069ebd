//! What is done with the store alone.

use carpool_core::Cid;
use clap::Args;
use std::path::PathBuf;

use super::parse_cid;

/// Write a file or folder out of the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool get bafy… -o site            site becomes that folder
  carpool get bafy…/index.html -o -    a file to standard output")]
pub(crate) struct GetArgs {
    /// CID, or CID/path/below
    pub(crate) path: String,
    /// What becomes that file or folder; `-` is standard output [default: the last name]
    #[arg(short = 'o', long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub(crate) force: bool,
}

/// List a folder: CID, bytes with all below, name.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool ls bafy…
  carpool ls bafy…/photos/2024")]
pub(crate) struct LsArgs {
    /// CID, or CID/path/below
    pub(crate) path: String,
}

/// Say what a DAG consists of, and whether all of it is held.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool stat bafy…          exit code 4 where blocks are missing
  carpool --json stat bafy…   the same for programs")]
pub(crate) struct StatArgs {
    /// The root of the DAG
    #[arg(value_parser = parse_cid)]
    pub(crate) root: Cid,
}

/// Compare two DAGs of the store: paths, bytes, and the blocks that both have.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool diff bafy… bafy…            A added, M modified, D removed, T of another kind
  carpool diff bafy…/src bafy…/src    below a path
  carpool diff --stat bafy… photos    and what sending the second to who holds the first would take;
                                      `photos` is a name of the store
  carpool --json diff bafy… bafy…     an object a path, and one of all")]
pub(crate) struct DiffArgs {
    /// The first: CID, CID/path/below, or a name of the store
    #[arg(value_name = "ROOT_A")]
    pub(crate) a: String,
    /// The second
    #[arg(value_name = "ROOT_B")]
    pub(crate) b: String,
    /// Encode what only the second has, in every way, and say how many bytes that takes
    #[arg(long)]
    pub(crate) stat: bool,
}

/// Write a DAG into a CAR file, which any IPFS tool imports.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool export bafy… -o site.car            the file appears, or is replaced, once it is whole
  carpool export bafy… | ssh host carpool import -")]
pub(crate) struct ExportArgs {
    /// The root of the DAG
    #[arg(value_parser = parse_cid)]
    pub(crate) root: Cid,
    /// The CAR file; `-` is standard output
    #[arg(short = 'o', long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

/// Read the blocks of a CAR file into the store and print its roots.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool import site.car
  carpool import - < site.car

Every block is checked. Those before a fault are kept; exit code 3 says that there was one, 4 that
the CAR has only a part of the DAG.")]
pub(crate) struct ImportArgs {
    /// The CAR file; `-` is standard input
    pub(crate) file: PathBuf,
}

/// Check every block of the store, or rebuild its index from its CAR files.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool repair             read and hash every block; exit code 3 where one is damaged
  carpool repair --forget    and forget those, so that they can be added or pulled again
  carpool repair --rebuild   make the index anew")]
pub(crate) struct RepairArgs {
    /// Rebuild the index; no other command may be using the store
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Forget damaged blocks, so that they can be added, imported or pulled again
    #[arg(long, conflicts_with = "rebuild")]
    pub(crate) forget: bool,
}
