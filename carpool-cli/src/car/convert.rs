//! `carpool car convert`: the same CAR in another version, or with another index.

use carpool_car::Header;
use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    copy::Copy,
    input::Input,
    seen::{Dedup, Seen},
    writer::{CarWriter, Format, IndexCodec},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
};

/// Change a CAR's version or its index. Sections stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car convert old.car new.car                        CARv2 with an index
  carpool car convert --version 1 in.car out.car             the CARv1 in it
  carpool car convert --codec none in.car out.car            CARv2 without an index
  curl -s https://host/site.car | carpool car convert - site.car")]
pub(crate) struct ConvertArgs {
    /// The CAR; `-` is standard input
    #[arg(value_name = "IN")]
    pub(crate) file: OsString,
    /// The CAR to make; `-` is standard output
    #[arg(value_name = "OUT")]
    pub(crate) out: OsString,
    /// Version of the CAR that is made
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
    /// The index of a CARv2 [default: car-multihash-index-sorted]
    #[arg(short = 'c', long, value_enum, value_name = "CODEC")]
    pub(crate) codec: Option<IndexCodec>,
    /// Copy without hashing
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

pub(super) fn run(args: &ConvertArgs, output: &Output) -> Outcome {
    if args.out == "-" {
        output.leave_to_data()?;
    }
    let format = match (args.version, args.codec) {
        (1, Some(IndexCodec::Multihash | IndexCodec::Sorted)) => {
            return Err(Failure::new(Exit::Usage, "a CARv1 has no index"));
        }
        (1, _) => Format::V1,
        (_, codec) => Format::V2(codec.unwrap_or_default()),
    };
    let input = Input::open(&args.file, &args.read.server)?;
    let meter = input.meter(output);
    let copy = Copy { read: &args.read, verify: !args.trust, want: &|_| true };
    let begin = |header: &Header| {
        CarWriter::begin(&args.out, &[&input], format, (&header.roots, false), output)
    };
    let written = copy.run(&input, &mut Seen::new(Dedup::None), begin)?.finish(None)?;
    drop(meter);
    if args.out != "-" {
        let (shown, blocks, bytes) = (args.out.to_string_lossy(), written.blocks, written.bytes);
        let value = json!({
            "output": shown, "version": args.version, "blocks": blocks, "bytes": bytes,
        });
        output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
    }
    Ok(())
}
