//! Moving DAGs and folders to servers and from them.

use carpool_core::Cid;
use clap::Args;
use std::{num::NonZeroUsize, path::PathBuf};

use super::{ImportFlags, RemoteFlags, parse_cid};

/// Send a DAG to a server: what it lacks, and nothing else.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool push bafy… http://127.0.0.1:4747
  carpool push bafy… http://127.0.0.1:4747 --diff photos   only what is not in `photos` there
  carpool push bafy… https://host/carpool --token s        to a server that wants a token
  carpool push bafy… http://a:4747 http://b:4747           to both at once
  carpool push -v bafy… http://127.0.0.1:4747              say what each round does")]
pub(crate) struct PushArgs {
    /// The root of the DAG
    #[arg(value_parser = parse_cid)]
    pub(crate) root: Cid,
    /// The server; or several, each of which gets all of it
    #[arg(required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Of several servers, those that are pushed to at a time
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) at_once: NonZeroUsize,
    /// A CID or a name of the server that is like this DAG
    #[arg(long, value_name = "CID|NAME")]
    pub(crate) diff: Option<String>,
    /// A root that the server holds for sure; can be given again
    #[arg(long, value_name = "CID", value_parser = parse_cid)]
    pub(crate) held: Vec<Cid>,
    #[command(flatten)]
    pub(crate) remote: RemoteFlags,
}

/// Fetch a DAG from a server: what is missing here, and nothing else.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool pull bafy… http://127.0.0.1:4747       a root
  carpool pull bafy… http://one http://two       a root, from several servers at once
  carpool pull http://127.0.0.1:4747#photos      what a name points to")]
pub(crate) struct PullArgs {
    /// The root, or URL#name
    #[arg(value_name = "ROOT | URL#NAME")]
    pub(crate) what: String,
    /// The server, where the first argument is a root; several send it together
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A root that is held here and like the one that is wanted; can be given again
    #[arg(long, value_name = "CID", value_parser = parse_cid)]
    pub(crate) have: Vec<Cid>,
    #[command(flatten)]
    pub(crate) remote: RemoteFlags,
}

/// Bring a name to a folder, or a folder to a name; afterwards only what changed.
///
/// From a folder to a server: it is added and pushed under a name. From a server to a folder: what the
/// name points to is pulled, and the folder becomes that; files that were changed here since the last
/// sync are listed, and nothing is touched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool sync ./photos http://127.0.0.1:4747           send, under the name `photos`
  carpool sync ./photos http://127.0.0.1:4747#family    send, under the name `family`
  carpool sync http://127.0.0.1:4747#photos ./photos    receive
  carpool sync http://127.0.0.1:4747#photos ./photos --delete
                                                        and remove what is not in it
  carpool sync --exclude '*.tmp' ./photos http://127.0.0.1:4747")]
pub(crate) struct SyncArgs {
    /// The folder, of which every file is taken, hidden ones too; or the server with a name
    #[arg(value_name = "DIR | URL#NAME")]
    pub(crate) from: PathBuf,
    /// The server, and the name after `#` [default: the folder's name]; or the folder
    #[arg(value_name = "URL[#NAME] | DIR")]
    pub(crate) to: PathBuf,
    /// Leave out what a pattern matches, in the notation of .gitignore; can be given again
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// A file of such patterns, as .gitignore is one; can be given again
    #[arg(long, value_name = "FILE")]
    pub(crate) ignore_file: Vec<PathBuf>,
    /// Say what would travel and change; nothing is sent, and nothing is written
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Sending: send again whenever something has changed, until Ctrl-C
    #[arg(short = 'w', long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
    /// Receiving: remove what the name does not have
    #[arg(long)]
    pub(crate) delete: bool,
    /// Receiving: overwrite what was changed here; sending: move the name although somebody else did since
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) import: ImportFlags,
    #[command(flatten)]
    pub(crate) remote: RemoteFlags,
}
