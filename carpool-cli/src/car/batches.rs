//! A CAR in windows of whole sections, worked on by all cores, with what lies behind its data.

mod share;

use carpool_car::{Decoder, Error, Sections, decode};
use std::io::Read;

use super::{
    args::ReadFlags,
    input::Input,
    scan::{Opening, open},
};
use crate::failure::Outcome;

/// Bytes of a window of short sections: what a core's cache holds while they are hashed.
const SHORT: usize = 512 << 10;

/// Bytes of a window at most, more only where a section is longer: four sections of a megabyte.
const WINDOW: usize = (4 << 20) + (64 << 10);

/// Sections of a window, where they fit: as many as are hashed together.
const TOGETHER: usize = 4;

/// What is come upon, in the order of the file. Offsets count from the start of the file.
#[derive(Debug)]
pub(crate) enum Step<'a, T> {
    /// The header: always first.
    Opening(Opening),
    /// What became of a window.
    Window(&'a mut T, &'a Window),
    /// Zeros up to the end of the data.
    Padding { offset: u64, bytes: u64 },
    /// The data cannot be read on: it is no section, or it has `actual` of `expected` bytes.
    Fault { error: Error, lengths: Option<(u64, u64)> },
    /// The file ends before its header says that the data does.
    Short { data_end: u64, file_end: u64 },
    /// A piece of the index.
    Index { offset: u64, bytes: &'a [u8] },
    /// What lies behind the data where there is no index.
    Trailing { offset: u64, bytes: u64 },
}

/// Whole sections, to be worked on.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    end: usize,
    /// Of the first byte, from the start of the CARv1.
    offset: u64,
}

impl Window {
    /// The sections' bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// The sections, one by one.
    pub(crate) fn sections(&self, read: &ReadFlags) -> Sections<'_> {
        Sections::window(self.bytes(), self.offset, &read.limits())
    }
}

/// Reads all of `input`, has `work` done on each window by all threads, and tells `each` in order.
/// What `work` is given to fill was filled before: memory that goes round is not asked for anew.
///
/// Whatever `each` is told after a [`Step::Fault`] lies behind the data.
pub(crate) fn run<T: Default + Send>(
    input: &Input,
    read: &ReadFlags,
    work: impl Fn(&Window, &mut T) + Sync,
    mut each: impl FnMut(Step<'_, T>) -> Outcome,
) -> Outcome {
    let feed = Feed::open(input, read)?;
    let opening = feed.opening.clone();
    each(Step::Opening(feed.opening.clone()))?;
    let told = |done: &mut T, window: &Window| each(Step::Window(done, window));
    let (mut feed, stop) = share::share(feed, read.workers(), &work, told)?;
    feed.told(stop, &opening, &mut each)
}

/// The bytes of a file, window by window.
struct Feed<'a> {
    stream: Box<dyn Read + Send + 'a>,
    input: &'a Input,
    read: &'a ReadFlags,
    opening: Opening,
    /// What was read and not worked on.
    rest: Vec<u8>,
    /// Where `rest` begins, from the start of the file.
    at: u64,
    /// Bytes of the next window: so many that it ends where a section does, where they are alike.
    aim: usize,
    ended: bool,
}

/// Why there are no more windows.
enum Stop {
    /// The data ends here.
    End,
    /// Here begins a section of length zero.
    Zero,
    Fault {
        error: Error,
        lengths: Option<(u64, u64)>,
    },
}

impl<'a> Feed<'a> {
    fn open(input: &'a Input, read: &'a ReadFlags) -> Outcome<Self> {
        let mut stream = input.stream()?;
        let mut decoder = Decoder::with_options(read.options());
        let mut at = 0;
        loop {
            let mut chunk = Vec::new();
            let taken = (&mut stream).take(SHORT as u64).read_to_end(&mut chunk);
            taken.map_err(|error| input.failed(&error))?;
            let ended = chunk.len() < SHORT;
            let mut opened = None;
            if !chunk.is_empty() {
                opened = open(&mut decoder, chunk.clone())?;
            }
            if opened.is_none() && ended {
                opened = open(&mut decoder, Vec::new())?;
            }
            if let Some(opening) = opened {
                let used = usize::try_from(opening.sections_offset - at).unwrap_or(chunk.len());
                let rest = chunk.split_off(used);
                let at = opening.sections_offset;
                let aim = SHORT;
                return Ok(Self { stream, input, read, opening, rest, at, aim, ended });
            }
            at += chunk.len() as u64;
        }
    }

    /// The next whole sections, in memory that was used before, and why there are no more behind
    /// them, where there are none.
    fn window(&mut self, mut bytes: Vec<u8>) -> Outcome<(Window, Option<Stop>)> {
        let offset = self.at - self.opening.data_offset;
        let mut len = self.rest.len();
        let mut aim = self.aim.max(len);
        if bytes.len() < aim {
            bytes.resize(aim, 0);
        }
        bytes[..len].copy_from_slice(&self.rest);
        loop {
            if !self.ended {
                len = self.fill(&mut bytes[..aim], len)?;
            }
            let data = self.in_data(len);
            let (end, stop) = self.whole(&bytes[..data], offset, self.ended || data < len);
            let data_ends = self.opening.data_end() == Some(self.at + end as u64);
            let stop = if data_ends && stop.is_none() { Some(Stop::End) } else { stop };
            // A section longer than the window: read on before anything is handed over.
            if end > 0 || stop.is_some() {
                self.rest.clear();
                self.rest.extend_from_slice(&bytes[end..len]);
                self.at += end as u64;
                return Ok((Window { bytes, end, offset }, stop));
            }
            aim = len + WINDOW;
            bytes.resize(aim, 0);
        }
    }

    /// Reads behind the `len` bytes that are there, until there is no more room.
    fn fill(&mut self, bytes: &mut [u8], len: usize) -> Outcome<usize> {
        let mut filled = len;
        while filled < bytes.len() {
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.input.failed(&error)),
            }
        }
        Ok(filled)
    }

    fn in_data(&self, len: usize) -> usize {
        let left = self.opening.data_end().map(|end| end.saturating_sub(self.at));
        left.and_then(|left| usize::try_from(left).ok()).map_or(len, |left| left.min(len))
    }

    /// Where the last whole section ends, and what is wrong behind it. `last`: nothing more comes.
    fn whole(&mut self, data: &[u8], offset: u64, last: bool) -> (usize, Option<Stop>) {
        let mut sections = Sections::window(data, offset, &self.read.limits());
        let mut count = 0;
        let wrong = sections.by_ref().inspect(|_| count += 1).any(|section| section.is_err());
        let rest = sections.rest();
        let end = data.len() - rest.len();
        self.aim = aim(end, count);
        if rest.is_empty() {
            return (end, last.then_some(Stop::End));
        }
        if rest.first() == Some(&0) {
            return (end, Some(Stop::Zero));
        }
        if !wrong && !last {
            return (end, None);
        }
        (end, Some(self.fault(rest, self.at + end as u64)))
    }

    fn fault(&self, rest: &[u8], offset: u64) -> Stop {
        let actual = rest.len() as u64;
        match decode(rest, offset, &self.read.limits()) {
            Err(error) => Stop::Fault { error, lengths: None },
            Ok(found) => {
                let needed = match found {
                    carpool_car::Status::Partial { needed } => needed,
                    carpool_car::Status::Complete { end, .. } => end,
                };
                let cut = self.opening.data_end().filter(|end| *end == offset + actual);
                let past = |data_end| Error::PastData { offset, data_end };
                let error = cut.map_or(Error::Truncated { offset }, past);
                Stop::Fault { error, lengths: Some((needed as u64, actual)) }
            }
        }
    }

    /// Tells how the data ends and what lies behind it.
    fn told<T>(
        &mut self,
        stop: Stop,
        opening: &Opening,
        each: &mut impl FnMut(Step<'_, T>) -> Outcome,
    ) -> Outcome {
        match stop {
            Stop::End => {}
            Stop::Zero => self.padding(each)?,
            Stop::Fault { error, lengths } => each(Step::Fault { error, lengths })?,
        }
        let Some(data_end) = opening.data_end() else { return Ok(()) };
        let index = opening.index_offset();
        self.skip_to(data_end)?;
        if self.at < data_end {
            return each(Step::Short { data_end, file_end: self.at });
        }
        let Some(index) = index else {
            let bytes = self.skip_to(u64::MAX)?;
            let trailing = Step::Trailing { offset: data_end, bytes };
            return if bytes > 0 { each(trailing) } else { Ok(()) };
        };
        self.skip_to(index)?;
        while self.more()? {
            each(Step::Index { offset: self.at, bytes: &self.rest })?;
            self.at += self.rest.len() as u64;
            self.rest.clear();
        }
        Ok(())
    }

    fn padding<T>(&mut self, each: &mut impl FnMut(Step<'_, T>) -> Outcome) -> Outcome {
        let (offset, mut bytes) = (self.at, 0);
        while self.more()? {
            let data = self.in_data(self.rest.len());
            let zeros = self.rest[..data].iter().take_while(|byte| **byte == 0).count();
            bytes += zeros as u64;
            self.at += zeros as u64;
            self.rest.drain(..zeros);
            if zeros < data {
                let error = Error::SectionLength { offset };
                return each(Step::Fault { error, lengths: None });
            }
            if !self.rest.is_empty() || self.opening.data_end() == Some(self.at) {
                break;
            }
        }
        each(Step::Padding { offset, bytes })
    }

    /// Steps over everything before `offset`; returns how much that was.
    fn skip_to(&mut self, offset: u64) -> Outcome<u64> {
        let begun = self.at;
        while self.at < offset && self.more()? {
            let left = usize::try_from(offset - self.at).unwrap_or(usize::MAX);
            let skipped = left.min(self.rest.len());
            self.at += skipped as u64;
            self.rest.drain(..skipped);
        }
        Ok(self.at - begun)
    }

    /// Whether there is something in `rest`, after reading on where there was nothing.
    fn more(&mut self) -> Outcome<bool> {
        if self.rest.is_empty() && !self.ended {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.resize(SHORT, 0);
            let filled = self.fill(&mut bytes, 0)?;
            bytes.truncate(filled);
            self.rest = bytes;
        }
        Ok(!self.rest.is_empty())
    }
}

/// The bytes of a window of sections that are as long, on average, as these.
fn aim(bytes: usize, sections: usize) -> usize {
    let mean = bytes.div_ceil(sections.max(1)).max(1);
    let all = (SHORT / mean).max(TOGETHER) / TOGETHER * TOGETHER;
    let fit = (WINDOW / mean).max(1);
    (all.min(fit) * mean).clamp(1, WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_sections_do() {
        for (bytes, sections, expected) in [
            (0, 0, SHORT),
            (1065 * 100, 100, 1065 * 492),
            (262_185, 1, 262_185 * 4),
            (1_048_620 * 3, 3, 1_048_620 * 4),
            (2_000_000, 1, 4_000_000),
            (8 << 20, 1, WINDOW),
        ] {
            assert_eq!(aim(bytes, sections), expected, "{bytes} bytes, {sections} sections");
        }
    }
}
