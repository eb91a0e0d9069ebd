//! `carpool car concat`: the sections of several CARs in one, as they are.

use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    inputs::{Inputs, JoinFlags, each_section, some_root},
    scan::Scan,
    writer::{CarWriter, Format, IndexCodec, Written},
};
use crate::{
    failure::Outcome,
    output::{Output, size},
};

/// Put the sections of several CARs into one, all of them and in their order.
///
/// The header is that of the first CAR, or of the first one that names a root. Blocks that several
/// have come several times: `merge` has each once, and all roots.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car concat -o all.car a.car b.car c.car
  carpool car concat --version 2 -o all.car a.car b.car
  curl -s https://host/b.car | carpool car concat a.car - > all.car")]
pub(crate) struct ConcatArgs {
    /// The CARs, of either version; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<OsString>,
    #[command(flatten)]
    pub(crate) join: JoinFlags,
}

pub(super) fn run(args: &ConcatArgs, output: &Output) -> Outcome {
    if args.join.output == "-" {
        output.leave_to_data()?;
    }
    let inputs = Inputs::new(&args.files, &args.join, output)?;
    let scan = Scan { read: &args.join.read, verify: !args.join.trust };
    let roots = inputs.roots(scan)?.into_iter().find(|roots| !roots.is_empty());
    let roots = some_root(roots.unwrap_or_default(), output);
    let format = format(args.join.version);
    let mut writer = CarWriter::begin(&args.join.output, &[], format, (&roots, false), output)?;
    inputs.each(|input| {
        each_section(scan, input, |section| writer.block(&section.cid, &section.data).map(drop))
    })?;
    tell(&args.join.output, args.join.version, writer.finish(None)?, output);
    Ok(())
}

/// What a version is written as.
pub(super) fn format(version: u8) -> Format {
    if version == 2 { Format::V2(IndexCodec::default()) } else { Format::V1 }
}

/// Says what was written, unless standard output has it.
pub(super) fn tell(name: &std::ffi::OsStr, version: u8, written: Written, output: &Output) {
    if name == "-" {
        return;
    }
    let (shown, blocks, bytes) = (name.to_string_lossy(), written.blocks, written.bytes);
    let value = json!({"output": shown, "version": version, "blocks": blocks, "bytes": bytes});
    output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
}
