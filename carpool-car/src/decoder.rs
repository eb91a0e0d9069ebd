use carpool_core::{Bytes, Cid, Limits, cid_prefix, varint};

use crate::{Error, Header, Section, buffer::Buffer, section};

/// The longest CID that is read: four varints of at most ten bytes and a digest of 64.
const MAX_CID: usize = 40 + 64;

/// What a [`Decoder`] yields: the header first, then every section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The header.
    Header(Header),
    /// A section.
    Section(Section),
}

/// Reads a CARv1 from chunks of any size.
///
/// Give it what arrives ([`handle_data`](Self::handle_data)), say when nothing more will
/// ([`handle_eof`](Self::handle_eof)), and after either call [`poll`](Self::poll) until `None`.
/// Memory is what was handed in and not polled out.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    buffer: Buffer,
    offset: u64,
    needed: usize,
    header_seen: bool,
    eof: bool,
    failed: Option<Error>,
}

impl Decoder {
    /// A decoder at the start of a CAR.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            buffer: Buffer::default(),
            offset: 0,
            needed: 1,
            header_seen: false,
            eof: false,
            failed: None,
        }
    }

    /// Takes the next bytes of the CAR.
    pub fn handle_data(&mut self, data: Bytes) {
        self.buffer.push(data);
    }

    /// Says that the input has ended: what is incomplete then is [`Error::Truncated`].
    pub const fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// The bytes consumed by the items that were yielded.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next item; `None` when more input is needed, or, after
    /// [`handle_eof`](Self::handle_eof), at the end. Call again after every input, until `None`.
    ///
    /// # Errors
    /// Any [`Error`]; the same one again at every later call.
    #[must_use = "items are lost if they are not looked at"]
    pub fn poll(&mut self) -> Result<Option<Item>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.next().inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn next(&mut self) -> Result<Option<Item>, Error> {
        if self.buffer.len() < self.needed {
            return self.starved();
        }
        if self.header_seen {
            return self.next_section();
        }
        self.buffer.join(self.needed);
        self.next_header()
    }

    /// An empty input has no header, so it is no CAR.
    fn starved(&self) -> Result<Option<Item>, Error> {
        let clean = self.header_seen && self.buffer.len() == 0;
        if self.eof && !clean {
            return Err(Error::Truncated { offset: self.offset });
        }
        Ok(None)
    }

    fn next_header(&mut self) -> Result<Option<Item>, Error> {
        let expected = Error::Header { expected: "the length of a header" };
        let Some((bytes, start)) = varint::decode(self.buffer.front()).map_err(|_| expected)?
        else {
            return self.wait_for(self.buffer.front().len() + 1);
        };
        let max = self.limits.max_header_bytes;
        let len = usize::try_from(bytes).ok().filter(|&len| len <= max);
        let len = len.ok_or(Error::HeaderTooLong { bytes, max: max as u64 })?;
        if self.buffer.front().len() < start + len {
            return self.wait_for(start + len);
        }
        let header = self.consume(start + len).slice(start..);
        let header = Header::decode(&header, &self.limits)?;
        self.header_seen = true;
        Ok(Some(Item::Header(header)))
    }

    /// Data that lies in one chunk is not copied, even where what stands before it lies in
    /// another: so senders write it.
    fn next_section(&mut self) -> Result<Option<Item>, Error> {
        let front = self.buffer.front();
        let Some((start, end)) = section::extent(front, self.offset, &self.limits)? else {
            let needed = front.len() + 1;
            self.buffer.join(needed.min(self.buffer.len()));
            return self.wait_for(needed);
        };
        if self.buffer.len() < end {
            return self.wait_for(end);
        }
        let offset = self.offset;
        let found = self.find_cid(start, end);
        let (cid, data_at) = section::checked_cid(found, start..end, offset, &self.limits)?;
        drop(self.consume(data_at));
        self.buffer.join(end - data_at);
        let data = self.consume(end - data_at);
        let data_offset = offset + data_at as u64;
        Ok(Some(Item::Section(Section { cid, data, offset, data_offset })))
    }

    /// The CID of a section that has arrived, in one piece from then on.
    fn find_cid(&mut self, start: usize, end: usize) -> Option<(Cid, usize)> {
        let front = self.buffer.front();
        let found = cid_prefix(&front[start..end.min(front.len())]).ok();
        if found.is_some() || front.len() >= end {
            return found;
        }
        self.buffer.join(end.min(start + MAX_CID));
        cid_prefix(&self.buffer.front()[start..]).ok()
    }

    fn wait_for(&mut self, needed: usize) -> Result<Option<Item>, Error> {
        self.needed = needed;
        self.next()
    }

    fn consume(&mut self, n: usize) -> Bytes {
        self.needed = 1;
        self.offset += n as u64;
        self.buffer.take(n)
    }
}
