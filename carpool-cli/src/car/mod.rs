//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod args;
mod blocks;
mod convert;
mod copy;
mod create;
mod crew;
mod extract;
mod filter;
mod folder;
mod get_dag;
mod input;
mod put_block;
mod scan;
mod seen;
mod target;
mod writer;

pub(crate) use args::CarArgs;

use crate::{failure::Outcome, output::Output};
use args::CarVerb;

pub(crate) fn run(args: &CarArgs, output: &Output) -> Outcome {
    match &args.verb {
        CarVerb::Root(args) => root::run(args, output),
        CarVerb::Create(args) => create::run(args, output),
        CarVerb::Extract(args) => extract::run(args, output),
        CarVerb::GetDag(args) => get_dag::run(args, output),
        CarVerb::PutBlock(args) => put_block::run(args, output),
        CarVerb::Filter(args) => filter::run(args, output),
        CarVerb::Convert(args) => convert::run(args, output),
    }
}

mod root;
