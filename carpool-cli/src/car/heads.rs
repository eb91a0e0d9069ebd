//! The sections of a file without their payloads, which are not read where they are long.

mod search;

use carpool_car::Error;
use carpool_core::{Limits, cid_prefix, varint};

use super::{
    ahead::Ahead,
    args::ReadFlags,
    input::Input,
    links::HEAD_BYTES,
    scan::{Opening, Scan},
};
use crate::failure::{Failure, Outcome};

/// Bytes that are read at once where sections are short, and where they are long.
const LONG_READ: usize = 128 << 10;
const SHORT_READ: usize = 512;

/// What a server is asked for at least.
const REMOTE_READ: usize = 64 << 10;

/// Long reads after each other from which on threads read ahead.
const SETTLED: u32 = 3;

/// Bytes from one section to the next from which on it is better to skip what is between.
const SKIPPED: u64 = 16 << 10;

/// A section, without its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The binary CID.
    pub(crate) cid: &'a [u8],
    /// Where the section begins, from the start of the CARv1.
    pub(crate) offset: u64,
    /// Where the payload begins, from the start of the file.
    pub(crate) data_offset: u64,
    /// Bytes of the payload.
    pub(crate) len: u64,
}

/// The sections of a [seekable](Input::is_seekable) input, one after another.
#[derive(Debug)]
pub(crate) struct Heads<'a> {
    input: &'a Input,
    limits: Limits,
    null_padding: bool,
    opening: Opening,
    /// Where the data ends, and where the file does, from the start of the file.
    data_end: u64,
    file_end: u64,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
    filled: usize,
    step: u64,
    least: usize,
    /// What was read before the window, and belongs to it, is in front of this.
    room: usize,
    /// Long windows that followed on each other.
    long: u32,
    ahead: Option<Ahead>,
}

impl<'a> Heads<'a> {
    /// Reads the header.
    pub(crate) fn open(input: &'a Input, read: &ReadFlags) -> Outcome<Self> {
        let opening = Scan { read, verify: false }.opening(input)?;
        let file_end = input.len()?.unwrap_or(u64::MAX);
        let data_end = opening.data_end().unwrap_or(file_end);
        Ok(Self {
            input,
            limits: read.limits(),
            null_padding: read.null_padding,
            at: opening.sections_offset,
            opening,
            data_end,
            file_end,
            window: Vec::new(),
            window_at: 0,
            filled: 0,
            step: 0,
            room: 0,
            long: 0,
            ahead: None,
            least: if input.metadata().is_some() { SHORT_READ } else { REMOTE_READ },
        })
    }

    /// The header.
    pub(crate) const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Where the next section begins, from the start of the file; at the end, where the last ended.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// The next section. Only what is read is checked: the length and the CID.
    pub(crate) fn next(&mut self) -> Outcome<Option<Head<'_>>> {
        let (start, at) = (self.at, self.at);
        if at == self.data_end {
            return Ok(None);
        }
        let end = self.data_end.min(self.file_end);
        if at >= end {
            return Err(Error::Truncated { offset: at }.into());
        }
        let left = usize::try_from(end - at).map_or(HEAD_BYTES, |left| left.min(HEAD_BYTES));
        let from = self.have(at, left)?;
        let front = &self.window[from..from + left];
        if front.first() == Some(&0) && self.null_padding {
            self.data_end = at;
            return Ok(None);
        }
        let (prefix, body) = self.length(front, at)?;
        let next = at + prefix as u64 + body;
        if next > end {
            return Err(self.cut(at));
        }
        let inside = usize::try_from(body).map_or(left, |body| left.min(prefix + body));
        let cid_len = cid_len(&front[prefix..inside]).ok_or(Error::SectionCid { offset: at })?;
        let len = body - cid_len as u64;
        let max = self.limits.max_block_bytes as u64;
        if len > max {
            return Err(Error::BlockTooLong { offset: at, bytes: len, max }.into());
        }
        (self.at, self.step) = (next, next - start);
        let cid = &self.window[from + prefix..from + prefix + cid_len];
        let (offset, data_offset) = (at - self.opening.data_offset, next - len);
        Ok(Some(Head { cid, offset, data_offset, len }))
    }

    fn length(&self, front: &[u8], offset: u64) -> Outcome<(usize, u64)> {
        let wrong = Error::SectionLength { offset };
        let Ok(decoded) = varint::decode(front) else { return Err(wrong.into()) };
        let Some((len, prefix)) = decoded else { return Err(self.cut(offset)) };
        let max = self.limits.max_section_bytes as u64;
        match len {
            0 => Err(wrong.into()),
            bytes if bytes > max => Err(Error::SectionTooLong { offset, bytes, max }.into()),
            len => Ok((prefix, len)),
        }
    }

    fn cut(&self, offset: u64) -> Failure {
        let data_end = self.data_end;
        if self.file_end < data_end || self.opening.data_end().is_none() {
            return Error::Truncated { offset }.into();
        }
        Error::PastData { offset, data_end }.into()
    }

    /// Has `len` bytes at `at` of the file in the window; returns where.
    #[inline]
    fn have(&mut self, at: u64, len: usize) -> Outcome<usize> {
        match self.place(at) {
            Some(from) if from + len <= self.room + self.filled => Ok(from),
            _ => self.read(at, len),
        }
    }

    /// Where byte `at` of the file would be in the window, or right behind it.
    fn place(&self, at: u64) -> Option<usize> {
        let from = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        (from <= self.filled).then_some(self.room + from)
    }

    fn read(&mut self, at: u64, len: usize) -> Outcome<usize> {
        let long = self.step < SKIPPED;
        self.long = if long { self.long.saturating_add(1) } else { 0 };
        if let Some(from) = self.read_ahead(at, len)? {
            return Ok(from);
        }
        self.ahead = None;
        let size = if long { LONG_READ } else { self.least }.max(len);
        if self.window.len() < size {
            self.window.resize(size, 0);
        }
        self.filled = self.input.read_into(at, &mut self.window[..size])?;
        (self.window_at, self.room) = (at, 0);
        if self.filled < len {
            return Err(Error::Truncated { offset: at }.into());
        }
        Ok(0)
    }

    /// As [`read`](Self::read), out of what threads have read ahead; `None` where they have not.
    fn read_ahead(&mut self, at: u64, len: usize) -> Outcome<Option<usize>> {
        let next = self.window_at + self.filled as u64;
        if self.ahead.is_none() {
            let file = self.input.file().filter(|_| self.long >= SETTLED);
            self.ahead = file.and_then(|file| Ahead::new(file, next, LONG_READ, HEAD_BYTES));
        }
        // Sections that are skipped over more than a window are better read one by one.
        if self.ahead.is_none() || at >= next + LONG_READ as u64 {
            return Ok(None);
        }
        loop {
            self.slide(at)?;
            if let Some(from) = self.place(at).filter(|from| from + len <= self.room + self.filled)
            {
                return Ok(Some(from));
            }
        }
    }

    /// Takes the next window, with what is left of this one from byte `at` of the file on before
    /// it: less than a head.
    fn slide(&mut self, at: u64) -> Outcome {
        let next = self.window_at + self.filled as u64;
        let mut kept = [0; HEAD_BYTES];
        let left =
            usize::try_from(next.saturating_sub(at)).map_or(HEAD_BYTES, |n| n.min(HEAD_BYTES));
        let end = self.room + self.filled;
        kept[..left].copy_from_slice(&self.window[end - left..end]);
        let Some(ahead) = &mut self.ahead else { return Ok(()) };
        let filled = ahead.next(&mut self.window).map_err(|error| self.input.failed(&error))?;
        if filled == 0 {
            return Err(Error::Truncated { offset: at }.into());
        }
        self.room = HEAD_BYTES - left;
        self.window[self.room..HEAD_BYTES].copy_from_slice(&kept[..left]);
        (self.window_at, self.filled) = (next - left as u64, left + filled);
        Ok(())
    }
}

/// The bytes of the CID at the front; those of the two usual forms are not built for that.
#[inline]
fn cid_len(front: &[u8]) -> Option<usize> {
    let len = match *front {
        [0x12, 0x20, ..] => 34,
        [1, codec, hash, 0x20, ..] if (codec | hash) < 0x80 => 36,
        _ => cid_prefix(front).ok()?.1,
    };
    (len <= front.len()).then_some(len)
}
