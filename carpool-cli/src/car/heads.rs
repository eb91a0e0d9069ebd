//! The sections of a file without their payloads, which are not read where they are long.

use carpool_car::Error;
use carpool_core::{Limits, cid_prefix, varint};

use super::{
    args::ReadFlags,
    input::Input,
    links::HEAD_BYTES,
    scan::{Opening, Scan},
};
use crate::failure::{Failure, Outcome};

/// Bytes that are read at once where sections are short, and where they are long.
const LONG_READ: usize = 256 << 10;
const SHORT_READ: usize = 512;

/// What a server is asked for at least.
const REMOTE_READ: usize = 64 << 10;

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
    fn have(&mut self, at: u64, len: usize) -> Outcome<usize> {
        let from = at.checked_sub(self.window_at).and_then(|from| usize::try_from(from).ok());
        if let Some(from) = from.filter(|from| from.saturating_add(len) <= self.filled) {
            return Ok(from);
        }
        let size = if self.step < SKIPPED { LONG_READ } else { self.least };
        let size = size.max(len);
        if self.window.len() < size {
            self.window.resize(size, 0);
        }
        self.filled = self.input.read_into(at, &mut self.window[..size])?;
        self.window_at = at;
        if self.filled < len {
            return Err(Error::Truncated { offset: at }.into());
        }
        Ok(0)
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
