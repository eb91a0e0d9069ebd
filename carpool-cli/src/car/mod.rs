//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod ahead;
mod args;
mod batches;
mod blocks;
mod check;
mod compile;
mod concat;
mod convert;
mod copy;
mod create;
mod crew;
mod cursor;
mod dag_pb;
mod debug;
mod detach_index;
mod diff;
mod extent;
mod extract;
mod filter;
mod findings;
mod folder;
mod get_block;
mod get_dag;
mod heads;
mod index;
mod index_maker;
mod input;
mod inputs;
mod inspect;
mod lines;
mod links;
mod list;
mod manifest;
mod merge;
mod multicodec;
mod put_block;
mod recover;
mod renames;
mod restore;
mod root;
mod salvage;
mod scan;
mod scratch;
mod seen;
mod split;
mod subgraphs;
mod target;
mod text;
mod texts;
mod verify;
mod writer;

pub(crate) use args::CarArgs;

use crate::{failure::Outcome, output::Output};
use args::CarVerb;

pub(crate) fn run(args: &CarArgs, output: &Output) -> Outcome {
    match &args.verb {
        CarVerb::Root(args) => root::run(args, output),
        CarVerb::Debug(args) => debug::run(args, output),
        CarVerb::Compile(args) => compile::run(args, output),
        CarVerb::Concat(args) => concat::run(args, output),
        CarVerb::Merge(args) => merge::run(args, output),
        CarVerb::Split(args) => split::run(args, output),
        CarVerb::Recover(args) => recover::run(args, output),
        CarVerb::Diff(args) => diff::run(args, output),
        CarVerb::List(args) => list::run(args, output),
        CarVerb::Inspect(args) => inspect::run(args, output),
        CarVerb::Verify(args) => verify::run(args, output),
        CarVerb::Index(args) => index::run(args, output),
        CarVerb::DetachIndex(args) => detach_index::run(args, output),
        CarVerb::GetBlock(args) => get_block::run(args, output),
        CarVerb::Create(args) => create::run(args, output),
        CarVerb::Extract(args) => extract::run(args, output),
        CarVerb::GetDag(args) => get_dag::run(args, output),
        CarVerb::PutBlock(args) => put_block::run(args, output),
        CarVerb::Filter(args) => filter::run(args, output),
        CarVerb::Convert(args) => convert::run(args, output),
    }
}
