//! Putting files into the store.

use carpool_unixfs::{Chunking, Profile};
use clap::Args;
use std::path::PathBuf;

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

fn parse_profile(name: &str) -> Result<Profile, String> {
    let known = Profile::ALL.map(Profile::name).join(", ");
    name.parse().map_err(|error| format!("{error}; there are {known}"))
}
