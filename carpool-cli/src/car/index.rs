//! `car index`: a CAR as a CARv2 with an index, or without, or as a CARv1; and indexes alone.

use carpool_car::{check::Keys, index::Codec, v2};
use clap::Args;
use serde_json::json;
use std::ffi::{OsStr, OsString};

use super::{
    args::ReadFlags,
    batches::{self, Step},
    check::{Check, Checked},
    heads::Heads,
    index_maker::IndexMaker,
    input::Input,
    scan::Opening,
    target::Target,
    writer::Entries,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::random_seed,
};

/// Write a CAR as a CARv2 with an index (or the index alone: `index create`).
#[derive(Debug, Args)]
#[command(
    override_usage = "\
carpool car index [OPTIONS] [FILE [OUT]]
       carpool car index create [OPTIONS] [FILE [OUT]]",
    after_help = "\
Blocks are hashed on the way, unless --trust says that they are right. `index create` reads no
payloads. Identity CIDs carry their data and are left out of indexes.

Examples:
  carpool car index site.car site.v2.car
  carpool car index -c none site.car site.v2.car      a CARv2 without an index
  carpool car index --version 1 site.v2.car site.car  the CARv1 inside
  carpool car index create site.car site.idx
  curl -s https://host/site.car | carpool car index - site.v2.car"
)]
pub(crate) struct IndexArgs {
    /// `create`, the CAR (a file, `-` for standard input, or an http(s) URL), the output
    #[arg(value_names = ["FILE", "OUT"], num_args = 0..=3, hide = false)]
    names: Vec<OsString>,
    /// Format of the index: car-multihash-index-sorted, car-index-sorted, none, or its number
    #[arg(short, long, value_name = "CODEC", default_value = "car-multihash-index-sorted",
          value_parser = parse_codec)]
    codec: IndexCodec,
    /// Version of the CAR that is written: 1 is without header and index
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(1..=2))]
    version: u8,
    /// Put identity CIDs into the index, as go-car does
    #[arg(long)]
    identity: bool,
    /// Do not hash the blocks
    #[arg(long)]
    trust: bool,
    /// Memory for sorting the index
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20, help_heading = "Limits")]
    sort_memory: usize,
    #[command(flatten)]
    read: ReadFlags,
}

/// The index that is wanted, if any.
#[derive(Clone, Copy, Debug)]
struct IndexCodec(Option<Codec>);

fn parse_codec(name: &str) -> Result<IndexCodec, String> {
    let number = name.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16));
    let number = number.unwrap_or_else(|| name.parse());
    let known = match (name, number) {
        ("none", _) => return Ok(IndexCodec(None)),
        ("car-multihash-index-sorted", _) => Some(Codec::MultihashSorted),
        ("car-index-sorted", _) => Some(Codec::Sorted),
        (_, Ok(code)) => Codec::from_code(code).filter(|codec| *codec != Codec::Multi),
        (_, Err(_)) => None,
    };
    let what = "there are car-multihash-index-sorted (0x0401), car-index-sorted (0x0400), none";
    known.map(|codec| IndexCodec(Some(codec))).ok_or_else(|| what.to_owned())
}

pub(super) fn run(args: &IndexArgs, output: &Output) -> Outcome {
    let create = args.names.first().is_some_and(|name| name == "create");
    let names = &args.names[usize::from(create)..];
    if names.len() > 2 {
        return Err(Failure::new(Exit::Usage, "one FILE and one OUT; `car index --help`"));
    }
    let dash = OsStr::new("-");
    let name = |n: usize| names.get(n).map_or(dash, OsString::as_os_str);
    let (file, out) = (name(0), name(1));
    if out == "-" {
        output.leave_to_data()?;
    }
    let input = Input::open(file, &args.read.server)?;
    let done = if create {
        let input = input.seekable(|what| output.note(what))?;
        let _meter = input.meter(output);
        create_index(args, &input, Target::create(out, &[&input])?)?
    } else {
        let target = Target::create(out, &[&input])?;
        // Where the header cannot be written over, sizes have to be known first.
        let ahead = args.version == 2 && !target.patchable();
        let input = if ahead { input.seekable(|what| output.note(what))? } else { input };
        let _meter = input.meter(output);
        rewrite(args, &input, target)?
    };
    if out != "-" {
        let shown = out.to_string_lossy();
        let value = json!({
            "output": shown, "blocks": done.blocks, "data_size": done.data_size,
            "index_size": done.index_size, "index_codec": args.codec.0.map(|c| c.code()),
        });
        output.result(&value, format_args!("{shown}: {} blocks", done.blocks));
    }
    Ok(())
}

/// What was written.
#[derive(Debug, Default)]
struct Done {
    blocks: u64,
    data_size: u64,
    index_size: u64,
}

impl IndexArgs {
    fn maker(&self) -> Outcome<Option<IndexMaker>> {
        let maker = |codec| IndexMaker::new(codec, self.sort_memory, self.identity);
        self.codec.0.map(maker).transpose()
    }
}

fn create_index(args: &IndexArgs, input: &Input, mut target: Target) -> Outcome<Done> {
    let Some(mut maker) = args.maker()? else {
        return Err(Failure::new(Exit::Usage, "an index of codec `none` is nothing to create"));
    };
    let mut heads = Heads::open(input, &args.read)?;
    let mut done = Done::default();
    while let Some(head) = heads.next()? {
        maker.add(head.cid, head.offset)?;
        done.blocks += 1;
    }
    done.data_size = heads.at() - heads.opening().data_offset;
    maker.finish(|bytes| {
        done.index_size += bytes.len() as u64;
        target.write(bytes)
    })?;
    target.commit()?;
    Ok(done)
}

/// The bytes of the data as its header says, or as the file has it.
fn expected_size(args: &IndexArgs, input: &Input) -> Outcome<u64> {
    let mut heads = Heads::open(input, &args.read)?;
    if args.read.null_padding {
        while heads.next()?.is_some() {}
    }
    let opening = heads.opening();
    let end = if args.read.null_padding { Some(heads.at()) } else { opening.data_end() };
    let end = match end {
        Some(end) => end,
        None => input.len()?.unwrap_or(0),
    };
    let header = carpool_car::header(&opening.header.roots).len() as u64;
    Ok(end.saturating_sub(opening.sections_offset) + header)
}

/// A copy that is under way.
struct Rewrite<'a> {
    args: &'a IndexArgs,
    target: Target,
    maker: Option<IndexMaker>,
    /// Of the sections there, from the start of the CARv1, less that of the same here.
    moved: u64,
    data_offset: u64,
    header_len: u64,
    done: Done,
}

fn rewrite(args: &IndexArgs, input: &Input, target: Target) -> Outcome<Done> {
    let keys = Keys::new(random_seed());
    let check = Check { read: &args.read, keys: &keys, links: false };
    let expected = match args.version == 2 && !target.patchable() {
        true => Some(expected_size(args, input)?),
        false => None,
    };
    let maker = if args.version == 2 { args.maker()? } else { None };
    let (moved, data_offset, header_len, done) = (0, 0, 0, Done::default());
    let mut copy = Rewrite { args, target, maker, moved, data_offset, header_len, done };
    // All threads read the CIDs: who writes would fetch every head from the cache of another core.
    let work = |window: &batches::Window, (checked, entries): &mut (Checked, Entries)| {
        if !args.trust {
            check.window(window, checked);
        }
        entries.clear();
        let sections = window.sections(&args.read).flatten();
        sections.for_each(|section| entries.push(section.cid, section.offset));
    };
    batches::run(input, &args.read, work, |step| match step {
        Step::Opening(opening) => copy.begin(&opening, expected),
        Step::Window((checked, entries), window) => copy.window(checked, entries, window),
        Step::Fault { error, .. } => Err(error.into()),
        Step::Padding { offset, .. } if !args.read.null_padding => {
            Err(carpool_car::Error::SectionLength { offset }.into())
        }
        Step::Short { file_end, .. } => {
            Err(carpool_car::Error::Truncated { offset: file_end }.into())
        }
        Step::Padding { .. } | Step::Index { .. } | Step::Trailing { .. } => Ok(()),
    })?;
    copy.finish(expected)
}

impl Rewrite<'_> {
    fn begin(&mut self, opening: &Opening, expected: Option<u64>) -> Outcome {
        let header = carpool_car::header(&opening.header.roots);
        self.header_len = header.len() as u64;
        self.moved = opening.sections_offset - opening.data_offset;
        self.data_offset = opening.data_offset;
        if self.args.version == 2 {
            let v2 = v2::Header::new(expected.unwrap_or(1), self.maker.is_some())?;
            self.target.write(&v2::PRAGMA)?;
            // Until the copy is whole, the header is that of a file that is not.
            let bytes = if expected.is_some() { v2.encode() } else { [0; v2::HEADER_BYTES] };
            self.target.write(&bytes)?;
        }
        self.done.data_size = self.header_len;
        self.target.write(&header)
    }

    fn window(
        &mut self,
        checked: &Checked,
        entries: &mut Entries,
        window: &batches::Window,
    ) -> Outcome {
        if let Some((at, cid)) = checked.first_wrong() {
            let at = self.data_offset + at;
            let what = format_args!(
                "block {cid} at byte {at} is damaged, or its hash function is not known here; \
                 `--trust` copies it all the same",
            );
            return Err(Failure::new(Exit::Damaged, what));
        }
        self.done.blocks += entries.len() as u64;
        if let Some(maker) = &mut self.maker {
            entries.shift(self.moved, self.header_len);
            entries.enter(maker)?;
        }
        self.done.data_size += window.bytes().len() as u64;
        self.target.write(window.bytes())
    }

    fn finish(mut self, expected: Option<u64>) -> Outcome<Done> {
        if let Some(maker) = self.maker.take() {
            let (target, size) = (&mut self.target, &mut self.done.index_size);
            maker.finish(|bytes| {
                *size += bytes.len() as u64;
                target.write(bytes)
            })?;
        }
        if self.args.version == 2 && expected.is_none() {
            let indexed = self.args.codec.0.is_some();
            let v2 = v2::Header::new(self.done.data_size, indexed)?;
            self.target.patch(v2::PRAGMA.len() as u64, &v2.encode())?;
        } else if expected.is_some_and(|expected| expected != self.done.data_size) {
            return Err(Failure::new(Exit::Io, "the input changed while it was read"));
        }
        self.target.commit()?;
        Ok(self.done)
    }
}
