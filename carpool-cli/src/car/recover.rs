//! `carpool car recover`: what still verifies in a damaged CAR, in a CAR of its own.

use carpool_car::Header;
use carpool_core::Cid;
use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    concat::format,
    input::Input,
    inputs::no_root,
    salvage::{Loss, Salvage, Step, inner_header},
    scan::Scan,
    writer::CarWriter,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
};

/// Copy every block that verifies out of a damaged CAR.
///
/// After damage it goes on at the next section whose hash is right, and reports what lies between
/// as lost, in byte ranges. CARv2s that were never finalised are read. Exits with 3 where anything
/// was lost; OUT is whole and good even then.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car recover damaged.car good.car
  carpool --json car recover damaged.car good.car      {\"lost\":{\"offset\":…,\"end\":…,…}} a range
  carpool car recover --root bafy… damaged.car good.car")]
pub(crate) struct RecoverArgs {
    /// The damaged CAR; `-` is standard input
    #[arg(value_name = "IN")]
    pub(crate) file: OsString,
    /// The CAR to make; `-` is standard output
    #[arg(value_name = "OUT")]
    pub(crate) out: OsString,
    /// Version of the CAR that is made: 1, or 2 with an index
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
    /// A root to name in place of those in the header, which may be lost
    #[arg(long, value_name = "CID", value_parser = crate::args::parse_cid)]
    pub(crate) root: Vec<Cid>,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

pub(super) fn run(args: &RecoverArgs, output: &Output) -> Outcome {
    if args.out == "-" {
        output.leave_to_data()?;
    }
    let input = Input::open(&args.file, &args.read.server)?.seekable(|note| output.note(note))?;
    let meter = input.meter(output);
    let opening = Scan { read: &args.read, verify: false }.opening(&input);
    let (opening, header) = match opening {
        Ok(opening) => (Some(opening), None),
        Err(failure) if failure.exit == Exit::Damaged => (None, Some(failure.to_string())),
        Err(failure) => return Err(failure),
    };
    let inner = if header.is_some() { inner_header(&input, &args.read)? } else { None };
    let (inner, at) = inner.unzip();
    let found = opening.as_ref().map(|opening| &opening.header).or(inner.as_ref());
    let roots = roots(args, found, output);
    let format = format(args.version);
    let mut writer = CarWriter::begin(&args.out, &[&input], format, (&roots, false), output)?;
    let mut tally = Tally::default();
    let mut salvage = Salvage::new(&input, &args.read, opening.as_ref(), header, at)?;
    while let Some(step) = salvage.next()? {
        match step {
            Step::Block(cid, data) => {
                tally.blocks += 1;
                writer.block(&cid, &data).map(drop)?;
            }
            Step::Lost(loss) => tally.lose(&loss, args, output),
        }
    }
    if tally.blocks == 0 && tally.ranges > 0 {
        let what = format_args!("{}: no block in it verifies", input.shown());
        return Err(Failure::new(Exit::Damaged, what));
    }
    writer.finish(None)?;
    drop(meter);
    tally.tell(args, &input, salvage.skipped(), output)
}

/// The roots of the header, unless it is lost or others are given.
fn roots(args: &RecoverArgs, header: Option<&Header>, output: &Output) -> Vec<Cid> {
    let found = header.map(|header| header.roots.clone()).unwrap_or_default();
    let roots = if args.root.is_empty() { found } else { args.root.clone() };
    if !roots.is_empty() {
        return roots;
    }
    let root = no_root();
    output.note(format_args!("no root is known; the header names the empty block {root}"));
    vec![root]
}

/// What was found and what was lost.
#[derive(Debug, Default)]
struct Tally {
    blocks: u64,
    ranges: u64,
    lost: u64,
}

impl Tally {
    fn lose(&mut self, loss: &Loss, args: &RecoverArgs, output: &Output) {
        let bytes = loss.end - loss.offset;
        self.ranges += 1;
        self.lost += bytes;
        let Loss { offset, end, why, cid } = loss;
        let cid = cid.map(|cid| cid.to_string());
        let value = json!({"lost": {
            "offset": offset, "end": end, "bytes": bytes, "why": why, "cid": cid,
        }});
        let line = format_args!("lost: bytes {offset} to {end} ({bytes}): {why}").to_string();
        if args.out == "-" { output.warn(line) } else { output.result(&value, line) }
    }

    fn tell(&self, args: &RecoverArgs, input: &Input, skipped: u64, output: &Output) -> Outcome {
        let shown = args.out.to_string_lossy();
        if args.out != "-" {
            let value = json!({
                "output": shown, "blocks": self.blocks, "lost_ranges": self.ranges,
                "lost_bytes": self.lost, "unhashed_candidates": skipped,
            });
            let line = format_args!("{shown}: {} blocks", self.blocks).to_string();
            output.result(&value, line);
        }
        if skipped > 0 {
            output.warn(format_args!(
                "{skipped} places that look like sections were not hashed, to bound the work"
            ));
        }
        if self.ranges == 0 {
            return Ok(());
        }
        let (ranges, lost) = (self.ranges, size(self.lost));
        let what = format_args!("{}: {lost} in {ranges} ranges are lost", input.shown());
        Err(Failure::new(Exit::Damaged, what))
    }
}
