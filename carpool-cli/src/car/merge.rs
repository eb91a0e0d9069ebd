//! `carpool car merge`: several CARs in one, every block once; or what `split` took apart.

use carpool_core::{Cid, CidSet};
use clap::Args;
use std::ffi::OsString;

use super::{
    concat::{format, tell},
    input::Input,
    inputs::{Inputs, JoinFlags, each_section, some_root},
    manifest::Manifest,
    restore,
    scan::Scan,
    seen::{Dedup, Seen},
    writer::{CarWriter, Written},
};
use crate::{failure::Outcome, output::Output, remote::random_seed};

/// Put several CARs into one: every block once, and all roots.
///
/// Given the manifest of a `split` alone, puts together what was split, in its order and with its
/// roots.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car merge -o all.car a.car b.car c.car
  carpool car merge -o site.car parts/site.json        what `split` took apart
  carpool car merge --version 2 -o all.car a.car b.car")]
pub(crate) struct MergeArgs {
    /// The CARs, of either version, or the manifest of a `split`; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<OsString>,
    /// What counts as the same block
    #[arg(long, value_enum, value_name = "BY", default_value = "cid")]
    pub(crate) dedup: Dedup,
    #[command(flatten)]
    pub(crate) join: JoinFlags,
}

pub(super) fn run(args: &MergeArgs, output: &Output) -> Outcome {
    if args.join.output == "-" {
        output.leave_to_data()?;
    }
    let written = match &args.files[..] {
        [file] if file != "-" => {
            let input = Input::open(file, &args.join.read.server)?;
            match Manifest::read(&input)? {
                Some(manifest) => restore::run(&manifest, &input, args, output)?,
                None => union(args, output)?,
            }
        }
        _ => union(args, output)?,
    };
    tell(&args.join.output, args.join.version, written, output);
    Ok(())
}

fn union(args: &MergeArgs, output: &Output) -> Outcome<Written> {
    let inputs = Inputs::new(&args.files, &args.join, output)?;
    let scan = Scan { read: &args.join.read, verify: !args.join.trust };
    let roots = some_root(each_once(inputs.roots(scan)?), output);
    let format = format(args.join.version);
    let mut writer = CarWriter::begin(&args.join.output, &[], format, (&roots, false), output)?;
    let mut seen = Seen::new(args.dedup);
    let keyer = seen.keyer();
    inputs.each(|input| {
        each_section(scan, input, |section| {
            if seen.insert(keyer.key(&section.cid.to_bytes())) {
                writer.block(&section.cid, &section.data)?;
            }
            Ok(())
        })
    })?;
    writer.finish(None)
}

fn each_once(roots: Vec<Vec<Cid>>) -> Vec<Cid> {
    let mut seen = CidSet::with_seed(random_seed());
    roots.into_iter().flatten().filter(|root| seen.insert(root)).collect()
}
