//! `car verify`: everything that can be wrong with a CAR, by name, in one pass.

use carpool_car::{
    Error,
    check::{Class, Kind},
    index::{IndexLimits, Reader, Records},
};
use carpool_core::{Bytes, Cid};
use clap::Args;
use serde_json::{Value, json};
use std::{ffi::OsString, io};

use super::{
    args::ReadFlags,
    batches::{self, Step},
    check::{Check, Checked, IDENTITY_BIT, Key, Keys, Why, Wrong},
    input::Input,
    ledger::{Balance, EXAMPLES, Ledger},
    links::links_at,
    scan::Opening,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
};

/// Check a CAR in one pass: hashes, links, roots, duplicates, the index.
#[derive(Debug, Args)]
#[command(after_help = "\
Every finding has a name, and offsets from the start of the file:
  header section truncated data-size hash unfinalised                 damaged        exit 3
  index-malformed index-unsorted index-offset index-missing           damaged        exit 3
  index-extra                                                         damaged        exit 3
  root-absent link-absent                                             incomplete     exit 4
  roots-empty padding trailing duplicate hash-unknown undecodable     against policy exit 5
  index-absent                                                        against policy exit 5

Links are followed out of DAG-PB and DAG-CBOR. All blocks are compared within --sort-memory;
beyond it temporary files are used.

Examples:
  carpool car verify site.car
  carpool car verify --allow-padding --allow-absent-roots sector.car
  carpool car verify --no-links part.car           a part of a DAG
  curl -s https://host/site.car | carpool --json car verify -")]
pub(crate) struct VerifyArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(default_value = "-")]
    pub(crate) file: OsString,
    /// A header without roots is fine
    #[arg(long, help_heading = "Policy")]
    allow_empty_roots: bool,
    /// Roots that are not in the file are fine
    #[arg(long, help_heading = "Policy")]
    allow_absent_roots: bool,
    /// Zeros behind the last section are fine
    #[arg(long, help_heading = "Policy")]
    allow_padding: bool,
    /// Bytes behind the data of a CARv2 without an index are fine
    #[arg(long, help_heading = "Policy")]
    allow_trailing: bool,
    /// Blocks whose hash function is not known here are fine
    #[arg(long, help_heading = "Policy")]
    allow_unknown_hashes: bool,
    /// Blocks that come twice are fine; they are unless --no-duplicates says otherwise
    #[arg(long, hide = true, overrides_with = "no_duplicates")]
    allow_duplicates: bool,
    /// Refuse blocks that come twice
    #[arg(long, overrides_with = "allow_duplicates", help_heading = "Policy")]
    no_duplicates: bool,
    /// Refuse a file without an index
    #[arg(long, help_heading = "Policy")]
    require_index: bool,
    /// Do not look for what blocks link to
    #[arg(long, help_heading = "Policy")]
    no_links: bool,
    /// Findings of one name that are listed; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_findings: usize,
    /// Memory for comparing all blocks with each other
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20, help_heading = "Limits")]
    sort_memory: usize,
    #[command(flatten)]
    read: ReadFlags,
}

/// What the worst of a class comes to.
const fn exit(class: Class) -> Exit {
    match class {
        Class::Damaged => Exit::Damaged,
        Class::Incomplete => Exit::Incomplete,
        Class::Policy => Exit::Refused,
    }
}

/// Something that is wrong.
#[derive(Debug)]
struct Finding {
    kind: Kind,
    /// From the start of the file.
    offset: Option<u64>,
    cid: Option<Cid>,
    expected: Option<String>,
    actual: Option<String>,
    message: String,
}

impl Finding {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, offset: None, cid: None, expected: None, actual: None, message }
    }

    const fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    const fn of(mut self, cid: Cid) -> Self {
        self.cid = Some(cid);
        self
    }

    fn lengths(mut self, expected: impl ToString, actual: impl ToString) -> Self {
        (self.expected, self.actual) = (Some(expected.to_string()), Some(actual.to_string()));
        self
    }

    fn json(&self) -> Value {
        json!({
            "finding": self.kind.name(),
            "severity": self.kind.class().name(),
            "offset": self.offset,
            "cid": self.cid.map(|cid| cid.to_string()),
            "expected": self.expected,
            "actual": self.actual,
            "message": self.message,
        })
    }

    fn line(&self) -> String {
        let mut line = self.kind.name().to_owned();
        if let Some(offset) = self.offset {
            line += &format!(" at byte {offset}");
        }
        line += &format!(": {}", self.message);
        if let (Some(expected), Some(actual)) = (&self.expected, &self.actual) {
            line += &format!("; expected {expected}, actual {actual}");
        }
        line
    }
}

pub(super) fn run(args: &VerifyArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?;
    let meter = input.meter(output);
    let keys = Keys::random();
    let check = Check { read: &args.read, keys: &keys, links: !args.no_links };
    let mut report = Report::new(args, &keys, output);
    let read = batches::run(
        &input,
        &args.read,
        |window, checked| check.window(window, checked),
        |step| report.step(step).map_err(|error| Failure::io("temporary file", &error)),
    );
    drop(meter);
    if let Err(failure) = read {
        if failure.exit != Exit::Damaged {
            return Err(failure);
        }
        report.find(Finding::new(Kind::Header, failure.to_string()).at(0));
    }
    report.finish(&input)
}

/// What was found, told as it is found.
struct Report<'a> {
    args: &'a VerifyArgs,
    keys: &'a Keys,
    output: &'a Output,
    opening: Option<Opening>,
    ledger: Ledger,
    index: Option<IndexCheck>,
    checked: Checked,
    /// Whether the data was read to its end.
    whole: bool,
    /// Names of findings and how many there are of each.
    counts: Vec<(Kind, u64)>,
}

/// An index that is being read.
struct IndexCheck {
    reader: Reader,
    start: u64,
    /// The digest before, in this bucket; none is before the empty one.
    last: Vec<u8>,
    /// Whether it can be read no further.
    failed: bool,
}

impl<'a> Report<'a> {
    fn new(args: &'a VerifyArgs, keys: &'a Keys, output: &'a Output) -> Self {
        Self {
            args,
            keys,
            output,
            opening: None,
            ledger: Ledger::new(args.sort_memory),
            index: None,
            checked: Checked::default(),
            whole: true,
            counts: Vec::new(),
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.count(finding.kind, 1) <= self.args.max_findings as u64 {
            self.output.result(&finding.json(), finding.line());
        }
    }

    /// How many findings of this name there are now.
    fn count(&mut self, kind: Kind, n: u64) -> u64 {
        if let Some((_, count)) = self.counts.iter_mut().find(|(other, _)| *other == kind) {
            *count += n;
            return *count;
        }
        self.counts.push((kind, n));
        n
    }

    fn data_offset(&self) -> u64 {
        self.opening.as_ref().map_or(0, |opening| opening.data_offset)
    }

    fn step(&mut self, step: Step<'_, Checked>) -> io::Result<()> {
        match step {
            Step::Opening(opening) => self.opening(opening)?,
            Step::Window(checked, _) => self.window(checked)?,
            Step::Padding { offset, bytes } => {
                if !self.args.allow_padding && !self.args.read.null_padding {
                    let what = format!("{bytes} zero bytes end the data");
                    self.find(Finding::new(Kind::Padding, what).at(offset));
                }
            }
            Step::Fault { error, lengths } => self.fault(&error, lengths),
            Step::Short { data_end, file_end } => {
                self.whole = false;
                let what = "the file ends before its header says that the data does";
                let finding = Finding::new(Kind::DataSize, what);
                self.find(finding.at(file_end).lengths(data_end, file_end));
            }
            Step::Index { offset, bytes } => self.index(offset, bytes)?,
            Step::Trailing { offset, bytes } => {
                if !self.args.allow_trailing {
                    let what = format!("{bytes} bytes lie behind the data, and are no index");
                    self.find(Finding::new(Kind::Trailing, what).at(offset));
                }
            }
        }
        Ok(())
    }

    fn opening(&mut self, opening: Opening) -> io::Result<()> {
        let roots = &opening.header.roots;
        if !self.args.allow_absent_roots {
            let root = |root: &Cid| self.keys.of(root, !IDENTITY_BIT);
            let roots: Vec<Key> =
                roots.iter().filter(|root| !carpool_core::is_identity(root)).map(root).collect();
            self.ledger.note(&[], &roots)?;
        }
        let (empty, v2) = (roots.is_empty(), opening.header.v2);
        let indexed = opening.index_offset().is_some();
        self.opening = Some(opening);
        if empty && !self.args.allow_empty_roots {
            self.find(Finding::new(Kind::RootsEmpty, "the header names no root"));
        }
        if v2.is_some_and(|v2| v2.is_unfinalised()) {
            let what = "the header of the CARv2 is zero: its writer never finished it";
            self.find(Finding::new(Kind::Unfinalised, what).at(11));
        }
        if self.args.require_index && !indexed {
            self.find(Finding::new(Kind::IndexAbsent, "there is no index"));
        }
        Ok(())
    }

    fn window(&mut self, checked: &Checked) -> io::Result<()> {
        self.checked.blocks += checked.blocks;
        self.checked.bytes += checked.bytes;
        if checked.last_good.is_some() {
            self.checked.last_good = checked.last_good;
        }
        for wrong in &checked.wrong {
            self.wrong(wrong);
        }
        self.ledger.note(&checked.keys, &checked.links)
    }

    fn wrong(&mut self, wrong: &Wrong) {
        let finding = match &wrong.why {
            Why::Hash(actual) => {
                let what = format!("the bytes of {} have another hash", wrong.cid);
                let expected = hex(wrong.cid.hash().digest());
                Finding::new(Kind::Hash, what).lengths(expected, hex(actual))
            }
            Why::Unsupported if self.args.allow_unknown_hashes => return,
            Why::Unsupported => {
                let code = wrong.cid.hash().code();
                let what = format!("{} has a hash function not known here, {code:#x}", wrong.cid);
                Finding::new(Kind::HashUnknown, what)
            }
            Why::Undecodable(error) => Finding::new(Kind::Undecodable, error.to_string()),
        };
        self.find(finding.at(self.data_offset() + wrong.at).of(wrong.cid));
    }

    fn fault(&mut self, error: &Error, lengths: Option<(u64, u64)>) {
        self.whole = false;
        let kind = if lengths.is_some() { Kind::Truncated } else { Kind::Section };
        let mut finding = Finding::new(kind, error.to_string());
        if let Some((expected, actual)) = lengths {
            finding = finding.lengths(format!("{expected} bytes"), format!("{actual} bytes"));
        }
        finding.offset = place(error);
        self.find(finding);
    }

    fn index(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut check = self.index.take().unwrap_or_else(|| IndexCheck {
            reader: Reader::new(&IndexLimits::default()).any_order(),
            start: offset,
            last: Vec::new(),
            failed: false,
        });
        if !check.failed {
            check.reader.handle_data(Bytes::copy_from_slice(bytes));
            self.entries(&mut check)?;
        }
        self.index = Some(check);
        Ok(())
    }

    fn entries(&mut self, check: &mut IndexCheck) -> io::Result<()> {
        loop {
            while let Some(records) = check.reader.take_records() {
                self.records(check, &records)?;
            }
            match check.reader.poll() {
                Ok(Some(_)) => check.last.clear(),
                Ok(None) => return Ok(()),
                Err(error) => {
                    check.failed = true;
                    let at = check.start + place(&error).unwrap_or(0);
                    let finding = Finding::new(Kind::IndexMalformed, error.to_string());
                    self.find(finding.at(at));
                    return Ok(());
                }
            }
        }
    }

    fn records(&mut self, check: &mut IndexCheck, records: &Records) -> io::Result<()> {
        let mut last = &check.last[..];
        for (n, (digest, at)) in records.iter().enumerate() {
            if last > digest {
                let what = format!("the entry of digest {} is out of order", hex(digest));
                let end = records.offset() + ((n + 1) * records.width()) as u64;
                self.find(Finding::new(Kind::IndexUnsorted, what).at(check.start + end));
            }
            last = digest;
            let digest = self.keys.digest(digest);
            self.ledger.note_entry(Key { digest, cid: 0, at })?;
        }
        check.last = last.to_vec();
        Ok(())
    }

    fn finish(mut self, input: &Input) -> Outcome {
        let io = |error| Failure::io("temporary file", &error);
        if let Some(mut check) = self.index.take() {
            check.reader.handle_eof();
            if !check.failed {
                self.entries(&mut check).map_err(io)?;
            }
            self.index = Some(check);
        } else if self.whole && self.opening.as_ref().is_some_and(|o| o.index_offset().is_some()) {
            let what = "the file ends before the index that its header names";
            let at = self.opening.as_ref().and_then(Opening::index_offset);
            let mut finding = Finding::new(Kind::IndexMalformed, what);
            finding.offset = at;
            self.find(finding);
        }
        // Against half of the blocks, or half of an index, all else would seem missing.
        let indexed = self.whole && self.index.as_ref().is_some_and(|index| !index.failed);
        let ledger = std::mem::replace(&mut self.ledger, Ledger::new(0));
        let balance = ledger.balance(self.args.read.workers(), indexed).map_err(io)?;
        let duplicates = balance.duplicates.count;
        self.balance(balance, input)?;
        self.verdict(input, duplicates)
    }

    fn balance(&mut self, mut balance: Balance, input: &Input) -> Outcome {
        let data = self.data_offset();
        balance.duplicates.first.sort_unstable();
        balance.absent.first.sort_unstable_by_key(|key| key.at);
        balance.misplaced.first.sort_unstable_by_key(|(_, at)| *at);
        balance.extra.first.sort_unstable_by_key(|key| key.at);
        balance.unindexed.first.sort_unstable_by_key(|key| key.at);
        if self.args.no_duplicates {
            let what = "this block was there before";
            let finding =
                |at: &u64| Finding::new(Kind::Duplicate, what).at(data.saturating_add(*at));
            let first = balance.duplicates.first.iter().map(finding).collect();
            self.find_all(Kind::Duplicate, first, balance.duplicates.count);
        }
        // What was not read may have been there.
        if self.whole {
            self.absent(&balance.absent.first, balance.absent.count, input)?;
        }
        let misplaced = |(entry, at): &(Key, u64)| {
            let what = "the index has another place for this block";
            let finding = Finding::new(Kind::IndexOffset, what);
            finding.at(data.saturating_add(*at)).lengths(at, entry.at)
        };
        let first = balance.misplaced.first.iter().map(misplaced).collect();
        self.find_all(Kind::IndexOffset, first, balance.misplaced.count);
        let extra = |entry: &Key| {
            let what = format!("the index has a block that is not there, at {}", entry.at);
            Finding::new(Kind::IndexExtra, what)
        };
        let first = balance.extra.first.iter().map(extra).collect();
        self.find_all(Kind::IndexExtra, first, balance.extra.count);
        let missing = |key: &Key| {
            let at = data.saturating_add(key.at & !IDENTITY_BIT);
            Finding::new(Kind::IndexMissing, "this block is not in the index").at(at)
        };
        let first = balance.unindexed.first.iter().map(missing).collect();
        self.find_all(Kind::IndexMissing, first, balance.unindexed.count);
        Ok(())
    }

    fn find_all(&mut self, kind: Kind, first: Vec<Finding>, count: u64) {
        let told = first.len() as u64;
        first.into_iter().for_each(|finding| self.find(finding));
        if count > told {
            self.count(kind, count - told);
        }
    }

    /// Roots and links that are not there. In a file that can be read again the block that has the
    /// link is, for the CID.
    fn absent(&mut self, keys: &[Key], count: u64, input: &Input) -> Outcome {
        let Some(opening) = self.opening.clone() else { return Ok(()) };
        let roots: Vec<(Key, Cid)> =
            opening.header.roots.iter().map(|root| (self.keys.of(root, 0), *root)).collect();
        for key in keys.iter().take(self.args.max_findings.max(1)) {
            let same =
                |(other, _): &&(Key, Cid)| (other.digest, other.cid) == (key.digest, key.cid);
            if let Some((_, root)) = roots.iter().find(same) {
                let what = format!("root {root} is not in the file");
                self.find(Finding::new(Kind::RootAbsent, what).of(*root));
                continue;
            }
            let at = opening.data_offset + key.at;
            let name = |link: &Cid| {
                let other = self.keys.of(link, 0);
                (other.digest, other.cid) == (key.digest, key.cid)
            };
            let links =
                if input.is_seekable() { links_at(input, at, &self.args.read)? } else { vec![] };
            let link = links.into_iter().find(name);
            let whom = link.map_or_else(|| "a block".to_owned(), |link| link.to_string());
            let what = format!("the block here links to {whom}, which is not in the file");
            let mut finding = Finding::new(Kind::LinkAbsent, what).at(at);
            finding.cid = link;
            self.find(finding);
        }
        let told = keys.len().min(self.args.max_findings.max(1)) as u64;
        if count > told {
            self.count(Kind::LinkAbsent, count - told);
        }
        debug_assert!(keys.len() <= EXAMPLES * 64, "examples are few");
        Ok(())
    }

    fn verdict(&self, input: &Input, duplicates: u64) -> Outcome {
        let worst = self.counts.iter().map(|(kind, _)| kind.class()).max();
        let verdict = worst.map_or("clean", Class::name);
        let counts: serde_json::Map<String, Value> =
            self.counts.iter().map(|(kind, n)| (kind.name().to_owned(), json!(n))).collect();
        let last_good = self.checked.last_good.map(|(at, cid)| {
            json!({"offset": self.data_offset().saturating_add(at), "cid": cid.to_string()})
        });
        let value = json!({
            "verdict": verdict,
            "file": input.shown(),
            "version": self.opening.as_ref().map(|o| if o.header.v2.is_some() { 2 } else { 1 }),
            "blocks": self.checked.blocks,
            "bytes": self.checked.bytes,
            "duplicates": duplicates,
            "findings": counts,
            "last_good": last_good,
        });
        self.output.result(&value, self.line(verdict, duplicates));
        let Some(worst) = worst else { return Ok(()) };
        let all: u64 = self.counts.iter().map(|(_, n)| n).sum();
        let plural = if all == 1 { "finding" } else { "findings" };
        let what = format!("{}: {verdict}, {all} {plural}", input.shown());
        Err(Failure::new(exit(worst), what))
    }

    fn line(&self, verdict: &str, duplicates: u64) -> String {
        let (blocks, bytes) = (self.checked.blocks, size(self.checked.bytes));
        let mut line = format!("{verdict}: {blocks} blocks, {bytes}");
        if duplicates > 0 {
            line += &format!(", {duplicates} of them double");
        }
        for (kind, n) in &self.counts {
            line += &format!(", {n} {}", kind.name());
        }
        if verdict != "clean" {
            match &self.checked.last_good {
                Some((at, cid)) => {
                    let at = self.data_offset().saturating_add(*at);
                    line += &format!("; the last good block is {cid} at byte {at}");
                }
                None => line += "; no block is good",
            }
        }
        line
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are about the header")]
const fn place(error: &Error) -> Option<u64> {
    match error {
        Error::Truncated { offset }
        | Error::PastData { offset, .. }
        | Error::SectionCid { offset }
        | Error::SectionLength { offset }
        | Error::SectionTooLong { offset, .. }
        | Error::BlockTooLong { offset, .. }
        | Error::Padding { offset }
        | Error::Index { offset, .. } => Some(*offset),
        _ => None,
    }
}
