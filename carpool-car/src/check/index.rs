use alloc::vec::Vec;
use carpool_core::Bytes;

use super::{Examples, IndexSays, Keys, Ledger};
use crate::{
    Error,
    index::{IndexFault, IndexLimits, Reader, Records},
};

/// Reads the index of a CAR where it lies, and enters it into a [`Ledger`].
#[derive(Debug)]
pub struct IndexReading {
    keys: Keys,
    reader: Reader,
    /// Where the index begins in the file, once it has begun.
    start: Option<u64>,
    /// Entries that were read.
    count: u64,
    /// The digest before, in this bucket; none is before the empty one.
    last: Vec<u8>,
    codes: bool,
    fault: Option<(u64, IndexFault)>,
    unsorted: Examples<(u64, u64)>,
}

impl IndexReading {
    /// A reader of an index that has not begun, under these limits, which keeps `max` examples of
    /// entries that are out of order.
    #[must_use]
    pub fn new(keys: Keys, limits: &IndexLimits, max: usize) -> Self {
        let (reader, unsorted) = (Reader::new(limits).any_order(), Examples::new(max));
        let (start, count, last, codes, fault) = (None, 0, Vec::new(), true, None);
        Self { keys, reader, start, count, last, codes, fault, unsorted }
    }

    /// Takes the next bytes of the index, which lie at `offset` of the file.
    pub fn handle_data(&mut self, offset: u64, bytes: Bytes, ledger: &mut Ledger) {
        self.start.get_or_insert(offset);
        if self.fault.is_none() {
            self.reader.handle_data(bytes);
            self.read(ledger);
        }
    }

    /// Says that no more of the index comes.
    pub fn handle_eof(&mut self, ledger: &mut Ledger) {
        if self.start.is_some() && self.fault.is_none() {
            self.reader.handle_eof();
            self.read(ledger);
        }
    }

    /// Whether any of it has come.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.start.is_some()
    }

    /// How many entries were read.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.count
    }

    /// What the index says of itself, where it was read to its end: then it can be compared.
    /// `fully` is what the header of the CARv2 says.
    pub(super) fn says(&self, fully: bool) -> Option<IndexSays> {
        let read = self.start.is_some() && self.fault.is_none();
        read.then_some(IndexSays { fully, codes: self.codes })
    }

    /// Where in the file it could be read no further, and why.
    pub(super) const fn fault(&self) -> Option<&(u64, IndexFault)> {
        self.fault.as_ref()
    }

    /// Entries that are out of order: number, and where in the file each begins.
    pub(super) fn into_unsorted(self) -> Examples<(u64, u64)> {
        self.unsorted
    }

    fn read(&mut self, ledger: &mut Ledger) {
        loop {
            while let Some(records) = self.reader.take_records() {
                self.enter(&records, ledger);
            }
            match self.reader.poll() {
                Ok(None) => return,
                Ok(Some(_)) => self.last.clear(),
                Err(error) => return self.fault = Some(self.place(error)),
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a reader has no other errors")]
    fn place(&self, error: Error) -> (u64, IndexFault) {
        let (inside, fault) = match error {
            Error::Index { offset, fault } => (offset, fault),
            _ => (self.reader.offset(), IndexFault::Truncated),
        };
        (self.start.unwrap_or(0).saturating_add(inside), fault)
    }

    fn enter(&mut self, records: &Records, ledger: &mut Ledger) {
        let (code, width) = (records.code(), records.width() as u64);
        let start = self.start.unwrap_or(0).saturating_add(records.offset());
        self.codes &= code.is_some();
        let mut last = &self.last[..];
        for (n, (digest, at)) in (0..).zip(records.iter()) {
            let number = self.count + n;
            if last > digest {
                self.unsorted.add((number, start.saturating_add(n * width)));
            }
            last = digest;
            ledger.handle_entry(self.keys.entry(code, digest, number, at));
        }
        self.last = last.to_vec();
        self.count += records.iter().len() as u64;
    }
}
