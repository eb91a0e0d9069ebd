//! `carpool car put-block`: one block more.

use carpool_car::Header;
use carpool_core::{Block, Bytes, Cid, Unverified, codec, verify};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::{
    ffi::OsString,
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    args::ReadFlags,
    copy::Copy,
    filter::no_root,
    input::Input,
    seen::{Dedup, Seen},
    writer::{CarWriter, Format, VersionFlag},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Add a block to a CAR, which is made where there is none, and print its CID.
///
/// The file is replaced by a new one once that is whole. Its other blocks are hashed on the way.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car put-block a.car < bytes
  carpool car put-block -c dag-cbor --set-root a.car < node.cbor
  carpool car put-block --cid bafy… a.car < bytes     refused unless the bytes are those")]
pub(crate) struct PutBlockArgs {
    /// The CAR
    pub(crate) file: OsString,
    /// What the bytes are
    #[arg(short = 'c', long, value_enum, default_value_t, value_name = "CODEC")]
    pub(crate) codec: Codec,
    /// The CID that the bytes have to have; its codec counts
    #[arg(long, value_name = "CID")]
    pub(crate) cid: Option<String>,
    /// Version of the CAR: 1, or 2 with an index [default: what the file is; a new one: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: Option<u8>,
    /// Make the block the only root
    #[arg(long)]
    pub(crate) set_root: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

/// The codecs of blocks.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Codec {
    #[default]
    Raw,
    DagPb,
    DagCbor,
    DagJson,
}

impl Codec {
    const fn code(self) -> u64 {
        match self {
            Self::Raw => codec::RAW,
            Self::DagPb => codec::DAG_PB,
            Self::DagCbor => codec::DAG_CBOR,
            Self::DagJson => 0x0129,
        }
    }
}

pub(super) fn run(args: &PutBlockArgs, output: &Output) -> Outcome {
    if args.file == "-" {
        return Err(Failure::new(Exit::Usage, "the CAR has to be a file"));
    }
    let block = block(args, read(args)?)?;
    let put = if Path::new(&args.file).exists() {
        append(args, &block, output)?
    } else {
        Some(create(args, &block, output)?)
    };
    let cid = block.cid().to_string();
    let value = json!({
        "cid": cid, "bytes": block.data().len(), "offset": put, "new": put.is_some(),
    });
    output.result(&value, &cid);
    Ok(())
}

fn read(args: &PutBlockArgs) -> Outcome<Bytes> {
    let (mut bytes, max) = (Vec::new(), args.read.max_section);
    let read = io::stdin().lock().take(max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io("standard input", &error))?;
    if bytes.len() > max {
        let what = format_args!("standard input: more than {max} bytes; see --max-section");
        return Err(Failure::new(Exit::Refused, what));
    }
    Ok(bytes.into())
}

fn block(args: &PutBlockArgs, data: Bytes) -> Outcome<Block> {
    let Some(text) = &args.cid else { return Ok(Block::new(args.codec.code(), data)) };
    let wrong = |error| Failure::new(Exit::Usage, format_args!("{text:?}: {error}"));
    let cid: Cid = text.parse().map_err(wrong)?;
    let mut verdicts = verify(vec![Unverified { cid, data }]);
    Ok(verdicts.pop().expect("one verdict for one block")?)
}

fn create(args: &PutBlockArgs, block: &Block, output: &Output) -> Outcome<u64> {
    let root = if args.set_root { *block.cid() } else { no_root() };
    let version = VersionFlag { version: args.version.unwrap_or(2) };
    let mut writer = CarWriter::begin(&args.file, &[], version.format(), (&[root], false), output)?;
    let offset = writer.block(block.cid(), block.data())?;
    writer.finish(None).map(|_| offset)
}

/// Where the block begins; `None` where it was there, and the file stays as it is.
fn append(args: &PutBlockArgs, block: &Block, output: &Output) -> Outcome<Option<u64>> {
    let input = Input::open(&args.file, &args.read.server)?;
    let (wanted, there) = (block.cid().to_bytes(), AtomicBool::new(false));
    let want = |cid: &[u8]| {
        if *cid == wanted[..] {
            there.store(true, Relaxed);
        }
        true
    };
    let mut changed = false;
    let begin = |header: &Header| {
        let roots = if args.set_root { vec![*block.cid()] } else { header.roots.clone() };
        let format =
            args.version.map_or_else(|| like(header), |version| VersionFlag { version }.format());
        changed = roots != header.roots || format.is_v2() != like(header).is_v2();
        CarWriter::begin(&args.file, &[], format, (&roots, false), output)
    };
    let copy = Copy { read: &args.read, verify: true, want: &want };
    let mut writer = copy.run(&input, &mut Seen::new(Dedup::None), begin)?;
    let there = there.into_inner();
    if there && !changed {
        return Ok(None);
    }
    let offset = if there { None } else { Some(writer.block(block.cid(), block.data())?) };
    writer.finish(None).map(|_| offset)
}

/// The format that the file has.
fn like(header: &Header) -> Format {
    VersionFlag { version: if header.v2.is_some() { 2 } else { 1 } }.format()
}
