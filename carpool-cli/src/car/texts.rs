//! The text form of a CAR in a file of any size, entry by entry.

use super::{
    input::Input,
    text::{Entry, Error, Head, cut, read_head},
};
use crate::failure::{Exit, Failure, Outcome};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes of an entry, and of a head, at most: the largest section in hex, and what is printed as
/// DAG-JSON, are within it by far.
pub(super) const MAX_ENTRY: usize = 256 << 20;

/// Reads a text from its start.
pub(super) struct Texts<'a> {
    input: &'a Input,
    buffer: Vec<u8>,
    /// What of the buffer was read.
    at: usize,
    /// Where the buffer begins in the text.
    offset: u64,
    line: u64,
    ended: bool,
}

/// Where an entry lies in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: usize,
    /// The number of its first line.
    pub(super) line: u64,
}

impl<'a> Texts<'a> {
    /// A text in a [seekable](Input::seekable) input, and what its head says.
    pub(super) fn open(input: &'a Input) -> Outcome<(Head, Self)> {
        let buffer = Vec::new();
        let mut texts = Self { input, buffer, at: 0, offset: 0, line: 1, ended: false };
        loop {
            let read = read_head(&texts.buffer, texts.ended);
            if let Some((head, len)) = read.map_err(|error| texts.wrong(1, &error))? {
                texts.step(len);
                return Ok((head, texts));
            }
            texts.fill()?;
        }
    }

    /// The next entry, and where it lies.
    pub(super) fn next(&mut self) -> Outcome<Option<(Place, Entry<'_>)>> {
        let (mut seen, len) = (0, None);
        let mut len: Option<usize> = len;
        while len.is_none() {
            let text = &self.buffer[self.at..];
            if text.is_empty() && self.ended {
                return Ok(None);
            }
            len = cut(text, seen, self.ended);
            if len.is_none() {
                seen = text.len();
                self.fill()?;
            }
        }
        let (len, from, line) = (len.unwrap_or_default(), self.at, self.line);
        let place = Place { offset: self.offset + from as u64, len, line };
        self.step(len);
        let entry = Entry::read(&self.buffer[from..from + len]);
        match entry {
            Ok(entry) => Ok(Some((place, entry))),
            Err(error) => Err(wrong(self.input, line, &error)),
        }
    }

    fn step(&mut self, len: usize) {
        let text = &self.buffer[self.at..self.at + len];
        self.line += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at += len;
    }

    /// Reads as much again as there is, so that a long entry is not looked at over and over.
    fn fill(&mut self) -> Outcome {
        drop(self.buffer.drain(..self.at));
        self.offset += self.at as u64;
        self.at = 0;
        if self.buffer.len() > MAX_ENTRY {
            return Err(self.wrong(self.line, &Error::TooLong { max: MAX_ENTRY }));
        }
        let wanted = self.buffer.len().max(CHUNK);
        let more = self.input.read_at(self.offset + self.buffer.len() as u64, wanted)?;
        self.ended = more.len() < wanted;
        self.buffer.extend_from_slice(&more);
        Ok(())
    }

    fn wrong(&self, line: u64, error: &Error) -> Failure {
        wrong(self.input, line, error)
    }
}

/// What is wrong with the text that begins at this line.
pub(super) fn wrong(input: &Input, line: u64, error: &Error) -> Failure {
    let what = format_args!("{}, from line {line}: {error}", input.shown());
    Failure::new(Exit::Damaged, what)
}
