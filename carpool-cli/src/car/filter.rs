//! `carpool car filter`: the blocks of a CAR that are on a list, or those that are not.

use carpool_car::Header;
use carpool_core::{Cid, CidMap, cid_prefix, is_identity};
use clap::Args;
use serde_json::json;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    args::ReadFlags,
    copy::Copy,
    input::Input,
    seen::{Dedup, Seen},
    writer::{CarWriter, VersionFlag, Written},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
    remote::random_seed,
};

/// CIDs that are reported one by one where the CAR has them not.
const MAX_REPORTED: usize = 20;

/// Bytes of a line of the list at most.
const MAX_LINE: u64 = 1024;

/// Keep the blocks of a CAR that are on a list of CIDs, or those that are not.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car filter --cid-file wanted.txt all.car some.car
  carpool car list part.car | carpool car filter --inverse all.car rest.car
  carpool car filter --append --cid-file more.txt all.car some.car

A root stays a root where it is kept. Unlike go-car, blocks with identity CIDs are kept, and blocks
are the same where their CIDs are; --drop-identity --dedup multihash does as go-car.")]
pub(crate) struct FilterArgs {
    /// The CAR; `-` is standard input
    #[arg(value_name = "IN")]
    pub(crate) file: OsString,
    /// The CAR to make; `-` is standard output
    #[arg(value_name = "OUT")]
    pub(crate) out: OsString,
    /// The list, one CID a line [default: standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) cid_file: Option<OsString>,
    /// Keep the blocks that are not on the list
    #[arg(long)]
    pub(crate) inverse: bool,
    /// Add to OUT, which keeps its blocks and its roots
    #[arg(long)]
    pub(crate) append: bool,
    #[command(flatten)]
    pub(crate) version: VersionFlag,
    /// Which blocks are the same, of which one is kept
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub(crate) dedup: Dedup,
    /// Leave out blocks with identity CIDs
    #[arg(long)]
    pub(crate) drop_identity: bool,
    /// Where no root is kept, name none, as go-car does; the format wants one, and the default is
    /// the empty block bafkqaaa
    #[arg(long)]
    pub(crate) empty_roots: bool,
    /// Copy without hashing
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

pub(super) fn run(args: &FilterArgs, output: &Output) -> Outcome {
    if args.out == "-" {
        output.leave_to_data()?;
    }
    let list = List::read(args)?;
    output.note(format_args!("filtering to {} cids", list.len()));
    let input = Input::open(&args.file, &args.read.server)?;
    let meter = input.meter(output);
    let filter = Filter { args, list, output };
    let written = filter.run(&input)?;
    drop(meter);
    filter.report();
    if args.out != "-" {
        let shown = args.out.to_string_lossy();
        let (blocks, bytes) = (written.blocks, written.bytes);
        let missing = filter.list.missing().count();
        let value =
            json!({"output": shown, "blocks": blocks, "bytes": bytes, "not_found": missing});
        output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
    }
    Ok(())
}

struct Filter<'a> {
    args: &'a FilterArgs,
    list: List,
    output: &'a Output,
}

impl Filter<'_> {
    fn run(&self, input: &Input) -> Outcome<Written> {
        let mut seen = Seen::new(self.args.dedup);
        let appended = if self.args.append { self.existing(input, &mut seen)? } else { None };
        let begin = |header: &Header| match appended {
            Some(writer) => Ok(writer),
            None => self.begin(input, &self.roots(&header.roots)),
        };
        self.copy(&|cid| self.wants(cid)).run(input, &mut seen, begin)?.finish(None)
    }

    fn copy<'a>(&'a self, want: &'a (dyn Fn(&[u8]) -> bool + Sync)) -> Copy<'a> {
        Copy { read: &self.args.read, verify: !self.args.trust, want }
    }

    fn wants(&self, cid: &[u8]) -> bool {
        let Ok((cid, _)) = cid_prefix(cid) else { return false };
        let identity = self.args.drop_identity && is_identity(&cid);
        self.list.wants(&cid) != self.args.inverse && !identity
    }

    /// What OUT holds already, in a new file that will replace it.
    fn existing(&self, input: &Input, seen: &mut Seen) -> Outcome<Option<CarWriter>> {
        if self.args.out == "-" || !Path::new(&self.args.out).is_file() {
            return Ok(None);
        }
        let old = Input::open(&self.args.out, &self.args.read.server)?;
        let begin = |header: &Header| self.begin(input, &header.roots);
        self.copy(&|_| true).run(&old, seen, begin).map(Some)
    }

    fn begin(&self, input: &Input, roots: &[Cid]) -> Outcome<CarWriter> {
        let (out, format) = (&self.args.out, self.args.version.format());
        CarWriter::begin(out, &[input], format, (roots, false), self.output)
    }

    fn roots(&self, roots: &[Cid]) -> Vec<Cid> {
        let kept = |root: &&Cid| self.list.has(root) != self.args.inverse;
        let kept: Vec<Cid> = roots.iter().filter(kept).copied().collect();
        if kept.is_empty() {
            self.output.warn("no root of the input is kept");
        }
        if kept.is_empty() && !self.args.empty_roots { vec![no_root()] } else { kept }
    }

    fn report(&self) {
        let missing = self.list.missing().count();
        for cid in self.list.missing().take(MAX_REPORTED) {
            self.output.warn(format_args!("not found: {cid}"));
        }
        if missing > MAX_REPORTED {
            let more = missing - MAX_REPORTED;
            self.output.warn(format_args!("and {more} more CIDs of the list"));
        }
    }
}

/// The root of a CAR that has none: an empty block in its CID.
pub(super) fn no_root() -> Cid {
    let hash = carpool_core::Multihash::wrap(carpool_core::IDENTITY, &[]);
    Cid::new_v1(carpool_core::codec::RAW, hash.expect("nothing fits into 64 bytes"))
}

/// The CIDs that were asked for, and whether each was found.
struct List {
    order: Vec<Cid>,
    found: CidMap<AtomicBool>,
}

impl List {
    fn read(args: &FilterArgs) -> Outcome<Self> {
        let Some(name) = args.cid_file.as_ref().filter(|name| *name != "-") else {
            if args.file == "-" {
                let what = "the CAR and the list of CIDs both come from standard input; say \
                            --cid-file FILE";
                return Err(Failure::new(Exit::Usage, what));
            }
            return Self::parse(&mut io::stdin().lock(), "standard input");
        };
        let shown = Path::new(name).display().to_string();
        let file = File::open(name).map_err(|error| Failure::io(&shown, &error))?;
        Self::parse(&mut BufReader::new(file), &shown)
    }

    fn parse(lines: &mut dyn BufRead, shown: &str) -> Outcome<Self> {
        let mut list = Self { order: Vec::new(), found: CidMap::with_seed(random_seed()) };
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut *lines, MAX_LINE).read_until(b'\n', &mut line);
            if read.map_err(|error| Failure::io(shown, &error))? == 0 {
                return Ok(list);
            }
            list.line(&line, shown)?;
        }
    }

    fn line(&mut self, line: &[u8], shown: &str) -> Outcome {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let cid: Cid = text.parse().map_err(|error| {
            let what = format_args!("{shown}: {:?} is no CID: {error}", text);
            Failure::new(Exit::Usage, what)
        })?;
        if self.found.insert(&cid, AtomicBool::new(false)).is_none() {
            self.order.push(cid);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.order.len()
    }

    fn has(&self, cid: &Cid) -> bool {
        self.found.get(cid).is_some()
    }

    /// Whether the CID is on the list; then it is found.
    fn wants(&self, cid: &Cid) -> bool {
        let listed = self.found.get(cid);
        if let Some(found) = listed {
            found.store(true, Relaxed);
        }
        listed.is_some()
    }

    fn missing(&self) -> impl Iterator<Item = &Cid> {
        let found = |cid: &&Cid| self.found.get(cid).is_some_and(|found| found.load(Relaxed));
        self.order.iter().filter(move |cid| !found(cid))
    }
}
