use alloc::vec::Vec;
use carpool_core::{Bytes, Cid, CidSet, Multihash, is_identity};
use core::cmp::Ordering;

use super::finding::{Finding, NotChecked};
use crate::{
    Error,
    index::{IndexLimits, Item, Reader},
};

/// A section, or an entry of the index: what they are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Of the digest.
    hash: u64,
    /// Of the multihash; 0 where the index has none.
    code: u64,
    offset: u64,
    /// Of a section: whether it may do without an entry. Of an entry: its number.
    note: u64,
}

impl Key {
    const fn group(&self) -> (u64, u64) {
        (self.hash, self.code)
    }
}

/// Whether it is told of a section, and which entry or section it is.
type Place = (bool, u64);

/// The index against the sections.
#[derive(Debug)]
pub(super) struct Comparison {
    hashing: CidSet,
    reader: Reader,
    /// Where the index begins in the file, once it has begun.
    start: Option<u64>,
    expected: bool,
    fully: bool,
    max_entries: usize,
    /// Where it could not be read on.
    unreadable: Option<u64>,
    /// The first entry that is out of order.
    unsorted: Option<u64>,
    /// How many entries came.
    count: u64,
    sections: Vec<Key>,
    entries: Vec<Key>,
    last: Option<(Option<u64>, Vec<u8>)>,
    codes: bool,
}

impl Comparison {
    pub(super) fn new(seed: u64, max_entries: usize, limits: &IndexLimits) -> Self {
        Self {
            hashing: CidSet::with_seed(seed),
            reader: Reader::new(limits).any_order(),
            start: None,
            expected: false,
            fully: false,
            max_entries,
            unreadable: None,
            unsorted: None,
            count: 0,
            sections: Vec::new(),
            entries: Vec::new(),
            last: None,
            codes: true,
        }
    }

    /// Says whether the file has an index, and whether that has every section.
    pub(super) const fn expect(&mut self, indexed: bool, fully: bool) {
        (self.expected, self.fully) = (indexed, fully);
    }

    /// Takes the next bytes of the index, which lie at `offset` of the file.
    pub(super) fn handle_data(&mut self, offset: u64, bytes: Bytes) {
        if self.expected && self.unreadable.is_none() {
            self.start.get_or_insert(offset);
            self.reader.handle_data(bytes);
            self.read();
        }
    }

    /// Says that no more of the index comes.
    pub(super) fn handle_eof(&mut self) {
        if self.start.is_some() && self.unreadable.is_none() {
            self.reader.handle_eof();
            self.read();
        }
    }

    fn read(&mut self) {
        loop {
            match self.reader.poll() {
                Ok(None) => return,
                Ok(Some(Item::Entry(entry))) => {
                    self.handle_entry(entry.code(), entry.digest(), entry.offset());
                }
                Ok(Some(Item::Codec(_) | Item::Car(_) | Item::Bucket(_))) => self.last = None,
                Err(error) => return self.unreadable = Some(self.place(&error)),
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a reader has no other errors")]
    fn place(&self, error: &Error) -> u64 {
        let inside = match error {
            Error::Index { offset, .. } => *offset,
            _ => self.reader.offset(),
        };
        self.start.unwrap_or(0).saturating_add(inside)
    }

    pub(super) fn handle_section(&mut self, cid: &Cid, offset: u64) {
        if !self.expected || self.sections.len() > self.max_entries {
            return;
        }
        let hash = self.hash(cid.hash().digest());
        let optional = !self.fully && is_identity(cid);
        let code = cid.hash().code();
        self.sections.push(Key { hash, code, offset, note: optional.into() });
    }

    fn handle_entry(&mut self, code: Option<u64>, digest: &[u8], offset: u64) {
        let entry = self.count;
        self.count += 1;
        if !self.follows(code, digest) {
            self.unsorted.get_or_insert(entry);
        }
        if !self.expected || self.entries.len() > self.max_entries {
            return;
        }
        let hash = self.hash(digest);
        self.codes &= code.is_some();
        self.entries.push(Key { hash, code: code.unwrap_or(0), offset, note: entry });
    }

    /// Codes ascend, then widths, then digests.
    fn follows(&mut self, code: Option<u64>, digest: &[u8]) -> bool {
        let (last_code, last) = self.last.get_or_insert_with(|| (code, digest.to_vec()));
        let order = (*last_code, last.len(), &last[..]).cmp(&(code, digest.len(), digest));
        *last_code = code;
        last.clear();
        last.extend_from_slice(digest);
        order != Ordering::Greater
    }

    fn hash(&self, digest: &[u8]) -> u64 {
        // A digest that no CID has matches no section.
        let hash = Multihash::wrap(0x12, &digest[..digest.len().min(64)]);
        hash.map_or(0, |hash| self.hashing.hash(&Cid::new_v1(digest.len() as u64, hash)))
    }

    /// Where they differ: entries in their order, then sections in theirs.
    pub(super) fn findings(&mut self) -> Vec<Finding> {
        if !self.expected {
            return Vec::new();
        }
        let unsorted = self.unsorted.map(|entry| Finding::IndexUnsorted { entry });
        let mut found: Vec<_> = unsorted.into_iter().collect();
        let max = self.max_entries;
        if let Some(offset) = self.unreadable {
            found.push(Finding::IndexUnreadable { offset });
        } else if self.sections.len() > max || self.entries.len() > max {
            found.push(Finding::NotChecked { what: NotChecked::Index, max: max as u64 });
        } else {
            found.extend(self.differences());
        }
        found
    }

    fn differences(&mut self) -> Vec<Finding> {
        if !self.codes {
            let (sections, entries) = (self.sections.iter_mut(), self.entries.iter_mut());
            sections.chain(entries).for_each(|key| key.code = 0);
        }
        self.sections.sort_unstable();
        self.entries.sort_unstable();
        let mut found = Vec::new();
        let (mut sections, mut entries) = (&self.sections[..], &self.entries[..]);
        while let Some(group) =
            sections.first().into_iter().chain(entries.first()).map(Key::group).min()
        {
            let same = |keys: &[Key]| keys.partition_point(|key| key.group() <= group);
            let (here, after) = sections.split_at(same(sections));
            let (named, rest) = entries.split_at(same(entries));
            self.compare(here, named, &mut found);
            (sections, entries) = (after, rest);
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, finding)| finding).collect()
    }

    /// The sections of one multihash against the entries of it.
    fn compare(&self, sections: &[Key], entries: &[Key], found: &mut Vec<(Place, Finding)>) {
        let at =
            |keys: &[Key], offset| keys.binary_search_by_key(&offset, |key| key.offset).is_ok();
        let mut unnamed = sections.iter().filter(|section| !at(entries, section.offset));
        let right = entries.iter().any(|entry| at(sections, entry.offset));
        for entry in entries.iter().filter(|entry| !at(sections, entry.offset)) {
            let (entry, actual) = (entry.note, entry.offset);
            let finding = match unnamed.next() {
                Some(section) => Finding::IndexOffset { entry, expected: section.offset, actual },
                None => Finding::IndexExtra { entry, offset: actual },
            };
            found.push(((false, entry), finding));
        }
        // One entry is enough to find a block that is there more than once.
        let needless = |section: &Key| section.note == 1 || right && !self.fully;
        let missing = unnamed.filter(|section| !needless(section));
        let missing = missing.map(|section| section.offset);
        found.extend(missing.map(|offset| ((true, offset), Finding::IndexMissing { offset })));
    }
}
