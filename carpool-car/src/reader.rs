use carpool_core::{Bytes, Cid, cid_prefix};

use crate::{
    Error, Header, Options, Padding, ReadAt, Section,
    frame::Frame,
    header::{self, Found},
    section::{self, MAX_CID},
};

/// Bytes that are asked for at once where sections are small.
const WINDOW: usize = 64 << 10;

/// Bytes that are asked for where a payload was jumped over: a length, a CID, and some.
const HEAD: usize = 512;

/// A section without its data: where everything lies. Offsets count from the start of the CARv1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The CID.
    pub cid: Cid,
    /// Where the section begins, with its length.
    pub offset: u64,
    /// Where the block's bytes begin.
    pub data_offset: u64,
    /// How many they are.
    pub data_len: u64,
}

/// What a [`Reader`] has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// These bytes are needed: answer with [`Reader::handle_read`].
    Read(ReadAt),
    /// The file was opened.
    Header(Header),
    /// The next section of a scan.
    Head(Head),
    /// The section that was fetched.
    Section(Section),
    /// Nothing is left to do: [`Reader::scan`] or [`Reader::fetch`].
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Open,
    /// At this byte of the file; the section before it, where its end was not seen, begins there.
    Scan(u64, Option<u64>),
    Fetch(u64),
    Idle,
}

/// Reads a CAR at random, wherever it lies: in a file, behind HTTP ranges, in an object store.
///
/// It opens the file first. Then [`scan`](Self::scan) lists sections and reads no payload that is
/// larger than a window, and [`fetch`](Self::fetch) reads one section. A clone goes on by itself,
/// without opening the file again.
///
/// Ranges may be answered by somebody who lies: fewer bytes than were asked for mean that the file
/// ends there, more are [`Error::LongRead`], and whatever they are, each answer brings the reader
/// on or ends it.
#[derive(Clone, Debug)]
pub struct Reader {
    options: Options,
    window_len: usize,
    frame: Frame,
    header: Option<Header>,
    first: u64,
    task: Task,
    window: Bytes,
    window_at: u64,
    /// Where the file ends, as far as is known.
    file_end: u64,
    asked: Option<ReadAt>,
    failed: Option<Error>,
}

impl Reader {
    /// A reader that opens a file.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Self {
            options,
            window_len: WINDOW,
            frame: Frame::V1,
            header: None,
            first: 0,
            task: Task::Open,
            window: Bytes::new(),
            window_at: 0,
            file_end: u64::MAX,
            asked: None,
            failed: None,
        }
    }

    /// Sets how many bytes are asked for at once where sections are small: 512 at least; 64 KiB by
    /// default, which suits files. Where a request costs a round trip, more is better.
    pub fn set_window(&mut self, bytes: usize) {
        self.window_len = bytes.max(HEAD);
    }

    /// The header, once the file was opened.
    #[must_use]
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Where the CARv1 begins in the file.
    #[must_use]
    pub const fn data_offset(&self) -> u64 {
        self.frame.start
    }

    /// Where the first section begins, in bytes from the start of the CARv1.
    #[must_use]
    pub const fn first_section(&self) -> u64 {
        self.first
    }

    /// Lists the sections from `offset` on, in bytes from the start of the CARv1. Whatever was
    /// being done is dropped; before the file was opened, nothing happens.
    pub fn scan(&mut self, offset: u64) {
        self.begin(Task::Scan(self.frame.start.saturating_add(offset), None));
    }

    /// Reads the section that begins at `offset` of the CARv1. Its CID is whatever stands there:
    /// hold it to the one that was looked for. Whatever was being done is dropped; before the file
    /// was opened, nothing happens.
    pub fn fetch(&mut self, offset: u64) {
        self.begin(Task::Fetch(self.frame.start.saturating_add(offset)));
    }

    fn begin(&mut self, task: Task) {
        if self.header.is_some() {
            (self.task, self.failed, self.asked) = (task, None, None);
        }
    }

    /// Takes the bytes that were asked for last. Ignored where nothing was.
    pub fn handle_read(&mut self, bytes: Bytes) {
        let Some(ReadAt { offset, len }) = self.asked.take() else { return };
        if bytes.len() > len {
            let got = bytes.len() as u64;
            self.failed = Some(Error::LongRead { offset, bytes: got, max: len as u64 });
            return;
        }
        if bytes.len() < len {
            self.file_end = self.file_end.min(offset + bytes.len() as u64);
        }
        (self.window, self.window_at) = (bytes, offset);
    }

    /// What comes next. Call again after everything but [`Reading::Idle`]; after
    /// [`Reading::Read`], once the bytes were handed in.
    ///
    /// # Errors
    /// Any [`Error`]; the same one again until another section is asked for.
    pub fn poll(&mut self) -> Result<Reading, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let read = match self.task {
            Task::Open => self.open(),
            Task::Scan(at, unseen) => self.next_head(at, unseen),
            Task::Fetch(at) => self.fetched(at),
            Task::Idle => Ok(Reading::Idle),
        };
        read.inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn open(&mut self) -> Result<Reading, Error> {
        if self.frame == Frame::V1 {
            if self.window.is_empty() {
                return self.need(0, 1, self.window_len);
            }
            self.frame = Frame::read(&self.window, &self.options)?;
        }
        let at = self.frame.start;
        if self.file_end < at {
            return Err(Error::Truncated { offset: self.file_end });
        }
        let (header, len) = match header::at_front(self.data_from(at), &self.options.limits)? {
            Found::Complete(header, len) => (header, len),
            Found::Partial { needed } => return self.need(at, needed, self.window_len),
        };
        let header = Header { v2: self.frame.v2, ..header };
        (self.header, self.first) = (Some(header.clone()), len as u64);
        self.task = Task::Idle;
        Ok(Reading::Header(header))
    }

    fn next_head(&mut self, at: u64, unseen: Option<u64>) -> Result<Reading, Error> {
        if let Some(section) = unseen {
            if self.bytes_from(at - 1).is_empty() {
                return self.need_last(section, at);
            }
            self.task = Task::Scan(at, None);
        }
        if at >= self.frame.end.min(self.file_end) {
            return self.ended(at);
        }
        if self.bytes_from(at).is_empty() {
            return self.need(at, 1, self.window_len);
        }
        if self.data_from(at).first() == Some(&0) && self.options.padding == Padding::EndOfData {
            self.task = Task::Idle;
            return Ok(Reading::Idle);
        }
        let Some((head, end)) = self.head(at)? else { return self.need_head(at) };
        if end > self.file_end {
            return Err(Error::Truncated { offset: at });
        }
        let seen = end <= self.window_at + self.window.len() as u64;
        self.task = Task::Scan(end, (!seen).then_some(at));
        Ok(Reading::Head(head))
    }

    /// A file that is shorter than its last section answers what lies behind that section as one
    /// does that ends there. So the last byte is asked for as well.
    fn need_last(&mut self, section: u64, end: u64) -> Result<Reading, Error> {
        if self.file_end < end {
            return Err(Error::Truncated { offset: section });
        }
        let large = usize::try_from(end - section).map_or(true, |len| len >= self.window_len);
        let ahead = if large { HEAD } else { self.window_len };
        let len = if end == self.frame.end { 1 } else { 1 + ahead };
        self.ask(end - 1, len)
    }

    fn ended(&mut self, at: u64) -> Result<Reading, Error> {
        let known = self.frame.end != u64::MAX;
        if at > self.frame.end || at > self.file_end || known && at < self.frame.end {
            return Err(Error::Truncated { offset: at });
        }
        self.task = Task::Idle;
        Ok(Reading::Idle)
    }

    /// The section that begins at `at`, and where it ends in the file; `None` where more bytes have
    /// to be seen.
    fn head(&self, at: u64) -> Result<Option<(Head, u64)>, Error> {
        let front = self.data_from(at);
        let Some((start, end)) = section::extent(front, at, &self.options.limits)? else {
            return Ok(None);
        };
        if self.frame.clamp(at, end) < end {
            return Err(self.frame.incomplete(at, end));
        }
        let seen = end.min(front.len());
        let found = cid_prefix(&front[start..seen]).ok();
        if found.is_none() && seen < end.min(start + MAX_CID) {
            return Ok(None);
        }
        let (cid, data_at) = section::checked_cid(found, start..end, at, &self.options.limits)?;
        let offset = at - self.frame.start;
        let (data_offset, data_len) = (offset + data_at as u64, (end - data_at) as u64);
        Ok(Some((Head { cid, offset, data_offset, data_len }, at + end as u64)))
    }

    fn need_head(&mut self, at: u64) -> Result<Reading, Error> {
        let seen = self.data_from(at).len();
        self.need(at, seen + 1, self.window_len)
    }

    fn fetched(&mut self, at: u64) -> Result<Reading, Error> {
        if at >= self.frame.end {
            return Err(self.frame.incomplete(at, 1));
        }
        if self.bytes_from(at).is_empty() {
            return self.need(at, 1, self.window_len);
        }
        let Some((head, end)) = self.head(at)? else { return self.need_head(at) };
        let len = usize::try_from(end - at).expect("held to a limit that is a usize");
        if self.bytes_from(at).len() < len {
            return self.need(at, len, len);
        }
        let Head { cid, offset, data_offset, data_len } = head;
        let behind = usize::try_from(data_len).expect("held to a limit that is a usize");
        let end = self.in_window(at) + len;
        let data = self.window.slice(end - behind..end);
        self.task = Task::Idle;
        Ok(Reading::Section(Section { cid, data, offset, data_offset }))
    }

    /// Asks for `needed` bytes from `at` on, and for more as far as that is useful.
    fn need(&mut self, at: u64, needed: usize, useful: usize) -> Result<Reading, Error> {
        let past = self.frame.clamp(at, needed) < needed;
        if past || self.file_end.saturating_sub(at) < needed as u64 {
            return Err(self.frame.incomplete(at, needed));
        }
        self.ask(at, needed.max(useful))
    }

    fn ask(&mut self, offset: u64, len: usize) -> Result<Reading, Error> {
        let left = self.file_end.min(self.frame.end) - offset;
        let len = usize::try_from(left).map_or(len, |left| left.min(len));
        let read = ReadAt { offset, len };
        self.asked = Some(read);
        Ok(Reading::Read(read))
    }

    /// What was read of the file from `at` on.
    fn bytes_from(&self, at: u64) -> &[u8] {
        self.window.get(self.in_window(at)..).unwrap_or(&[])
    }

    /// What was read of the data from `at` on.
    fn data_from(&self, at: u64) -> &[u8] {
        let bytes = self.bytes_from(at);
        &bytes[..self.frame.clamp(at, bytes.len())]
    }

    /// The place of `at` in the window; beyond it where it was not read.
    fn in_window(&self, at: u64) -> usize {
        let place = at.checked_sub(self.window_at).and_then(|place| usize::try_from(place).ok());
        place.unwrap_or(usize::MAX)
    }
}
