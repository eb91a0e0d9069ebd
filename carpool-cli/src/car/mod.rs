//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod args;
mod batches;
mod blocks;
mod check;
mod crew;
mod dag_pb;
mod detach_index;
mod get_block;
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
mod root;
mod scan;
mod target;
mod verify;

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
    }
}
