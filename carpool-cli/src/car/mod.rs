//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod args;
mod blocks;
mod compile;
mod concat;
mod copy;
mod cursor;
mod debug;
mod diff;
mod input;
mod inputs;
mod manifest;
mod merge;
mod recover;
mod renames;
mod restore;
mod scan;
mod seen;
mod split;
mod subgraphs;
mod target;
mod text;
mod texts;
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
    }
}

mod root;
