//! `car detach-index`: the index of a CARv2 as a file of its own, and as text.

use carpool_car::index::{IndexLimits, Item, Reader};
use carpool_core::{Bytes, varint};
use clap::Args;
use serde_json::json;
use std::{
    ffi::{OsStr, OsString},
    io::Read,
};

use super::{args::ReadFlags, input::Input, lines::Lines, scan::Scan, target::Target};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;

/// Write the index of a CARv2 as it is, or print one: `detach-index list`.
#[derive(Debug, Args)]
#[command(
    override_usage = "\
carpool car detach-index [OPTIONS] FILE [OUT]
       carpool car detach-index list [OPTIONS] [INDEX]",
    after_help = "\
A line of `list` is the multihash in hexadecimal and the offset of its section in the CARv1; an
index of codec car-index-sorted has digests without their hash function.

Examples:
  carpool car detach-index site.v2.car site.idx
  carpool car detach-index list site.idx
  carpool car detach-index site.v2.car | carpool --json car detach-index list"
)]
pub(crate) struct DetachIndexArgs {
    /// `list`, or the CAR (a file, `-` for standard input, or an http(s) URL) and the output
    #[arg(value_names = ["FILE", "OUT"], num_args = 1..=2)]
    names: Vec<OsString>,
    #[command(flatten)]
    read: ReadFlags,
}

pub(super) fn run(args: &DetachIndexArgs, output: &Output) -> Outcome {
    let dash = OsStr::new("-");
    let second = args.names.get(1).map_or(dash, OsString::as_os_str);
    match args.names.first() {
        Some(name) if name == "list" => list(args, second, output),
        first => detach(args, first.map_or(dash, OsString::as_os_str), second, output),
    }
}

fn detach(args: &DetachIndexArgs, file: &OsStr, out: &OsStr, output: &Output) -> Outcome {
    let input = Input::open(file, &args.read.server)?.seekable(|what| output.note(what))?;
    let opening = Scan { read: &args.read, verify: false }.opening(&input)?;
    let mut at = opening.index_offset().ok_or_else(|| {
        let what =
            format_args!("{}: there is no index; `car index create` makes one", input.shown());
        Failure::new(Exit::Refused, what)
    })?;
    if out == "-" {
        output.leave_to_data()?;
    }
    let mut target = Target::create(out, &[&input])?;
    let begun = at;
    loop {
        let bytes = input.read_at(at, CHUNK)?;
        target.write(&bytes)?;
        at += bytes.len() as u64;
        if bytes.len() < CHUNK {
            break;
        }
    }
    if at == begun {
        return Err(carpool_car::Error::Truncated { offset: at }.into());
    }
    target.commit()?;
    if out != "-" {
        let shown = out.to_string_lossy();
        let value = json!({"output": shown, "index_size": at - begun, "index_offset": begun});
        output.result(&value, format_args!("{shown}: {} bytes", at - begun));
    }
    Ok(())
}

fn list(args: &DetachIndexArgs, file: &OsStr, output: &Output) -> Outcome {
    let input = Input::open(file, &args.read.server)?;
    let mut lines = Lines::open(None, &[], output)?;
    let mut stream = input.stream()?;
    let mut reader = Reader::new(&IndexLimits::default()).any_order();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut stream).take(CHUNK as u64).read_to_end(&mut chunk);
        read.map_err(|error| input.failed(&error))?;
        let ended = chunk.len() < CHUNK;
        reader.handle_data(Bytes::from(chunk));
        if ended {
            reader.handle_eof();
        }
        while let Some(item) = reader.poll()? {
            if let Item::Entry(entry) = item {
                let hash = multihash(entry.code(), entry.digest());
                let value =
                    || json!({"multihash": hash, "code": entry.code(), "offset": entry.offset()});
                lines.result(value, format_args!("{hash} {}", entry.offset()))?;
            }
        }
        if ended {
            return lines.finish();
        }
    }
}

/// A multihash in hexadecimal; without a hash function, the digest.
fn multihash(code: Option<u64>, digest: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(digest.len() + 20);
    if let Some(code) = code {
        for number in [code, digest.len() as u64] {
            let mut out = [0; 10];
            let n = varint::encode(number, &mut out);
            bytes.extend_from_slice(&out[..n]);
        }
    }
    bytes.extend_from_slice(digest);
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hex
}
