//! `carpool car compile`: the CAR that a text stands for.

use carpool_core::Cid;
use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    input::Input,
    renames::Renames,
    text::{Body, Edit, Entry, Error},
    texts::{Texts, wrong},
    writer::{CarWriter, Format, IndexCodec},
};
use crate::{
    args::ServerFlags,
    failure::Outcome,
    output::{Output, size},
};

/// Make a CAR of a text that `debug` printed, edited or not.
///
/// CIDs of edited blocks are computed anew, and links to them in other blocks and in the header
/// are rewritten. Blocks stay in the order of the text. The name in the text's first line is not
/// looked at: the CAR goes where -o says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car compile site.patch -o site.car
  carpool car debug a.car | sed s/draft/final/ | carpool car compile -o b.car
  carpool car compile --version 2 site.patch -o site.car")]
pub(crate) struct CompileArgs {
    /// The text; `-` is standard input
    #[arg(value_name = "TEXT", default_value = "-")]
    pub(crate) text: OsString,
    /// The CAR to make; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: OsString,
    /// Version of the CAR: 1, or 2 with an index [default: what the text says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: Option<u8>,
    /// The same as --version 2
    #[arg(long, conflicts_with = "version")]
    pub(crate) v2: bool,
    /// Keep CIDs whose hash function is not supported as they are
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

pub(super) fn run(args: &CompileArgs, output: &Output) -> Outcome {
    if args.output == "-" {
        output.leave_to_data()?;
    }
    let input = Input::open(&args.text, &args.server)?.seekable(|note| output.note(note))?;
    let renames = Renames::of(&input, args.trust)?;
    let (head, mut texts) = Texts::open(&input)?;
    let said = if head.v2 { 2 } else { 1 };
    let version = if args.v2 { 2 } else { args.version.unwrap_or(said) };
    let format = if version == 2 { Format::V2(IndexCodec::default()) } else { Format::V1 };
    let roots: Vec<Cid> = head.roots.iter().map(|cid| renames.get(cid).unwrap_or(*cid)).collect();
    let begun = (&roots[..], false);
    let mut writer = CarWriter::begin(&args.output, &[&input], format, begun, output)?;
    while let Some((place, entry)) = texts.next()? {
        let block = block(&entry, &renames).map_err(|error| wrong(&input, place.line, &error))?;
        writer.block(&renames.get(&entry.cid).unwrap_or(entry.cid), &block)?;
    }
    let written = writer.finish(None)?;
    for (old, new) in &renames.list {
        output.note(format_args!("{old} is now {new}"));
    }
    if args.output != "-" {
        let (shown, blocks, bytes) = (args.output.to_string_lossy(), written.blocks, written.bytes);
        let renamed =
            |(old, new): &(Cid, Cid)| json!({"cid": old.to_string(), "new": new.to_string()});
        let value = json!({
            "output": shown, "version": version, "blocks": blocks, "bytes": bytes,
            "roots": roots.iter().map(Cid::to_string).collect::<Vec<_>>(),
            "renamed": renames.list.iter().map(renamed).collect::<Vec<_>>(),
        });
        output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
    }
    Ok(())
}

fn block(entry: &Entry<'_>, renames: &Renames) -> Result<Vec<u8>, Error> {
    let mut body: Body = entry.body()?;
    match body.rewrite(|cid| renames.get(cid))? {
        Edit::Same | Edit::Changed => body.encode(),
    }
}
