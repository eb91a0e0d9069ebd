use alloc::vec::Vec;
use carpool_core::{Bytes, Multihash};

use super::{
    Bucket, Codec, Entry, IndexFault, IndexLimits,
    layout::{Head, Layout, MAX_HEAD, MAX_WIDTH, OFFSET_BYTES},
};
use crate::{Error, buffer::Buffer};

/// What a [`Reader`] yields, in the order of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The format: first of all, and in a rollup again after each [`Item::Car`].
    Codec(Codec),
    /// The CAR that what follows is about: in a rollup only.
    Car(Multihash<64>),
    /// The entries that follow are those of this bucket.
    Bucket(Bucket),
    /// An entry.
    Entry(Entry),
}

/// Lists an index from chunks of any size.
///
/// Give it what arrives ([`handle_data`](Self::handle_data)), say when nothing more will
/// ([`handle_eof`](Self::handle_eof)), and after either call [`poll`](Self::poll) until `None`.
/// Memory is what was handed in and not polled out, whatever the index claims.
#[derive(Debug)]
pub struct Reader {
    layout: Layout,
    buffer: Buffer,
    bucket: Option<InBucket>,
    any_order: bool,
    eof: bool,
    failed: Option<Error>,
}

/// The bucket whose entries are being read.
#[derive(Debug)]
struct InBucket {
    bucket: Bucket,
    /// Where the next entry begins, in bytes from the start of the index.
    at: u64,
    /// Whole entries that have arrived.
    arrived: Bytes,
    used: usize,
    last: Option<Entry>,
}

impl Reader {
    /// A reader at the start of an index.
    #[must_use]
    pub fn new(limits: &IndexLimits) -> Self {
        Self {
            layout: Layout::new(limits),
            buffer: Buffer::default(),
            bucket: None,
            any_order: false,
            eof: false,
            failed: None,
        }
    }

    /// Lets the digests of a bucket come in any order. Hash functions, buckets and CARs are still
    /// to be sorted.
    #[must_use]
    pub const fn any_order(mut self) -> Self {
        self.any_order = true;
        self
    }

    /// Takes the next bytes of the index.
    pub fn handle_data(&mut self, data: Bytes) {
        self.buffer.push(data);
    }

    /// Says that the input has ended: what is incomplete then is [`IndexFault::Truncated`].
    pub const fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// The bytes consumed by the items that were yielded.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.bucket.as_ref().map_or_else(|| self.layout.at(), |bucket| bucket.at)
    }

    /// The next item; `None` when more input is needed, or, after
    /// [`handle_eof`](Self::handle_eof), at the end. Call again after every input, until `None`.
    ///
    /// # Errors
    /// [`Error::Index`]; the same one again at every later call.
    #[must_use = "items are lost if they are not looked at"]
    pub fn poll(&mut self) -> Result<Option<Item>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.next().inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn next(&mut self) -> Result<Option<Item>, Error> {
        loop {
            if self.bucket.is_some() {
                return self.next_entry();
            }
            if self.layout.at_end() {
                let trailing = self.buffer.len() > 0;
                let error = || self.layout.error(IndexFault::TrailingBytes);
                return if trailing { Err(error()) } else { Ok(None) };
            }
            self.buffer.join(self.buffer.len().min(MAX_HEAD));
            let Some((head, len)) = self.layout.step(self.buffer.front())? else {
                return self.starved();
            };
            drop(self.buffer.take(len));
            match head {
                Head::Count => {}
                Head::Codec(codec) => return Ok(Some(Item::Codec(codec))),
                Head::Car(car) => return Ok(Some(Item::Car(car))),
                Head::Bucket(bucket) => {
                    self.enter(bucket)?;
                    return Ok(Some(Item::Bucket(bucket)));
                }
            }
        }
    }

    /// The entries of the bucket that is being read, as far as they have arrived and lie in one
    /// piece: much faster than one by one. `None` where none have, or no bucket is being read, or
    /// their order is to be checked, which [`any_order`](Self::any_order) gives up: then
    /// [`poll`](Self::poll) has what comes next.
    #[must_use = "entries are lost if they are not looked at"]
    pub fn take_records(&mut self) -> Option<Records> {
        let inside = self.bucket.as_mut().filter(|_| self.any_order && self.failed.is_none())?;
        if inside.used == inside.arrived.len() && !inside.refill(&mut self.buffer) {
            return None;
        }
        let records = inside.take_all();
        if inside.at == inside.bucket.end() {
            self.layout.skip_to(inside.at);
            self.bucket = None;
        }
        Some(records)
    }

    fn starved(&self) -> Result<Option<Item>, Error> {
        let (offset, fault) = (self.offset(), IndexFault::Truncated);
        if self.eof { Err(Error::Index { offset, fault }) } else { Ok(None) }
    }

    fn enter(&mut self, bucket: Bucket) -> Result<(), Error> {
        let (width, max) = (bucket.width, MAX_WIDTH);
        if width > max {
            let fault = IndexFault::WidthTooLarge { width, max };
            return Err(Error::Index { offset: bucket.offset, fault });
        }
        if bucket.bytes > 0 {
            let (arrived, used, last) = (Bytes::new(), 0, None);
            self.bucket = Some(InBucket { bucket, at: bucket.offset, arrived, used, last });
        }
        Ok(())
    }

    fn next_entry(&mut self) -> Result<Option<Item>, Error> {
        let Some(inside) = &mut self.bucket else { return Ok(None) };
        if inside.used == inside.arrived.len() && !inside.refill(&mut self.buffer) {
            return self.starved();
        }
        let entry = inside.take(self.any_order)?;
        if inside.at == inside.bucket.end() {
            self.layout.skip_to(inside.at);
            self.bucket = None;
        }
        Ok(Some(Item::Entry(entry)))
    }
}

impl InBucket {
    /// Takes as many whole entries as lie in one piece; false where not even one has arrived.
    fn refill(&mut self, buffer: &mut Buffer) -> bool {
        let width = self.bucket.width as usize;
        if buffer.len() < width {
            return false;
        }
        buffer.join(width);
        let whole = buffer.front().len() / width * width;
        let left = self.bucket.end() - self.at;
        let len = usize::try_from(left).map_or(whole, |left| left.min(whole));
        (self.arrived, self.used) = (buffer.take(len), 0);
        true
    }

    fn take_all(&mut self) -> Records {
        let bytes = self.arrived.split_off(self.used);
        let (code, width, offset) = (self.bucket.code, self.bucket.width as usize, self.at);
        self.at += bytes.len() as u64;
        Records { code, width, offset, bytes }
    }

    fn take(&mut self, any_order: bool) -> Result<Entry, Error> {
        let width = self.bucket.width as usize;
        let entry = read_entry(self.bucket.code, &self.arrived[self.used..self.used + width]);
        let sorted = self.last.as_ref().is_none_or(|last| last.digest() <= entry.digest());
        if !sorted && !any_order {
            return Err(Error::Index { offset: self.at, fault: IndexFault::Unsorted });
        }
        self.used += width;
        self.at += width as u64;
        self.last = Some(entry);
        Ok(entry)
    }
}

/// Entries of one bucket, as they are in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    code: Option<u64>,
    /// Bytes of one.
    width: usize,
    offset: u64,
    bytes: Bytes,
}

impl Records {
    /// Where the first begins, in bytes from the start of the index.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes of one entry: those of its digest, and eight.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The multicodec of the hash function, where it is known.
    #[must_use]
    pub const fn code(&self) -> Option<u64> {
        self.code
    }

    /// The digests, and where the section of each begins, in bytes from the start of the CARv1.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> {
        self.bytes.chunks_exact(self.width).map(split_record)
    }
}

fn split_record(record: &[u8]) -> (&[u8], u64) {
    let (digest, offset) = record.split_at(record.len() - OFFSET_BYTES);
    (digest, u64::from_le_bytes(*offset.first_chunk().expect("eight bytes were split off")))
}

/// The entry that is all of `record`, which is no longer than [`MAX_WIDTH`].
pub(crate) fn read_entry(code: Option<u64>, record: &[u8]) -> Entry {
    let (digest, offset) = split_record(record);
    Entry::new(code, digest, offset).expect("a record is no longer than the longest entry")
}

/// Everything in an index that is all of `input`, in its order.
///
/// # Errors
/// [`Error::Index`].
pub fn decode(input: Bytes, limits: &IndexLimits) -> Result<Vec<Item>, Error> {
    let mut reader = Reader::new(limits);
    reader.handle_data(input);
    reader.handle_eof();
    let mut items = Vec::new();
    while let Some(item) = reader.poll()? {
        items.push(item);
    }
    Ok(items)
}
