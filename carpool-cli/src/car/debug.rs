//! `carpool car debug`: a CAR as text that can be edited, and made a CAR again by `compile`.

use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    input::Input,
    scan::{Event, Found, Scan},
    target::Target,
    text::{Head, print},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, printable},
};

/// Print a CAR as text, in the form of go-car's `debug`.
///
/// Blocks that DAG-JSON cannot carry bit for bit are printed in hexadecimal (`+++ hex`), so that
/// `compile` makes the same CAR again. Of a damaged CAR what comes before the damage is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car debug site.car
  carpool car debug site.car -o site.patch
  carpool car debug a.car | sed s/draft/final/ | carpool car compile -o b.car")]
pub(crate) struct DebugArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: OsString,
    /// Where the text goes; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub(crate) output: OsString,
    /// Print blocks without hashing them
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

pub(super) fn run(args: &DebugArgs, output: &Output) -> Outcome {
    if args.output == "-" {
        output.leave_to_data()?;
    }
    let input = Input::open(&args.file, &args.read.server)?;
    let mut target = Target::text(&args.output, &[&input])?;
    let (mut blocks, mut bytes) = (0u64, 0);
    let scan = Scan { read: &args.read, verify: !args.trust };
    scan.run(&input, |event| {
        let text = match event {
            Event::Header(header) => {
                let name = printable(&args.file.to_string_lossy());
                let head = Head { v2: header.v2.is_some(), name, roots: header.roots };
                head.print().into_bytes()
            }
            Event::Block(found) => {
                blocks += 1;
                entry(&found)?
            }
            Event::Fault(fault) => return Err(fault.into()),
        };
        bytes += text.len() as u64;
        target.write(&text)
    })?;
    target.commit()?;
    if args.output != "-" {
        let shown = args.output.to_string_lossy();
        let value = json!({"output": shown, "blocks": blocks, "bytes": bytes});
        output.result(&value, format_args!("{shown}: {blocks} blocks"));
    }
    Ok(())
}

fn entry(found: &Found) -> Outcome<Vec<u8>> {
    let section = &found.section;
    match &found.wrong {
        None => Ok(print(&section.cid, &section.data)),
        Some(wrong) => {
            let what = format_args!("section at byte {}: {wrong}", section.offset);
            Err(Failure::new(Exit::Damaged, what))
        }
    }
}
