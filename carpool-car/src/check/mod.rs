//! One pass over a CAR that says everything that is wrong with it.

mod batch;
mod dag;
mod finding;
mod index;
mod report;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use carpool_core::{Bytes, Cid, identity_data};

pub use batch::{Batch, Verdicts};
pub use finding::{Class, Finding, Kind, NotChecked};
pub use report::{Good, Report, Total};

use crate::{Behind, Decoder, Error, Header, Item, Options, Region, Section, index::IndexLimits};
use batch::{Link, Outcome, Verdict};
use dag::Dag;
use index::Comparison;

/// How a CAR is checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckOptions {
    /// How it is read. What they refuse is a finding that ends the check.
    pub read: Options,
    /// Bytes of blocks in one batch, the last block not counted. Default 1 MiB.
    pub batch_bytes: usize,
    /// Blocks in one batch. Default 1,024.
    pub batch_blocks: usize,
    /// How many blocks and unresolved links are kept to tell what is missing or doubled, and how
    /// many sections and entries of an index to compare them; at some 20 to 80 bytes each. Beyond
    /// it the check says that it did not check ([`Finding::NotChecked`]). Default 10^8.
    pub max_entries: usize,
    /// Whether the index is read and compared. Default: yes.
    pub index: bool,
    /// What the index may ask for.
    pub index_limits: IndexLimits,
    /// Whether each duplicate is a finding, or only their count is told. Default: only the count.
    pub duplicates: bool,
    /// Seed of the tables that are kept: something that whoever wrote the file does not know.
    pub seed: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            read: Options::default(),
            batch_bytes: 1 << 20,
            batch_blocks: 1024,
            max_entries: 100_000_000,
            index: true,
            index_limits: IndexLimits::default(),
            duplicates: false,
            seed: 0,
        }
    }
}

/// What a [`Check`] has come to.
#[derive(Debug)]
pub enum Checking {
    /// Blocks to hash: [`Batch::verify`], on any thread, and back to
    /// [`Check::handle_verdicts`].
    Batch(Batch),
    /// Something to tell. They come in the order of the file, those about the whole at the end.
    Finding(Finding),
    /// More of the file is needed ([`Check::handle_data`]), or verdicts are.
    Wait,
    /// Everything was said; [`Check::report`] is whole.
    Done,
}

/// Checks a CAR in one pass: hashes, links, roots, duplicates, its index, and what lies around its
/// sections.
///
/// The driver hands in the file from front to back, spreads the batches that come out over as many
/// threads as it likes, and brings the verdicts back in any order. What comes out does not depend
/// on that order.
///
/// ```
/// use carpool_car::check::{Check, Checking, CheckOptions, Finding};
/// use carpool_core::{Block, Limits, codec};
///
/// let (block, data) = (Block::new(codec::RAW, "hello".into()), b"jello");
/// let mut car = carpool_car::header(&[*block.cid()]).to_vec();
/// carpool_car::write_section(&mut car, block.cid(), data);
///
/// let mut check = Check::new(CheckOptions::default());
/// check.handle_data(car.into());
/// check.handle_eof();
/// let mut findings = vec![];
/// loop {
///     match check.poll() {
///         Checking::Batch(batch) => check.handle_verdicts(batch.verify(&Limits::default())),
///         Checking::Finding(finding) => findings.push(finding),
///         Checking::Wait => {}
///         Checking::Done => break,
///     }
/// }
/// assert!(matches!(findings[..], [Finding::Hash { offset: 59, .. }, Finding::RootAbsent { .. }]));
/// ```
#[derive(Debug)]
pub struct Check {
    options: CheckOptions,
    decoder: Decoder,
    findings: VecDeque<Finding>,
    filling: Vec<Section>,
    filling_bytes: usize,
    /// The number of the batch that is being filled.
    filled: u64,
    /// The number of the batch whose verdicts come next.
    next: u64,
    early: BTreeMap<u64, Verdicts>,
    header: Option<Header>,
    dag: Dag,
    index: Comparison,
    report: Report,
    stage: Stage,
    /// What lies behind the sections: since when, and how much.
    behind: Option<(Region, u64, u64)>,
    input_bytes: u64,
    ended: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    /// The file was read; verdicts may be out.
    Read,
    /// What is known only at the end was said.
    Told,
}

impl Check {
    /// A check of a file from its start.
    #[must_use]
    pub fn new(options: CheckOptions) -> Self {
        let decoder = Decoder::with_options(options.read.clone());
        let dag = Dag::new(options.seed, options.max_entries);
        let index = Comparison::new(options.seed, options.max_entries, &options.index_limits);
        Self {
            options,
            decoder,
            findings: VecDeque::new(),
            filling: Vec::new(),
            filling_bytes: 0,
            filled: 0,
            next: 0,
            early: BTreeMap::new(),
            header: None,
            dag,
            index,
            report: Report::default(),
            stage: Stage::Reading,
            behind: None,
            input_bytes: 0,
            ended: None,
        }
    }

    /// Takes the next bytes of the file.
    pub fn handle_data(&mut self, data: Bytes) {
        self.input_bytes += data.len() as u64;
        self.decoder.handle_data(data);
    }

    /// Says that the file has ended.
    pub const fn handle_eof(&mut self) {
        self.decoder.handle_eof();
    }

    /// Takes the verdicts of a batch. Those of a batch that is not out are ignored.
    pub fn handle_verdicts(&mut self, verdicts: Verdicts) {
        if (self.next..self.filled).contains(&verdicts.number()) {
            self.early.insert(verdicts.number(), verdicts);
        }
        while let Some(verdicts) = self.early.remove(&self.next) {
            self.next += 1;
            verdicts.for_each(|outcome, links, found| self.settle(&outcome, links, found));
        }
    }

    /// What there is to do or to tell. Call again until [`Checking::Wait`] or
    /// [`Checking::Done`].
    pub fn poll(&mut self) -> Checking {
        if let Some(finding) = self.findings.pop_front() {
            return Checking::Finding(finding);
        }
        if self.stage == Stage::Reading
            && let Some(checking) = self.read()
        {
            return checking;
        }
        match self.stage {
            Stage::Read if self.next == self.filled => self.tell(),
            Stage::Reading | Stage::Read => return Checking::Wait,
            Stage::Told => {}
        }
        self.findings.pop_front().map_or(Checking::Done, Checking::Finding)
    }

    /// How many batches are out: what bounds memory where a driver heeds it.
    #[must_use]
    pub const fn batches_out(&self) -> u64 {
        self.filled - self.next
    }

    /// The header, once it was read.
    #[must_use]
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// What was counted so far; whole after [`Checking::Done`].
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Reads on until there is something to hand out; `None` where more of the file is needed.
    fn read(&mut self) -> Option<Checking> {
        loop {
            match self.decoder.poll() {
                Ok(Some(Item::Section(section))) => {
                    if self.fill(section) {
                        return Some(self.hand_out());
                    }
                }
                Ok(Some(Item::Header(header))) => self.opened(header),
                Ok(Some(Item::Behind(behind))) => {
                    self.count_behind(&behind);
                    if behind.region == Region::Index {
                        self.index.handle_data(behind.offset, behind.bytes);
                    }
                }
                Ok(None) if !self.decoder.is_eof() => return None,
                Ok(None) => self.stage = Stage::Read,
                Err(error) => {
                    self.ended = Some(error);
                    self.stage = Stage::Read;
                }
            }
            if self.stage == Stage::Read {
                return (!self.filling.is_empty()).then(|| self.hand_out());
            }
        }
    }

    fn opened(&mut self, header: Header) {
        let indexed = self.options.index && header.v2.is_some_and(|v2| v2.index_offset != 0);
        self.index.expect(indexed, header.v2.is_some_and(|v2| v2.is_fully_indexed()));
        if header.roots.is_empty() {
            self.findings.push_back(Finding::RootsEmpty);
        }
        if header.v2.is_some_and(|v2| v2.is_unfinalised()) {
            self.findings.push_back(Finding::Unfinalised);
        }
        self.dag.expect_roots(&header.roots);
        self.header = Some(header);
    }

    /// Whether the batch is full.
    fn fill(&mut self, section: Section) -> bool {
        self.filling_bytes += section.data.len();
        self.filling.push(section);
        self.filling_bytes >= self.options.batch_bytes
            || self.filling.len() >= self.options.batch_blocks
    }

    fn hand_out(&mut self) -> Checking {
        let sections = core::mem::take(&mut self.filling);
        self.filling_bytes = 0;
        self.filled += 1;
        Checking::Batch(Batch::new(self.filled - 1, sections, self.options.seed))
    }

    fn count_behind(&mut self, Behind { region, offset, bytes }: &Behind) {
        let len = bytes.len() as u64;
        match &mut self.behind {
            Some((last, _, total)) if *last == *region => *total += len,
            _ => {
                self.tell_behind();
                self.behind = Some((*region, *offset, len));
            }
        }
    }

    fn tell_behind(&mut self) {
        self.findings.extend(match self.behind.take() {
            Some((Region::NullPadding, offset, bytes)) => {
                Some(Finding::NullPadding { offset, bytes })
            }
            Some((Region::Trailing, offset, bytes)) => Some(Finding::Trailing { offset, bytes }),
            Some((Region::Gap | Region::Index, ..)) | None => None,
        });
    }

    /// What is told of a block, in the order of the file.
    fn settle(
        &mut self,
        outcome: &Outcome,
        links: &[Link],
        found: &mut dyn Iterator<Item = Finding>,
    ) {
        let Outcome { cid, offset, data_offset, len, .. } = *outcome;
        self.report.count(&cid, len);
        self.index.handle_section(&cid, offset);
        for finding in found {
            self.report.damaged |= finding.class() == Class::Damaged;
            self.findings.push_back(finding);
        }
        if self.dag.handle_block(outcome) == Some(false) {
            self.report.duplicates += 1;
            if self.options.duplicates {
                self.findings.push_back(Finding::Duplicate { offset, cid });
            }
        }
        if outcome.verdict == Verdict::Yes {
            self.report.verified(&cid, offset, data_offset + len);
        }
        links.iter().for_each(|link| self.dag.handle_link(link, offset));
    }

    /// What is known only now.
    fn tell(&mut self) {
        self.stage = Stage::Told;
        let ended = self.ended.take().map(|error| self.name(error));
        let whole = ended.is_none();
        self.index.handle_eof();
        self.findings.extend(ended);
        self.tell_behind();
        let header = self.header.take();
        let opened = header.is_some();
        if let Some(header) = &header {
            let absent = header.roots.iter().filter(|root| self.dag.lacks_root(root));
            let absent: Vec<Cid> = absent.copied().collect();
            self.report.roots_absent = absent.len() as u64;
            self.findings.extend(absent.into_iter().map(|cid| Finding::RootAbsent { cid }));
        }
        self.header = header;
        if opened {
            let missing = self.dag.missing();
            self.report.links_missing = missing.as_ref().ok().map(|missing| missing.len() as u64);
            self.findings.extend(missing.unwrap_or_else(|unchecked| [unchecked].into()));
            // Beside a part of the sections, or no index, all else would seem missing.
            if whole {
                self.findings.extend(self.index.findings());
            }
        }
        self.report.damaged |= self.findings.iter().any(|found| found.class() == Class::Damaged);
    }

    /// A CARv2 that is cut says how much is missing.
    fn name(&self, error: Error) -> Finding {
        let v2 = self.header.as_ref().and_then(|header| header.v2);
        match (v2, error) {
            (Some(v2), Error::Truncated { offset }) if offset < v2.data_end() => {
                let (data_end, file_end) = (v2.data_end(), self.input_bytes);
                Finding::DataSize { offset, data_end, file_end }
            }
            (Some(v2), Error::Truncated { .. }) if v2.index_offset >= v2.data_end() => {
                Finding::IndexBeyondFile { offset: v2.index_offset, file_end: self.input_bytes }
            }
            (_, error) if self.header.is_none() => Finding::Header(error),
            (_, error) => Finding::Malformed(error),
        }
    }
}

/// Whether a CID needs no block.
fn carries_itself(cid: &Cid) -> bool {
    identity_data(cid).is_some()
}
