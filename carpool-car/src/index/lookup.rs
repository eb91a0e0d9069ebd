use carpool_core::{Bytes, Cid, Multihash};
use core::cmp::Ordering;

use super::{
    Bucket, Entry, IndexFault, IndexLimits, MAX_DIGEST_BYTES,
    indexer::prefix,
    layout::{Head, Layout, MAX_HEAD, OFFSET_BYTES},
    reader::read_entry,
};
use crate::{Error, ReadAt};

/// What a [`Lookup`] reads at once, unless [told otherwise](Lookup::page_bytes).
const PAGE_BYTES: usize = 4096;

/// What a [`Lookup`] looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(Entry);

impl Key {
    /// A multihash. An index of [`Codec::Sorted`](super::Codec::Sorted) has no hash functions:
    /// there it finds every entry of the digest, and only the section tells them apart.
    #[must_use]
    pub fn multihash(hash: &Multihash<64>) -> Self {
        Self(entry(Some(hash.code()), hash.digest()))
    }

    /// The multihash of a CID.
    #[must_use]
    pub fn cid(cid: &Cid) -> Self {
        Self::multihash(cid.hash())
    }

    /// A digest of whatever hash function; `None` where it is longer than [`MAX_DIGEST_BYTES`].
    #[must_use]
    pub fn digest(digest: &[u8]) -> Option<Self> {
        Entry::new(None, digest, 0).map(Self)
    }

    fn width(&self) -> usize {
        self.0.digest().len() + OFFSET_BYTES
    }

    /// Whether the bucket may have entries of this key.
    fn fits(&self, bucket: &Bucket) -> bool {
        let other = |(key, code)| key != code;
        let codes = self.0.code().zip(bucket.code);
        bucket.width as usize == self.width() && !codes.is_some_and(other)
    }

    /// Whether what comes after the bucket, in an index of one CAR, cannot have entries of this
    /// key any more.
    fn is_before(&self, bucket: &Bucket) -> bool {
        let wide = bucket.width as usize >= self.width();
        match (self.0.code(), bucket.code) {
            (Some(key), Some(code)) => (code, wide) >= (key, true),
            (None, Some(_)) => false,
            (_, None) => wide,
        }
    }
}

fn entry(code: Option<u64>, digest: &[u8]) -> Entry {
    Entry::new(code, digest, 0).expect("a multihash's digest is no longer than an entry's")
}

/// What a [`Lookup`] wants, or has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupOutput {
    /// These bytes of the input, for [`Lookup::handle_read`].
    ReadAt(ReadAt),
    /// An entry of the key.
    Found(Found),
    /// There are no more.
    Done,
}

/// An entry of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The CAR, where the index is a rollup.
    pub car: Option<Multihash<64>>,
    /// The entry. Its hash function is `None` in an index that has none.
    pub entry: Entry,
}

/// Finds the entries of a digest in an index that is never loaded, through reads of a page.
///
/// [`poll`](Self::poll) says what to read, [`handle_read`](Self::handle_read) takes it. A bucket of
/// `n` pages takes two to four reads where digests are spread as those of hashes are, and
/// `4 + 2 × log2(n)` at most; a bucket that is passed over takes one at most. In a rollup every CAR
/// is looked at. Memory is one page.
#[derive(Debug)]
pub struct Lookup {
    key: Key,
    start: u64,
    page_bytes: usize,
    layout: Layout,
    car: Option<Multihash<64>>,
    page: Page,
    asked: Option<ReadAt>,
    state: State,
}

/// What was read last.
#[derive(Debug, Default)]
struct Page {
    /// In bytes from the start of the index.
    at: u64,
    bytes: Bytes,
    /// Whether the input ends with it.
    last: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Heads,
    Search(Search),
    /// From entry `next` on; those from `high` on are not less than the key.
    Scan {
        bucket: Bucket,
        next: u64,
        high: u64,
    },
    Done,
    Failed,
}

/// Whether there is more to do, or something to tell the driver.
type Step = Result<Option<LookupOutput>, Error>;

impl Lookup {
    /// A look-up in the index that begins at byte `start` of the input and ends with it at latest.
    #[must_use]
    pub fn new(key: Key, start: u64, limits: &IndexLimits) -> Self {
        Self {
            key,
            start,
            page_bytes: PAGE_BYTES,
            layout: Layout::new(limits),
            car: None,
            page: Page::default(),
            asked: None,
            state: State::Heads,
        }
    }

    /// Reads this much at once, 4 KiB if it is not said: more where a read takes long. At least
    /// 128 bytes.
    #[must_use]
    pub const fn page_bytes(mut self, bytes: usize) -> Self {
        self.page_bytes = if bytes < 128 { 128 } else { bytes };
        self
    }

    /// Takes the bytes that were asked for: fewer of them mean that the input ends there.
    pub fn handle_read(&mut self, mut bytes: Bytes) {
        let Some(asked) = self.asked.take() else { return };
        bytes.truncate(asked.len);
        let last = bytes.len() < asked.len;
        self.page = Page { at: asked.offset - self.start, bytes, last };
    }

    /// What to read, or what was found. After [`LookupOutput::ReadAt`], call again when the bytes
    /// were [handed in](Self::handle_read); after [`LookupOutput::Found`] at once, for there may be
    /// more entries of the same digest.
    ///
    /// # Errors
    /// [`Error::Index`], and [`LookupOutput::Done`] ever after. Only what is looked at is checked:
    /// an index with faults elsewhere still serves.
    pub fn poll(&mut self) -> Result<LookupOutput, Error> {
        if let Some(asked) = self.asked {
            return Ok(LookupOutput::ReadAt(asked));
        }
        loop {
            match self.step() {
                Ok(None) => {}
                Ok(Some(output)) => return Ok(output),
                Err(error) => {
                    self.state = State::Failed;
                    return Err(error);
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        match self.state {
            State::Heads => self.head(),
            State::Search(search) => self.search(search),
            State::Scan { bucket, next, high } => self.scan(bucket, next, high),
            State::Done | State::Failed => Ok(Some(LookupOutput::Done)),
        }
    }

    fn head(&mut self) -> Step {
        if self.layout.at_end() {
            self.state = State::Done;
            return Ok(None);
        }
        let at = self.layout.at();
        let Some(input) = self.page.from(at, MAX_HEAD) else {
            return self.ask(at, self.page_bytes);
        };
        match self.layout.step(input)? {
            None => return Err(Error::Index { offset: at, fault: IndexFault::Truncated }),
            Some((Head::Car(car), _)) => self.car = Some(car),
            Some((Head::Codec(_) | Head::Count, _)) => {}
            Some((Head::Bucket(bucket), _)) if self.key.fits(&bucket) => {
                self.state = State::Search(Search::new(bucket));
            }
            Some((Head::Bucket(bucket), _)) => self.leave(&bucket),
        }
        Ok(None)
    }

    /// Goes on behind the bucket.
    fn leave(&mut self, bucket: &Bucket) {
        self.layout.skip_to(bucket.end());
        let over = !self.layout.is_rollup() && self.key.is_before(bucket);
        self.state = if over { State::Done } else { State::Heads };
    }

    fn search(&mut self, mut search: Search) -> Step {
        let (bucket, width) = (search.bucket, self.key.width());
        let page = (self.page_bytes / width) as u64;
        if search.high - search.low <= page {
            self.state = State::Scan { bucket, next: search.low, high: search.high };
            return Ok(None);
        }
        let first = search.probe(prefix(self.key.0.digest()), page);
        let (at, last) = (search.at(first), search.at(first + page - 1));
        let Some(input) = self.page.from(at, self.page_bytes) else {
            return self.ask(at, self.page_bytes);
        };
        let behind = usize::try_from(last - at).ok().and_then(|skip| input.get(skip..));
        let below = compare(input, width, at, &self.key)?;
        let above = compare(behind.unwrap_or_default(), width, last, &self.key)?;
        self.state = match (below, above) {
            (Ordering::Less, Ordering::Less) => {
                search.raise(first + page, prefix(behind.unwrap_or_default()))
            }
            (Ordering::Less, _) => State::Scan { bucket, next: first, high: first + page },
            (_, Ordering::Less) => {
                return Err(Error::Index { offset: last, fault: IndexFault::Unsorted });
            }
            _ => search.lower(first, prefix(input)),
        };
        Ok(None)
    }

    fn scan(&mut self, bucket: Bucket, next: u64, high: u64) -> Step {
        if next == bucket.entries() {
            self.leave(&bucket);
            return Ok(None);
        }
        let width = self.key.width();
        let at = bucket.offset + next * width as u64;
        let Some(record) = self.page.from(at, width) else { return self.ask(at, self.page_bytes) };
        match compare(record, width, at, &self.key)? {
            Ordering::Less if next >= high => {
                return Err(Error::Index { offset: at, fault: IndexFault::Unsorted });
            }
            Ordering::Less => self.state = State::Scan { bucket, next: next + 1, high },
            Ordering::Greater => self.leave(&bucket),
            Ordering::Equal => {
                let entry = read_entry(bucket.code, &record[..width]);
                self.state = State::Scan { bucket, next: next + 1, high };
                return Ok(Some(LookupOutput::Found(Found { car: self.car, entry })));
            }
        }
        Ok(None)
    }

    fn ask(&mut self, at: u64, len: usize) -> Step {
        let offset = self.start.checked_add(at).filter(|at| at.checked_add(len as u64).is_some());
        let beyond = Error::Index { offset: at, fault: IndexFault::Truncated };
        let asked = ReadAt { offset: offset.ok_or(beyond)?, len };
        self.asked = Some(asked);
        Ok(Some(LookupOutput::ReadAt(asked)))
    }
}

/// How many probes trust the digests to be spread evenly. After them every other one halves what is
/// left, whatever the digests are.
const TRUSTING_PROBES: u32 = 4;

/// The first entry that is not less than the key is one of `low..=high`.
#[derive(Clone, Copy, Debug)]
struct Search {
    bucket: Bucket,
    low: u64,
    high: u64,
    /// The [`prefix`] of the entry before `low`.
    low_key: u64,
    /// The [`prefix`] of entry `high`.
    high_key: u64,
    probes: u32,
}

impl Search {
    const fn new(bucket: Bucket) -> Self {
        let high = bucket.entries();
        Self { bucket, low: 0, high, low_key: 0, high_key: u64::MAX, probes: 0 }
    }

    /// Where an entry begins, in bytes from the start of the index.
    const fn at(&self, entry: u64) -> u64 {
        self.bucket.offset + entry * self.bucket.width as u64
    }

    /// The first entry of the page to look at: fewer of them than there are left.
    fn probe(&mut self, key: u64, page: u64) -> u64 {
        self.probes += 1;
        let trusts = self.probes <= TRUSTING_PROBES || self.probes.is_multiple_of(2);
        let (left, keys) = (self.high - self.low, self.high_key.saturating_sub(self.low_key));
        let middle = if trusts && keys > 0 {
            let key = key.saturating_sub(self.low_key).min(keys);
            let share = u128::from(left) * u128::from(key) / u128::from(keys);
            u64::try_from(share).unwrap_or(left)
        } else {
            left / 2
        };
        self.low + middle.saturating_sub(page / 2).min(left - page)
    }

    const fn raise(mut self, low: u64, key: u64) -> State {
        (self.low, self.low_key) = (low, key);
        State::Search(self)
    }

    const fn lower(mut self, high: u64, key: u64) -> State {
        (self.high, self.high_key) = (high, key);
        State::Search(self)
    }
}

impl Page {
    /// What lies at `at`: `len` bytes at least, or fewer where the input ends; `None` where it has
    /// to be read.
    fn from(&self, at: u64, len: usize) -> Option<&[u8]> {
        let skip = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(skip..).filter(|bytes| bytes.len() >= len || self.last)
    }
}

fn compare(record: &[u8], width: usize, at: u64, key: &Key) -> Result<Ordering, Error> {
    let truncated = Error::Index { offset: at, fault: IndexFault::Truncated };
    let record = record.get(..width).ok_or(truncated)?;
    Ok(record[..width - OFFSET_BYTES].cmp(key.0.digest()))
}

const _: () = assert!(PAGE_BYTES > MAX_HEAD && MAX_DIGEST_BYTES + OFFSET_BYTES < 128);
