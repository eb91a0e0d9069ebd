//! The command line.

use carpool_core::Cid;
use carpool_http::{
    ServerOptions,
    client::{Compress, Deltas},
};
use carpool_mirror::planner::Step;
use carpool_unixfs::{Chunking, Profile};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

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

fn parse_profile(name: &str) -> Result<Profile, String> {
    let known = Profile::ALL.map(Profile::name).join(", ");
    name.parse().map_err(|error| format!("{error}; there are {known}"))
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

/// Put files and folders into the store and print their roots.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool add notes.txt                      the root of one file
  carpool add --only-hash ./site             what the root would be; nothing is stored
  carpool add -w a.txt b.txt                 both in one folder, of which the root is printed
  carpool add --ignore='*.tmp' ./site        without what the pattern matches
  carpool add --profile default ./site       the root that `ipfs add -r` prints
  carpool add --profile carpool-v1-meta --preserve-mode --preserve-mtime ./site
                                             permissions and times too
  carpool add --chunker=size-65536 big.bin   smaller leaves")]
pub(crate) struct AddArgs {
    /// Files and folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) import: ImportFlags,
    /// Take hidden files too
    #[arg(short = 'H', long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) hidden: Option<bool>,
    /// Leave out what a pattern matches, in the notation of .gitignore; can be given again
    #[arg(long, value_name = "PATTERN")]
    pub(crate) ignore: Vec<String>,
    /// Put everything into a folder, so that names are kept
    #[arg(short = 'w', long = "wrap-with-directory", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) wrap: Option<bool>,
    /// Compute roots and store nothing
    #[arg(short = 'n', long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) only_hash: Option<bool>,
    /// Print roots and nothing else
    #[arg(short = 'Q', long, visible_short_alias = 'q', visible_alias = "quiet")]
    pub(crate) quieter: bool,
    /// Folders are always taken with all that is in them; this is for fingers used to `ipfs add -r`
    #[arg(short = 'r', long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true, hide = true)]
    pub(crate) recursive: Option<bool>,
}

/// How files become DAGs: flags beat the profile and are spelled as Kubo's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ImportFlags {
    /// Import settings: unixfs-v1-2025, unixfs-v0-2015 (legacy-cid-v0), default, carpool-v1-meta,
    /// carpool-v1-fastcdc
    #[arg(long, default_value_t, value_name = "NAME", value_parser = parse_profile)]
    pub(crate) profile: Profile,
    /// Version of the CIDs of nodes: 0 or 1
    #[arg(long, value_name = "N")]
    pub(crate) cid_version: Option<u64>,
    /// Leaves are the bytes of the file and nothing else
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) raw_leaves: Option<bool>,
    /// Where files are cut: size-N, or fastcdc-N where their content says so, after N bytes on average
    #[arg(short = 's', long, value_name = "CHUNKER")]
    pub(crate) chunker: Option<Chunking>,
    /// Links of a file's node at most
    #[arg(long, value_name = "N")]
    pub(crate) max_file_links: Option<usize>,
    /// Entries of a folder above which it is sharded
    #[arg(long, value_name = "N")]
    pub(crate) max_directory_links: Option<usize>,
    /// Slots of a shard: a power of two from 8 to 1024
    #[arg(long, value_name = "N")]
    pub(crate) max_hamt_fanout: Option<u64>,
    /// Take empty folders [default: true]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) empty_dirs: Option<bool>,
    /// Store what symbolic links lead to, in place of the links
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) dereference_symlinks: Option<bool>,
    /// Keep permissions
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) preserve_mode: Option<bool>,
    /// Keep times of modification
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL", hide_possible_values = true)]
    pub(crate) preserve_mtime: Option<bool>,
}

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

/// Offer the store over HTTP.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool serve                                  on 127.0.0.1:4747, for this machine
  carpool serve --listen 0.0.0.0:4747 --token s  for others, who need the token
  carpool serve --read-only                      take nothing
  carpool serve --peer http://10.0.0.2:4747      fetch from there what is asked for and not held
  carpool serve --log-format json                one JSON object per request, for log collectors

What was counted is at /metrics, for Prometheus.")]
pub(crate) struct ServeArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4747")]
    pub(crate) listen: SocketAddr,
    /// Refuse pushes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// A token that clients have to give
    #[arg(long, env = "CARPOOL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// A server to fetch from what is asked for and not held here; can be given again
    #[arg(long, value_name = "URL")]
    pub(crate) peer: Vec<String>,
    /// The token that peers want
    #[arg(long, env = "CARPOOL_PEER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) peer_token: Option<String>,
    /// How requests are logged on standard error; CARPOOL_LOG=warn logs none
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Leave out /metrics
    #[arg(long)]
    pub(crate) no_metrics: bool,
    /// Send and take nothing compressed
    #[arg(long)]
    pub(crate) no_compress: bool,
    #[command(flatten, next_help_heading = "What clients may take")]
    pub(crate) bounds: BoundArgs,
}

/// What one client may take from the others. The rest of the limits is in the book.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// Connections at a time; others wait
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().max_connections)]
    pub(crate) max_connections: usize,
    /// Transfers at a time; others are told to come back
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().max_transfers)]
    pub(crate) max_transfers: usize,
    /// Bytes of one push
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().limits.max_car_bytes)]
    pub(crate) max_push_bytes: u64,
    /// Seconds that the head of a request may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) header_timeout: Duration,
    /// Seconds that a connection may be open without a request
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) idle_timeout: Duration,
    /// Seconds that a body may stand still
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) stall_timeout: Duration,
    /// Bytes a second that a body has to move, over that time
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().min_bytes_per_second)]
    pub(crate) min_rate: u64,
    /// Bytes for what was sent to clients that come again; 0 remembers nothing
    #[arg(long, value_name = "BYTES",
          default_value_t = ServerOptions::default().max_sessions_bytes)]
    pub(crate) max_sessions_bytes: usize,
    /// Seconds that it is remembered
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) session_timeout: Duration,
}

impl BoundArgs {
    pub(crate) const fn apply(&self, options: &mut ServerOptions) {
        options.max_connections = self.max_connections;
        options.max_transfers = self.max_transfers;
        options.limits.max_car_bytes = self.max_push_bytes;
        options.header_timeout = self.header_timeout;
        options.idle_timeout = self.idle_timeout;
        options.stall_timeout = self.stall_timeout;
        options.min_bytes_per_second = self.min_rate;
        options.max_sessions_bytes = self.max_sessions_bytes;
        options.session_timeout = self.session_timeout;
    }
}

/// A time of which something is left.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("more than no seconds".to_owned()) } else { Ok(time) }
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// The dialects of CAR Mirror.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DialectArg {
    /// Find out: a URL that ends in /dag is tried as car-mirror's first, others as the specification's
    #[default]
    Auto,
    /// CAR Mirror over HTTP 0.2.0
    Spec,
    /// car-mirror 0.1.0 for Rust
    CarMirror,
}

/// How to find out what is missing.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum StrategyArg {
    /// What is likely to take the least time
    #[default]
    Auto,
    /// Name old roots that both hold
    Held,
    /// A Bloom filter of all that is held
    Filter,
    /// A filter of blocks with links, then a bit for each leaf
    Interior,
    /// A bit for each link, level by level
    Levels,
    /// A sketch of all that is held
    Sketch,
    /// Ask for all of it
    Everything,
}

impl StrategyArg {
    pub(crate) const fn step(self) -> Option<Step> {
        match self {
            Self::Auto => None,
            Self::Held => Some(Step::HeldRoots),
            Self::Filter => Some(Step::Filter),
            Self::Interior => Some(Step::InteriorFilter),
            Self::Levels => Some(Step::Bitmaps),
            Self::Sketch => Some(Step::Sketch),
            Self::Everything => Some(Step::Everything),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum DeltaArg {
    /// From servers that are not on this machine or beside it
    #[default]
    Auto,
    Always,
    Never,
}

impl DeltaArg {
    pub(crate) const fn when(self) -> Deltas {
        match self {
            Self::Auto => Deltas::Auto,
            Self::Always => Deltas::Always,
            Self::Never => Deltas::Never,
        }
    }
}

/// When to compress.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CompressArg {
    /// Where the server is far or the way to it slow, and what is sent compresses
    #[default]
    Auto,
    /// Wherever what is sent compresses
    Always,
    /// Not at all
    Never,
}

impl CompressArg {
    pub(crate) const fn when(self) -> Compress {
        match self {
            Self::Auto => Compress::Auto,
            Self::Always => Compress::Always,
            Self::Never => Compress::Never,
        }
    }
}

/// What a server wants to see before it answers, and how it is known.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerFlags {
    /// A header for every request; can be given again
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The token that the server wants
    #[arg(long, env = "CARPOOL_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Certificates to trust beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

/// How to speak to a server.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RemoteFlags {
    #[command(flatten)]
    pub(crate) server: ServerFlags,
    /// How the server speaks: as the specification says, or as car-mirror 0.1.0 does
    #[arg(long, value_enum, default_value_t, value_name = "DIALECT")]
    pub(crate) dialect: DialectArg,
    /// HTTP/2 over cleartext at once (https negotiates it)
    #[arg(long)]
    pub(crate) http2: bool,
    /// The one way to find out what is missing, where both sides can take it
    #[arg(long, value_enum, default_value_t, value_name = "STRATEGY")]
    pub(crate) strategy: StrategyArg,
    /// Whether what is pulled may come as what differs from an old root that both sides hold
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) delta: DeltaArg,
    /// Compress what travels: where the way is slow, always, or never
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) compress: CompressArg,
    /// Explain the plan and each round on standard error, in place of progress bars
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

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
