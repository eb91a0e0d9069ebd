//! `carpool car diff`: the blocks that only one of two CARs has.

use carpool_car::section_len;
use carpool_core::Cid;
use clap::Args;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    ffi::OsString,
    hash::{BuildHasher, BuildHasherDefault, RandomState},
};

use super::{args::ReadFlags, input::Input, inputs::each_section, scan::Scan, seen::Hashed};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
};

/// Blocks that are told apart at most, of both CARs together: 20 to 40 bytes each.
const MAX_BLOCKS: usize = 1 << 26;

/// Compare the blocks of two CARs.
///
/// Blocks are the same where their CIDs are. What both have is what is saved where they share a
/// store, or where one is sent to who has the other.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car diff monday.car tuesday.car
  carpool car diff --list monday.car tuesday.car      < CID only in the first, > CID in the second
  carpool --json car diff --list a.car b.car")]
pub(crate) struct DiffArgs {
    /// The first CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(value_name = "A")]
    pub(crate) a: OsString,
    /// The second CAR
    #[arg(value_name = "B")]
    pub(crate) b: OsString,
    /// List the blocks that only one has
    #[arg(long)]
    pub(crate) list: bool,
    /// Compare without hashing
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

const IN_A: u8 = 1;
const IN_B: u8 = 2;

/// Which blocks are where, by 128 bits of a hash that strangers cannot foresee.
struct Known {
    keys: [RandomState; 2],
    map: HashMap<[u8; 16], u8, BuildHasherDefault<Hashed>>,
}

impl Known {
    fn new() -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], map: HashMap::default() }
    }

    fn key(&self, cid: &Cid) -> [u8; 16] {
        let bytes = cid.to_bytes();
        let mut key = [0; 16];
        for (half, state) in key.chunks_exact_mut(8).zip(&self.keys) {
            half.copy_from_slice(&state.hash_one(&bytes).to_le_bytes());
        }
        key
    }

    /// Notes that a block is in a CAR; returns where it was before.
    fn note(&mut self, cid: &Cid, place: u8) -> Outcome<u8> {
        let key = self.key(cid);
        if self.map.len() >= MAX_BLOCKS && !self.map.contains_key(&key) {
            let what = format_args!("more than {MAX_BLOCKS} blocks to tell apart");
            return Err(Failure::new(Exit::Refused, what));
        }
        let entry = self.map.entry(key).or_default();
        Ok(std::mem::replace(entry, *entry | place))
    }

    fn places(&self, cid: &Cid) -> u8 {
        self.map.get(&self.key(cid)).copied().unwrap_or_default()
    }
}

/// Blocks, the bytes in them, and the bytes of their sections.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    blocks: u64,
    bytes: u64,
    sections: u64,
}

impl Count {
    fn add(&mut self, cid: &Cid, data: &[u8]) {
        self.blocks += 1;
        self.bytes += data.len() as u64;
        self.sections += section_len(cid, data.len()) as u64;
    }

    fn minus(self, other: Self) -> Self {
        Self {
            blocks: self.blocks - other.blocks,
            bytes: self.bytes - other.bytes,
            sections: self.sections - other.sections,
        }
    }

    fn json(self) -> Value {
        json!({"blocks": self.blocks, "bytes": self.bytes})
    }
}

pub(super) fn run(args: &DiffArgs, output: &Output) -> Outcome {
    if args.a == "-" && args.b == "-" {
        return Err(Failure::new(Exit::Usage, "standard input can be read once"));
    }
    let a = Input::open(&args.a, &args.read.server)?;
    let a = if args.list { a.seekable(|note| output.note(note))? } else { a };
    let b = Input::open(&args.b, &args.read.server)?;
    let b = if args.list { b.seekable(|note| output.note(note))? } else { b };
    let mut known = Known::new();
    let scan = Scan { read: &args.read, verify: !args.trust };
    let (mut of_a, mut only_b, mut both) = (Count::default(), Count::default(), Count::default());
    let meter = a.meter(output);
    each_section(scan, &a, |section| {
        if known.note(&section.cid, IN_A)? == 0 {
            of_a.add(&section.cid, &section.data);
        }
        Ok(())
    })?;
    drop(meter);
    let meter = b.meter(output);
    each_section(scan, &b, |section| {
        match known.note(&section.cid, IN_B)? {
            0 => only_b.add(&section.cid, &section.data),
            IN_A => both.add(&section.cid, &section.data),
            _ => {}
        }
        Ok(())
    })?;
    drop(meter);
    if args.list {
        list(&a, IN_A, scan, &mut known, output)?;
        list(&b, IN_B, scan, &mut known, output)?;
    }
    tell(args, of_a.minus(both), only_b, both, output);
    Ok(())
}

/// Lists what only one CAR has, in its order, each block once.
fn list(input: &Input, place: u8, scan: Scan<'_>, known: &mut Known, output: &Output) -> Outcome {
    let (sign, name) = if place == IN_A { ('<', "a") } else { ('>', "b") };
    let scan = Scan { verify: false, ..scan };
    each_section(scan, input, |section| {
        if known.places(&section.cid) == place {
            known.note(&section.cid, IN_A | IN_B)?;
            let cid = section.cid.to_string();
            let value = json!({
                "only": name, "cid": cid, "offset": section.offset, "bytes": section.data.len(),
            });
            output.result(&value, format_args!("{sign} {cid}"));
        }
        Ok(())
    })
}

fn tell(args: &DiffArgs, only_a: Count, only_b: Count, both: Count, output: &Output) {
    let value = json!({
        "only_a": only_a.json(), "only_b": only_b.json(), "both": both.json(),
        "saved_bytes": both.sections, "same": only_a.blocks + only_b.blocks == 0,
    });
    let line = |what: &str, count: Count| {
        format!("{what}: {} blocks, {}", count.blocks, size(count.bytes))
    };
    let text = [
        line(&format!("only in {}", args.a.to_string_lossy()), only_a),
        line(&format!("only in {}", args.b.to_string_lossy()), only_b),
        line("in both", both),
        format!("saved by sharing: {} ({} bytes)", size(both.sections), both.sections),
    ];
    output.result(&value, text.join("\n"));
}
