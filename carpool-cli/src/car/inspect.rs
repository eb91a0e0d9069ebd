//! `car inspect`: what a CAR is made of, in go-car's lines.

use carpool_car::{check::Keys, index::Codec};
use carpool_core::{Cid, CidSet, cid_prefix, varint};
use clap::Args;
use serde_json::{Value, json};
use std::{collections::BTreeMap, ffi::OsString, fmt::Write};

use super::{
    args::ReadFlags,
    batches::{self, Step},
    check::{Check, Checked},
    heads::Heads,
    input::Input,
    multicodec::{codec_name, hash_name},
    scan::Opening,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::random_seed,
};

/// Print what a CAR is made of: version, roots, blocks, codecs.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --full the payloads of a file are not read. For everything that can be wrong: car verify.

Examples:
  carpool car inspect site.car
  carpool car inspect --full site.car              hash every block as well
  carpool --json car inspect https://host/site.car")]
pub(crate) struct InspectArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(default_value = "-")]
    file: OsString,
    /// Hash every block
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    read: ReadFlags,
}

pub(super) fn run(args: &InspectArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?;
    let meter = input.meter(output);
    let mut stats = Stats::default();
    let opening = if args.full || !input.is_seekable() {
        stream(args, &input, &mut stats)?
    } else {
        heads(args, &input, &mut stats)?
    };
    drop(meter);
    stats.index = index_codec(&input, &opening, stats.index)?;
    output.result(&stats.json(&opening), stats.text(&opening).trim_end());
    Ok(())
}

fn heads(args: &InspectArgs, input: &Input, stats: &mut Stats) -> Outcome<Opening> {
    let mut heads = Heads::open(input, &args.read)?;
    stats.await_roots(heads.opening());
    while let Some(head) = heads.next()? {
        stats.count(head.cid, head.len);
    }
    Ok(heads.opening().clone())
}

fn stream(args: &InspectArgs, input: &Input, stats: &mut Stats) -> Outcome<Opening> {
    let (keys, mut opening) = (Keys::new(random_seed()), None);
    let check = Check { read: &args.read, keys: &keys, links: false };
    let work = |window: &batches::Window, checked: &mut Checked| {
        if args.full {
            check.window(window, checked);
        }
    };
    batches::run(input, &args.read, work, |step| {
        match step {
            Step::Opening(found) => {
                stats.await_roots(&found);
                opening = Some(found);
            }
            Step::Window(checked, window) => {
                let data_offset = opening.as_ref().map_or(0, |o| o.data_offset);
                if let Some((at, cid)) = checked.first_wrong() {
                    let at = data_offset + at;
                    let what = format_args!(
                        "block {cid} at byte {at} is damaged, or its hash function is not known here"
                    );
                    return Err(Failure::new(Exit::Damaged, what));
                }
                for section in window.sections(&args.read).flatten() {
                    stats.count(section.cid, section.data.len() as u64);
                }
            }
            Step::Fault { error, .. } => return Err(error.into()),
            Step::Padding { offset, .. } if !args.read.null_padding => {
                return Err(carpool_car::Error::SectionLength { offset }.into());
            }
            Step::Short { file_end, .. } => {
                return Err(carpool_car::Error::Truncated { offset: file_end }.into());
            }
            Step::Index { bytes, .. } => {
                stats.index = stats.index.or_else(|| varint::decode(bytes).ok()?.map(|(c, _)| c));
            }
            Step::Padding { .. } | Step::Trailing { .. } => {}
        }
        Ok(())
    })?;
    opening.ok_or_else(|| Failure::new(Exit::Damaged, "there is no header"))
}

/// The codec of the index; of a pipe it was noted when it came by.
fn index_codec(input: &Input, opening: &Opening, noted: Option<u64>) -> Outcome<Option<u64>> {
    let Some(at) = opening.index_offset().filter(|_| noted.is_none() && input.is_seekable()) else {
        return Ok(noted);
    };
    let front = input.read_at(at, 10)?;
    Ok(varint::decode(&front).ok().flatten().map(|(codec, _)| codec))
}

/// The name of an index's format.
fn index_name(codec: u64) -> String {
    match Codec::from_code(codec) {
        Some(Codec::Sorted) => "car-index-sorted".to_owned(),
        Some(Codec::MultihashSorted) => "car-multihash-index-sorted".to_owned(),
        Some(Codec::Multi) | None => format!("{codec:#x}"),
    }
}

/// Shortest, sum and longest.
#[derive(Debug, Default)]
struct Range {
    min: Option<u64>,
    sum: u64,
    max: u64,
}

impl Range {
    fn add(&mut self, len: u64) {
        self.min = Some(self.min.map_or(len, |min| min.min(len)));
        self.sum += len;
        self.max = self.max.max(len);
    }

    fn line(&self, count: u64) -> String {
        let average = self.sum.checked_div(count).unwrap_or(0);
        format!("{} / {average} / {}", self.min.unwrap_or(0), self.max)
    }

    fn json(&self, count: u64) -> Value {
        let average = self.sum.checked_div(count).unwrap_or(0);
        json!({"min": self.min.unwrap_or(0), "average": average, "max": self.max})
    }
}

#[derive(Debug, Default)]
struct Stats {
    blocks: u64,
    block_len: Range,
    cid_len: Range,
    codecs: BTreeMap<u64, u64>,
    hashes: BTreeMap<u64, u64>,
    /// Codec and hash of the last CID, and how many such were not yet added: nearly all are alike.
    alike: (u64, u64, u64),
    absent: Option<CidSet>,
    index: Option<u64>,
}

impl Stats {
    fn await_roots(&mut self, opening: &Opening) {
        let mut absent = CidSet::with_seed(random_seed());
        for root in &opening.header.roots {
            absent.insert(root);
        }
        self.absent = Some(absent);
    }

    fn count(&mut self, cid: &[u8], len: u64) {
        let Ok((parsed, _)) = cid_prefix(cid) else { return };
        self.blocks += 1;
        self.block_len.add(len);
        self.cid_len.add(cid.len() as u64);
        let (codec, hash) = (parsed.codec(), parsed.hash().code());
        if (self.alike.0, self.alike.1) != (codec, hash) {
            self.settle();
            (self.alike.0, self.alike.1) = (codec, hash);
        }
        self.alike.2 += 1;
        if let Some(absent) = self.absent.as_mut().filter(|absent| !absent.is_empty()) {
            absent.remove(&parsed);
        }
    }

    fn settle(&mut self) {
        let (codec, hash, n) = std::mem::take(&mut self.alike);
        if n > 0 {
            *self.codecs.entry(codec).or_default() += n;
            *self.hashes.entry(hash).or_default() += n;
        }
    }

    fn roots_present(&self) -> bool {
        self.absent.as_ref().is_none_or(CidSet::is_empty)
    }

    fn text(&mut self, opening: &Opening) -> String {
        self.settle();
        let mut out = String::new();
        self.write(opening, &mut out).expect("strings take all");
        out
    }

    fn write(&self, opening: &Opening, out: &mut String) -> std::fmt::Result {
        match opening.header.v2 {
            None => writeln!(out, "Version: 1")?,
            Some(v2) => {
                writeln!(out, "Version: 2")?;
                writeln!(out, "Characteristics: {:032x}", v2.characteristics)?;
                writeln!(out, "Data offset: {}", v2.data_offset)?;
                writeln!(out, "Data (payload) length: {}", v2.data_size)?;
                writeln!(out, "Index offset: {}", v2.index_offset)?;
                let index = self.index.map_or_else(|| "(none)".to_owned(), index_name);
                writeln!(out, "Index type: {index}")?;
            }
        }
        match &opening.header.roots[..] {
            [] => writeln!(out, "Roots: (none)")?,
            [root] => writeln!(out, "Roots: {root}")?,
            roots => {
                writeln!(out, "Roots:")?;
                roots.iter().try_for_each(|root| writeln!(out, "\t{root}"))?;
            }
        }
        let present = if self.roots_present() { "Yes" } else { "No" };
        writeln!(out, "Root blocks present in data: {present}")?;
        writeln!(out, "Block count: {}", self.blocks)?;
        let (block, cid) = (self.block_len.line(self.blocks), self.cid_len.line(self.blocks));
        writeln!(out, "Min / average / max block length (bytes): {block}")?;
        writeln!(out, "Min / average / max CID length (bytes): {cid}")?;
        writeln!(out, "Block count per codec:")?;
        for (code, n) in &self.codecs {
            writeln!(out, "\t{}: {n}", codec_name(*code))?;
        }
        writeln!(out, "CID count per multihash:")?;
        for (code, n) in &self.hashes {
            writeln!(out, "\t{}: {n}", hash_name(*code))?;
        }
        Ok(())
    }

    fn json(&mut self, opening: &Opening) -> Value {
        self.settle();
        let named = |counts: &BTreeMap<u64, u64>, name: fn(u64) -> String| -> Value {
            counts.iter().map(|(code, n)| (name(*code), json!(n))).collect()
        };
        let v2 = opening.header.v2.map(|v2| {
            json!({
                "characteristics": format!("{:032x}", v2.characteristics),
                "data_offset": v2.data_offset,
                "data_size": v2.data_size,
                "index_offset": v2.index_offset,
                "index_type": self.index.map(index_name),
                "unfinalised": v2.is_unfinalised(),
            })
        });
        json!({
            "version": if v2.is_some() { 2 } else { 1 },
            "v2": v2,
            "roots": opening.header.roots.iter().map(Cid::to_string).collect::<Vec<_>>(),
            "roots_present": self.roots_present(),
            "blocks": self.blocks,
            "block_bytes": self.block_len.json(self.blocks),
            "cid_bytes": self.cid_len.json(self.blocks),
            "codecs": named(&self.codecs, codec_name),
            "multihashes": named(&self.hashes, hash_name),
        })
    }
}
