//! `carpool car`: what go-car's `car` does, to files of any size and in any state.

mod args;
mod blocks;
mod input;
mod scan;
mod target;
#[expect(dead_code, reason = "the verbs come next")]
mod text;

pub(crate) use args::CarArgs;

use crate::{failure::Outcome, output::Output};
use args::CarVerb;

pub(crate) fn run(args: &CarArgs, output: &Output) -> Outcome {
    match &args.verb {
        CarVerb::Root(args) => root::run(args, output),
    }
}

mod root;
