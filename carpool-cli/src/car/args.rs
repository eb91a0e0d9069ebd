//! The command line of `carpool car`: go-car's names, aliases and flags, anywhere on the line.

use clap::{Args, Subcommand};
use std::ffi::OsString;

use crate::args::ServerFlags;

use super::{
    detach_index::DetachIndexArgs, get_block::GetBlockArgs, index::IndexArgs, inspect::InspectArgs,
    list::ListArgs, verify::VerifyArgs,
};

/// Read, check, make and mend CAR files, with the names and flags of go-car's `car`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct CarArgs {
    #[command(subcommand)]
    pub(crate) verb: CarVerb,
}

/// What can be done with CAR files.
#[derive(Debug, Subcommand)]
pub(crate) enum CarVerb {
    Root(RootArgs),
    Debug(super::debug::DebugArgs),
    Compile(super::compile::CompileArgs),
    Concat(super::concat::ConcatArgs),
    Merge(super::merge::MergeArgs),
    Split(super::split::SplitArgs),
    Recover(super::recover::RecoverArgs),
    Diff(super::diff::DiffArgs),
    #[command(visible_alias = "l", visible_alias = "ls")]
    List(ListArgs),
    Inspect(InspectArgs),
    #[command(visible_alias = "v")]
    Verify(VerifyArgs),
    #[command(visible_alias = "i")]
    Index(IndexArgs),
    DetachIndex(DetachIndexArgs),
    #[command(visible_alias = "gb")]
    GetBlock(GetBlockArgs),
    #[command(visible_alias = "c")]
    Create(super::create::CreateArgs),
    #[command(visible_alias = "x")]
    Extract(super::extract::ExtractArgs),
    #[command(visible_alias = "gd")]
    GetDag(super::get_dag::GetDagArgs),
    #[command(visible_alias = "pb")]
    PutBlock(super::put_block::PutBlockArgs),
    #[command(visible_alias = "f")]
    Filter(super::filter::FilterArgs),
    Convert(super::convert::ConvertArgs),
}

/// How far a file is trusted, and what it may ask for.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadFlags {
    /// Bytes of a header at most
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, help_heading = "Limits")]
    pub(crate) max_header: usize,
    /// Bytes of a section at most
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, help_heading = "Limits")]
    pub(crate) max_section: usize,
    /// Take a section of length zero for the end of the file, as in padded files of Filecoin
    #[arg(long, help_heading = "Limits")]
    pub(crate) null_padding: bool,
    /// Threads that hash [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

/// Print the roots that a CAR's header names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car root site.car
  curl -s https://host/site.car | carpool car root")]
pub(crate) struct RootArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(default_value = "-")]
    pub(crate) file: OsString,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}
