//! One pass over a CAR that says everything that is wrong with it.

mod batch;
mod closing;
mod compare;
mod examples;
mod finding;
mod index;
mod key;
mod ledger;
mod links;
mod naming;
mod present;
mod report;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use carpool_core::{Bytes, Cid, identity_data};

pub use batch::{Batch, Verdicts};
pub use closing::{Closing, ClosingOutput, Ending};
pub use compare::{Differences, IndexSays, LinkKey, Part};
pub use examples::Examples;
pub use finding::{Class, Finding, Kind, NotChecked};
pub use index::IndexReading;
pub use key::{Key, Keys};
pub use ledger::{Ledger, SpillWrite};
pub use links::for_each_stored_link;
pub use naming::{Named, Naming, NamingOutput};
pub use report::{Good, Report, Total};

use crate::{
    Behind, Decoder, Error, Header, Item, Options, ReadAt, Region, Section, index::IndexLimits,
};
use batch::{Outcome, Verdict};

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
    /// How many blocks, links and entries of an index are kept to be compared, at 24 bytes each.
    /// Beyond it the check says that it did not compare them ([`Finding::NotChecked`]). Default
    /// 10^8.
    pub max_entries: usize,
    /// Beyond how many bytes of them the check asks for scratch space ([`Checking::Spill`]).
    /// Default: never.
    pub memory: usize,
    /// How many findings of one kind are told of those that are known only at the end; all are
    /// counted in [`Report::findings`]. Default 1,000.
    pub max_findings: usize,
    /// Whether the index is read and compared. Default: yes.
    pub index: bool,
    /// What the index may ask for.
    pub index_limits: IndexLimits,
    /// Whether each duplicate is a finding, or only their count is told. Default: only the count.
    pub duplicates: bool,
    /// Seed of the keys that are kept: something that whoever wrote the file does not know.
    pub seed: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            read: Options::default(),
            batch_bytes: 1 << 20,
            batch_blocks: 1024,
            max_entries: 100_000_000,
            memory: usize::MAX,
            max_findings: 1000,
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
    /// Bytes to keep until a [`Part`] wants them back.
    Spill(SpillWrite),
    /// Keys to compare: what was spilled of them goes back ([`Part::poll_read`]), then
    /// [`Part::compare`] on any thread, and [`Check::handle_compared`].
    Part(Part),
    /// Bytes of the file that are wanted again, for the name of a link:
    /// [`Check::handle_read`], with none where the file cannot be read again.
    Read(ReadAt),
    /// More of the file is needed ([`Check::handle_data`]), or verdicts or comparisons are.
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
///         Checking::Part(part) => check.handle_compared(part.compare()),
///         Checking::Read(_) => check.handle_read(&[]),
///         Checking::Spill(_) | Checking::Wait => {}
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
    keys: Keys,
    /// What is compared at the end; nothing, where it would be too much.
    ledger: Option<Ledger>,
    noted: usize,
    index: IndexReading,
    closing: Option<Closing>,
    whole: bool,
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
    /// Blocks, links, roots and the index are held against each other.
    Closing,
}

impl Check {
    /// A check of a file from its start.
    #[must_use]
    pub fn new(options: CheckOptions) -> Self {
        let decoder = Decoder::with_options(options.read.clone());
        let (keys, max) = (Keys::new(options.seed), options.max_findings);
        let index = IndexReading::new(keys.clone(), &options.index_limits, max);
        let ledger = Some(Ledger::new(options.seed, options.memory));
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
            keys,
            ledger,
            noted: 0,
            index,
            closing: None,
            whole: true,
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
            self.note(verdicts.links().len(), |ledger| ledger.handle_links(verdicts.links()));
            verdicts.for_each(|outcome, found| self.settle(&outcome, found));
        }
    }

    /// Takes what a part came to. That of one that is not out is ignored.
    pub fn handle_compared(&mut self, differences: Differences) {
        if let Some(closing) = &mut self.closing {
            closing.handle_compared(differences);
        }
    }

    /// Takes the bytes that [`Checking::Read`] asked for; fewer, or none, where they cannot be
    /// read.
    pub fn handle_read(&mut self, bytes: &[u8]) {
        if let Some(closing) = &mut self.closing {
            closing.handle_read(bytes);
        }
    }

    /// What there is to do or to tell. Call again until [`Checking::Wait`] or
    /// [`Checking::Done`].
    pub fn poll(&mut self) -> Checking {
        if let Some(spill) = self.ledger.as_mut().and_then(Ledger::poll_spill) {
            return Checking::Spill(spill);
        }
        if let Some(finding) = self.findings.pop_front() {
            return Checking::Finding(finding);
        }
        if self.stage == Stage::Reading
            && let Some(checking) = self.read()
        {
            return checking;
        }
        if self.stage == Stage::Read && self.next == self.filled {
            self.end();
        }
        if let Some(finding) = self.findings.pop_front() {
            return Checking::Finding(finding);
        }
        self.close()
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
                        self.index(behind);
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

    fn index(&mut self, Behind { offset, bytes, .. }: Behind) {
        let mut unused = Ledger::new(0, usize::MAX);
        if self.is_indexed() {
            let before = self.index.entries();
            self.index.handle_data(offset, bytes, self.ledger.as_mut().unwrap_or(&mut unused));
            let came = usize::try_from(self.index.entries() - before).unwrap_or(usize::MAX);
            self.note(came, |_| {});
        }
    }

    fn is_indexed(&self) -> bool {
        let v2 = self.header.as_ref().and_then(|header| header.v2);
        self.options.index && v2.is_some_and(|v2| v2.index_offset != 0)
    }

    /// Notes so many keys, where they are not too many.
    fn note(&mut self, keys: usize, note: impl FnOnce(&mut Ledger)) {
        self.noted = self.noted.saturating_add(keys);
        match &mut self.ledger {
            Some(ledger) if self.noted <= self.options.max_entries => note(ledger),
            ledger => *ledger = None,
        }
    }

    fn opened(&mut self, header: Header) {
        if header.roots.is_empty() {
            self.find(Finding::RootsEmpty);
        }
        if header.v2.is_some_and(|v2| v2.is_unfinalised()) {
            self.find(Finding::Unfinalised);
        }
        let stored = header.roots.iter().filter(|root| !carries_itself(root));
        let roots: Vec<Key> = stored.map(|root| self.keys.root(root)).collect();
        // They are in memory as it is: the limit on headers is theirs.
        self.ledger.iter_mut().for_each(|ledger| ledger.handle_links(&roots));
        self.header = Some(header);
    }

    fn find(&mut self, finding: Finding) {
        self.report.found(&finding);
        self.findings.push_back(finding);
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
        Checking::Batch(Batch::new(self.filled - 1, sections, self.keys.clone()))
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
        match self.behind.take() {
            Some((Region::NullPadding, offset, bytes)) => {
                self.find(Finding::NullPadding { offset, bytes });
            }
            Some((Region::Trailing, offset, bytes)) => {
                self.find(Finding::Trailing { offset, bytes });
            }
            Some((Region::Gap | Region::Index, ..)) | None => {}
        }
    }

    /// What is told of a block, in the order of the file.
    fn settle(&mut self, outcome: &Outcome, found: &mut dyn Iterator<Item = Finding>) {
        let Outcome { cid, offset, data_offset, len, key, .. } = *outcome;
        self.report.count(&cid, len);
        self.note(1, |ledger| ledger.handle_blocks(&[key]));
        found.for_each(|finding| self.find(finding));
        if outcome.verdict == Verdict::Yes {
            self.report.verified(&cid, offset, data_offset + len);
        }
    }

    /// Tells how the file ended, and begins to compare.
    fn end(&mut self) {
        self.stage = Stage::Closing;
        let ended = self.ended.take().map(|error| self.name(error));
        self.whole = ended.is_none();
        ended.into_iter().for_each(|finding| self.find(finding));
        self.tell_behind();
        let over = self.ledger.is_none();
        let mut ledger = self.ledger.take().unwrap_or_else(|| Ledger::new(0, usize::MAX));
        self.index.handle_eof(&mut ledger);
        if over {
            self.not_checked();
        }
        let max = self.options.max_findings;
        let unused = IndexReading::new(self.keys.clone(), &self.options.index_limits, max);
        let index = core::mem::replace(&mut self.index, unused);
        let mut ending = Ending::new(Vec::new(), self.decoder.data_offset());
        if let Some(header) = &self.header {
            ending.roots.clone_from(&header.roots);
            ending.fully = header.v2.is_some_and(|v2| v2.is_fully_indexed());
        }
        ending.whole = self.whole && !over;
        (ending.duplicates, ending.max_findings) = (self.options.duplicates, max);
        ending.limits = self.options.read.limits.clone();
        self.closing = Some(Closing::new(ledger, index, self.keys.clone(), ending));
    }

    fn not_checked(&mut self) {
        let max = self.options.max_entries as u64;
        self.find(Finding::NotChecked { what: NotChecked::Completeness, max });
        if self.is_indexed() && self.whole {
            self.find(Finding::NotChecked { what: NotChecked::Index, max });
        }
    }

    fn close(&mut self) -> Checking {
        let Some(closing) = &mut self.closing else { return Checking::Wait };
        match closing.poll() {
            ClosingOutput::Part(part) => return Checking::Part(part),
            ClosingOutput::Read(read) => return Checking::Read(read),
            ClosingOutput::Finding(finding) => return Checking::Finding(finding),
            ClosingOutput::Wait => return Checking::Wait,
            ClosingOutput::Done => {}
        }
        if let Some(closing) = self.closing.take() {
            self.report.closed(&closing);
        }
        Checking::Done
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
