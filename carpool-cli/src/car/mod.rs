//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod args;
mod batches;
mod blocks;
mod check;
mod convert;
mod copy;
mod create;
mod crew;
mod dag_pb;
mod detach_index;
mod extent;
mod extract;
mod filter;
mod folder;
mod get_block;
mod get_dag;
mod heads;
mod index;
mod index_maker;
mod input;
mod inspect;
mod ledger;
mod lines;
mod links;
mod list;
mod multicodec;
mod put_block;
mod root;
mod scan;
mod seen;
mod target;
mod verify;
mod writer;

pub(crate) use args::CarArgs;

use crate::{failure::Outcome, output::Output};
use args::CarVerb;

pub(crate) fn run(args: &CarArgs, output: &Output) -> Outcome {
    match &args.verb {
        CarVerb::Root(args) => root::run(args, output),
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
