use alloc::{
    collections::VecDeque,
    vec::{IntoIter, Vec},
};
use carpool_core::{Cid, CidSet, Limits};

use super::{
    Differences, Examples, Finding, IndexReading, Keys, Kind, Ledger, Named, Naming, NamingOutput,
    Part,
};
use crate::ReadAt;

/// What a [`Closing`] knows of the file beside its [`Ledger`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ending {
    /// The roots of the header.
    pub roots: Vec<Cid>,
    /// Where the CARv1 begins in the file.
    pub data_offset: u64,
    /// Whether the header says that the index has every section.
    pub fully: bool,
    /// Whether the data was read to its end. Where it was not, what seems absent may have been
    /// behind it: neither roots and links nor the index are told of.
    pub whole: bool,
    /// Whether each duplicate is a finding.
    pub duplicates: bool,
    /// How many findings of one kind are told; all are counted.
    pub max_findings: usize,
    /// What a block is held to that is read again.
    pub limits: Limits,
}

impl Ending {
    /// The end of a whole file of these roots, whose CARv1 begins at `data_offset`.
    #[must_use]
    pub fn new(roots: Vec<Cid>, data_offset: u64) -> Self {
        let (fully, whole, duplicates, max_findings) = (false, true, false, 1000);
        Self {
            roots,
            data_offset,
            fully,
            whole,
            duplicates,
            max_findings,
            limits: Limits::default(),
        }
    }
}

/// What a [`Closing`] has come to.
#[derive(Debug)]
pub enum ClosingOutput {
    /// Keys to compare: what was spilled of them goes back ([`Part::poll_read`]), then
    /// [`Part::compare`] on any thread, and [`Closing::handle_compared`].
    Part(Part),
    /// Bytes of the file that are wanted again, for the name of a link:
    /// [`Closing::handle_read`], with none where the file cannot be read again.
    Read(ReadAt),
    /// Something to tell.
    Finding(Finding),
    /// What parts came to is wanted.
    Wait,
    /// Everything was said.
    Done,
}

/// Holds the blocks of a CAR against each other, its links, its roots and its index, and tells what
/// differs: the end of every check.
#[derive(Debug)]
pub struct Closing {
    keys: Keys,
    ending: Ending,
    parts: IntoIter<Part>,
    out: usize,
    differences: Differences,
    told: VecDeque<Finding>,
    naming: Option<Naming>,
    /// What is told behind the links.
    last: VecDeque<Finding>,
    counts: Vec<(Kind, u64)>,
    duplicates: u64,
    settled: bool,
}

impl Closing {
    /// Compares what is in `ledger`, which `index` entered the index into, with keys of `keys`.
    #[must_use]
    pub fn new(ledger: Ledger, index: IndexReading, keys: Keys, ending: Ending) -> Self {
        let max = ending.max_findings;
        let says = index.says(ending.fully).filter(|_| ending.whole);
        let mut parts = ledger.into_parts();
        parts.iter_mut().for_each(|part| part.compare_with(says, max));
        let mut closing = Self {
            keys,
            ending,
            parts: parts.into_iter(),
            out: 0,
            differences: Differences::new(max),
            told: VecDeque::new(),
            naming: None,
            last: VecDeque::new(),
            counts: Vec::new(),
            duplicates: 0,
            settled: false,
        };
        closing.index(index);
        closing
    }

    fn index(&mut self, index: IndexReading) {
        if let Some((offset, fault)) = index.fault().cloned() {
            self.tell(Kind::IndexMalformed, 1, [Finding::IndexUnreadable { offset, fault }]);
        }
        let finding = |(entry, offset)| Finding::IndexUnsorted { entry, offset };
        self.tell_all(Kind::IndexUnsorted, index.into_unsorted(), finding);
    }

    /// Takes what a part came to. That of one that is not out is ignored.
    pub fn handle_compared(&mut self, differences: Differences) {
        if self.out > 0 {
            self.out -= 1;
            self.differences.join(differences);
        }
    }

    /// Takes the bytes that [`ClosingOutput::Read`] asked for; fewer, or none, where they cannot
    /// be read.
    pub fn handle_read(&mut self, bytes: &[u8]) {
        if let Some(naming) = &mut self.naming {
            naming.handle_read(bytes);
        }
    }

    /// What there is to do or to tell, until [`ClosingOutput::Done`].
    #[must_use]
    pub fn poll(&mut self) -> ClosingOutput {
        if let Some(part) = self.parts.next() {
            self.out += 1;
            return ClosingOutput::Part(part);
        }
        if self.out > 0 {
            return ClosingOutput::Wait;
        }
        if !self.settled {
            self.settle();
        }
        if let Some(finding) = self.told.pop_front() {
            return ClosingOutput::Finding(finding);
        }
        match self.naming.as_mut().and_then(Naming::poll) {
            Some(NamingOutput::Read(read)) => return ClosingOutput::Read(read),
            Some(NamingOutput::Link(Named { from, cid })) => {
                return ClosingOutput::Finding(Finding::MissingLink { cid, from });
            }
            None => {}
        }
        self.last.pop_front().map_or(ClosingOutput::Done, ClosingOutput::Finding)
    }

    /// How many findings there are of each kind, once the first was told.
    #[must_use]
    pub fn counts(&self) -> &[(Kind, u64)] {
        &self.counts
    }

    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.counts.iter().filter(|(other, _)| *other == kind).map(|(_, count)| count).sum()
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.ending.whole
    }

    /// Blocks that were there before, once everything was compared.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn settle(&mut self) {
        self.settled = true;
        let max = self.ending.max_findings;
        let found = core::mem::replace(&mut self.differences, Differences::new(max));
        self.duplicates = found.duplicates.count;
        if self.ending.duplicates {
            let finding = |offset| Finding::Duplicate { offset };
            self.tell_all(Kind::Duplicate, found.duplicates, finding);
        }
        if self.ending.whole {
            self.roots(found.roots);
            self.links(found.links);
        }
        let mut told = core::mem::take(&mut self.told);
        self.tell_all(Kind::IndexOffset, found.misplaced, |(entry, actual, expected)| {
            Finding::IndexOffset { entry, expected, actual }
        });
        let extra = |(entry, offset)| Finding::IndexExtra { entry, offset };
        self.tell_all(Kind::IndexExtra, found.extra, extra);
        let missing = |offset| Finding::IndexMissing { offset };
        self.tell_all(Kind::IndexMissing, found.unindexed, missing);
        core::mem::swap(&mut self.told, &mut told);
        self.last = told;
    }

    fn roots(&mut self, mut absent: Vec<super::Key>) {
        absent.sort_unstable();
        let mut told = CidSet::with_seed(0);
        let lacks =
            |root: &&Cid| absent.binary_search(&self.keys.root(root)).is_ok() && told.insert(root);
        let roots: Vec<Cid> = self.ending.roots.iter().filter(lacks).copied().collect();
        let (count, max) = (roots.len() as u64, self.ending.max_findings);
        let told = roots.into_iter().take(max).map(|cid| Finding::RootAbsent { cid });
        self.tell(Kind::RootAbsent, count, told);
    }

    fn links(&mut self, absent: Examples<super::LinkKey>) {
        self.tell(Kind::LinkAbsent, absent.count, []);
        let (absent, keys) = (absent.into_first(), self.keys.clone());
        let limits = self.ending.limits.clone();
        self.naming = Some(Naming::new(absent, keys, self.ending.data_offset, limits));
    }

    fn tell_all<T: Ord>(
        &mut self,
        kind: Kind,
        found: Examples<T>,
        finding: impl FnMut(T) -> Finding,
    ) {
        self.tell(kind, found.count, found.into_first().into_iter().map(finding));
    }

    fn tell(&mut self, kind: Kind, count: u64, told: impl IntoIterator<Item = Finding>) {
        if count > 0 {
            self.counts.push((kind, count));
        }
        self.told.extend(told);
    }
}
