//! Sections of a part of a file, one after another.

use carpool_car::{Error, Status, decode};
use carpool_core::{Bytes, Cid, Limits, Unverified, verify};

use super::input::Input;
use crate::failure::{Exit, Failure, Outcome};

/// Bytes that are read at once.
const CHUNK: usize = 2 << 20;

/// Reads sections from `offset` to `end` of a [seekable](Input::seekable) input.
pub(super) struct Cursor<'a> {
    input: &'a Input,
    limits: Limits,
    /// Where the next section begins in the file.
    pub(super) offset: u64,
    end: u64,
    window: Bytes,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(input: &'a Input, limits: Limits, offset: u64, end: u64) -> Self {
        Self { input, limits, offset, end, window: Bytes::new(), at: 0 }
    }

    /// The next section; `None` at the end.
    pub(super) fn next(&mut self) -> Outcome<Option<(Cid, Bytes)>> {
        while self.offset < self.end {
            let status = decode(&self.window[self.at..], self.offset, &self.limits);
            match status.map_err(|error| self.damaged(&error))? {
                Status::Complete { cid, data_at, end } => {
                    let data = self.window.slice(self.at + data_at..self.at + end);
                    self.at += end;
                    self.offset += end as u64;
                    return Ok(Some((cid, data)));
                }
                Status::Partial { needed } => self.fill(needed)?,
            }
        }
        Ok(None)
    }

    fn fill(&mut self, needed: usize) -> Outcome {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let window = self.input.read_at(self.offset, CHUNK.max(needed).min(left))?;
        if window.len() < needed {
            return Err(self.damaged(&Error::Truncated { offset: self.offset }));
        }
        (self.window, self.at) = (window.into(), 0);
        Ok(())
    }

    fn damaged(&self, error: &Error) -> Failure {
        Failure::new(Exit::Damaged, format_args!("{}: {error}", self.input.shown()))
    }

    /// The next `max` sections at most, in one batch of some megabytes, verified where `check`.
    pub(super) fn batch(&mut self, max: u64, check: bool) -> Outcome<Vec<(Cid, Bytes)>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while (batch.len() as u64) < max && bytes < CHUNK {
            let Some((cid, data)) = self.next()? else { break };
            bytes += data.len() + 64;
            batch.push((cid, data));
        }
        if check {
            let claims =
                batch.iter().map(|(cid, data)| Unverified { cid: *cid, data: data.clone() });
            for verdict in verify(claims.collect()) {
                verdict.map_err(|error| {
                    let at = format_args!(
                        "{}, before byte {}: {error}",
                        self.input.shown(),
                        self.offset
                    )
                    .to_string();
                    Failure::new(Exit::Damaged, at)
                })?;
            }
        }
        Ok(batch)
    }
}
