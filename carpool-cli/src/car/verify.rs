//! `car verify`: everything that can be wrong with a CAR, by name, in one pass.

use carpool_car::{
    check::{Class, Closing, ClosingOutput, Ending, IndexReading, Keys, Ledger},
    index::IndexLimits,
};
use carpool_core::{Bytes, is_identity};
use clap::Args;
use serde_json::{Value, json};
use std::{ffi::OsString, io};

use super::{
    args::ReadFlags,
    batches::{self, Step},
    check::{Check, Checked},
    findings::{Finding, Kind},
    input::Input,
    scan::Opening,
    scratch::Scratch,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
    remote::random_seed,
};

/// Examples of each finding that are kept, at least.
const EXAMPLES: usize = 1000;

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

pub(super) fn run(args: &VerifyArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?;
    let meter = input.meter(output);
    let keys = Keys::new(random_seed());
    let check = Check { read: &args.read, keys: &keys, links: !args.no_links };
    let mut report = Report::new(args, keys.clone(), output);
    let read = batches::run(
        &input,
        &args.read,
        |window, checked| check.window(window, checked),
        |step| report.step(step).map_err(spilled),
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
    keys: Keys,
    output: &'a Output,
    opening: Option<Opening>,
    ledger: Ledger,
    scratch: Scratch,
    index: IndexReading,
    checked: Checked,
    /// Whether the data was read to its end.
    whole: bool,
    /// Names of findings and how many there are of each.
    counts: Vec<(Kind, u64)>,
}

impl<'a> Report<'a> {
    fn new(args: &'a VerifyArgs, keys: Keys, output: &'a Output) -> Self {
        let max = args.max_findings.max(EXAMPLES);
        Self {
            args,
            output,
            opening: None,
            ledger: Ledger::new(random_seed(), args.sort_memory),
            scratch: Scratch::default(),
            index: IndexReading::new(keys.clone(), &IndexLimits::default(), max),
            keys,
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
            Step::Fault { error, lengths } => {
                self.whole = false;
                self.find(Finding::fault(&error, lengths));
            }
            Step::Short { data_end, file_end } => {
                self.whole = false;
                let what = "the file ends before its header says that the data does";
                let finding = Finding::new(Kind::DataSize, what);
                self.find(finding.at(file_end).lengths(data_end, file_end));
            }
            Step::Index { offset, bytes } => {
                let bytes = Bytes::copy_from_slice(bytes);
                self.index.handle_data(offset, bytes, &mut self.ledger);
                self.scratch.take(&mut self.ledger)?;
            }
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
            let roots = roots.iter().filter(|root| !is_identity(root));
            let roots: Vec<_> = roots.map(|root| self.keys.root(root)).collect();
            self.ledger.handle_links(&roots);
            self.scratch.take(&mut self.ledger)?;
        }
        let (empty, v2) = (roots.is_empty(), opening.header.v2);
        let indexed = opening.index_offset().is_some();
        self.opening = Some(opening);
        if empty && !self.args.allow_empty_roots {
            let finding = Finding::new(Kind::RootsEmpty, "the header names no root");
            self.find(finding.at(self.data_offset()));
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
            let kind = wrong.kind();
            if kind != Kind::HashUnknown || !self.args.allow_unknown_hashes {
                self.find(Finding::told(wrong, self.data_offset()));
            }
        }
        self.ledger.handle_blocks(&checked.keys);
        self.ledger.handle_links(&checked.links);
        self.scratch.take(&mut self.ledger)
    }

    fn finish(mut self, input: &Input) -> Outcome {
        let index = self.opening.as_ref().and_then(Opening::index_offset);
        if let Some(offset) = index.filter(|_| self.whole && !self.index.has_begun()) {
            let what = "the file ends before the index that its header names";
            self.find(Finding::new(Kind::IndexMalformed, what).at(offset));
        }
        let mut closing = self.closing()?;
        self.compare(&mut closing)?;
        loop {
            match closing.poll() {
                ClosingOutput::Read(read) if input.is_seekable() => {
                    closing.handle_read(&input.read_at(read.offset, read.len)?);
                }
                ClosingOutput::Read(_) => closing.handle_read(&[]),
                ClosingOutput::Finding(found) => {
                    let finding = Finding::told(&found, self.data_offset());
                    self.find(finding);
                }
                ClosingOutput::Part(_) | ClosingOutput::Wait | ClosingOutput::Done => break,
            }
        }
        // All that were kept were told.
        let told = self.kept() as u64;
        for (kind, count) in closing.counts() {
            self.count(*kind, count.saturating_sub(told));
        }
        self.verdict(input, closing.duplicates())
    }

    /// How many findings of a name are kept of those that are known only at the end.
    fn kept(&self) -> usize {
        self.args.max_findings.max(EXAMPLES)
    }

    /// What is known only now that all was read.
    fn closing(&mut self) -> Outcome<Closing> {
        self.index.handle_eof(&mut self.ledger);
        self.scratch.take(&mut self.ledger).map_err(spilled)?;
        let max = self.kept();
        let unused = IndexReading::new(self.keys.clone(), &IndexLimits::default(), 0);
        let index = std::mem::replace(&mut self.index, unused);
        let ledger = std::mem::replace(&mut self.ledger, Ledger::new(0, 0));
        let mut ending = Ending::new(Vec::new(), self.data_offset());
        if let Some(opening) = &self.opening {
            ending.roots.clone_from(&opening.header.roots);
            ending.fully = opening.header.v2.is_some_and(|v2| v2.is_fully_indexed());
        }
        (ending.whole, ending.duplicates) = (self.whole, self.args.no_duplicates);
        (ending.max_findings, ending.limits) = (max, self.args.read.limits());
        Ok(Closing::new(ledger, index, self.keys.clone(), ending))
    }

    fn compare(&self, closing: &mut Closing) -> Outcome {
        let mut parts = Vec::new();
        while let ClosingOutput::Part(part) = closing.poll() {
            parts.push(part);
        }
        let workers = self.args.read.workers();
        let compared = self.scratch.compare(parts, workers).map_err(spilled)?;
        compared.into_iter().for_each(|differences| closing.handle_compared(differences));
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

fn spilled(error: io::Error) -> Failure {
    Failure::io("temporary file", &error)
}
