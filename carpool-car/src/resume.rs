use alloc::boxed::Box;
use carpool_core::{Bytes, CidSet};

use crate::{
    Error, Head, Header, Options, Padding, Patch, ReadAt, Reader, Reading, Version, WriteOptions,
    Writer, v2,
    writer::{header_patch, key},
};

/// What a [`Resume`] has come to.
#[derive(Debug)]
pub enum Resuming {
    /// These bytes are needed: answer with [`Resume::handle_read`].
    Read(ReadAt),
    /// A whole section that stays.
    Section(Head),
    /// The file can be written on.
    Done(Box<Resumed>),
}

/// How a file is written on.
#[derive(Debug)]
pub struct Resumed {
    /// The header that stands in it.
    pub header: Header,
    /// To be written first: zeros over the header of a CARv2, so that nobody takes for whole what
    /// is being written.
    pub patch: Option<Patch>,
    /// To be cut to then, in bytes: what is torn, padding and the index go.
    pub file_len: u64,
    /// Goes on there.
    pub writer: Writer,
}

/// Finds where the writing of a CAR can go on: one that a writer never finished, one that was cut,
/// or a whole one.
///
/// Sections are kept up to the first that is not whole, or has length zero. Whether the data of
/// their blocks reached the disk, only hashing tells.
#[derive(Debug)]
pub struct Resume {
    reader: Reader,
    write: WriteOptions,
    seen: CidSet,
    /// The last section, until it is known to be whole.
    held: Option<Head>,
    /// Where the sections end that are whole.
    good: u64,
}

impl Resume {
    /// Begins to look at a file. [`WriteOptions::version`] and the padding before the data are
    /// those of the file.
    #[must_use]
    pub fn new(mut options: Options, write: WriteOptions) -> Self {
        (options.v2, options.unfinalised) = (true, true);
        options.padding = Padding::EndOfData;
        let seen = CidSet::with_seed(write.seed);
        Self { reader: Reader::new(options), write, seen, held: None, good: 0 }
    }

    /// The reader, to set how much it asks for at once.
    pub const fn reader_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Takes the bytes that were asked for last.
    pub fn handle_read(&mut self, bytes: Bytes) {
        self.reader.handle_read(bytes);
    }

    /// What comes next. Call again until [`Resuming::Done`]; after [`Resuming::Read`], once the
    /// bytes were handed in.
    ///
    /// # Errors
    /// Any [`Error`] but that of a torn end; [`Error::TooManySeen`].
    pub fn poll(&mut self) -> Result<Resuming, Error> {
        loop {
            match self.reader.poll() {
                Ok(Reading::Read(read)) => return Ok(Resuming::Read(read)),
                Ok(Reading::Header(_)) => {
                    self.good = self.reader.first_section();
                    self.reader.scan(self.good);
                }
                Ok(Reading::Head(head)) => {
                    if let Some(whole) = self.held.replace(head) {
                        return self.keep(whole);
                    }
                }
                Err(Error::Truncated { offset }) if self.reader.header().is_some() => {
                    let torn = |head: &Head| self.reader.data_offset() + head.offset == offset;
                    if let Some(whole) = self.held.take().filter(|head| !torn(head)) {
                        return self.keep(whole);
                    }
                    return self.done();
                }
                Ok(Reading::Section(_) | Reading::Idle) => {
                    return match self.held.take() {
                        Some(whole) => self.keep(whole),
                        None => self.done(),
                    };
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(&mut self, head: Head) -> Result<Resuming, Error> {
        self.good = head.data_offset + head.data_len;
        if let Some(key) = key(self.write.dedup, &head.cid) {
            let max = self.write.max_seen;
            self.seen.insert(&key);
            if self.seen.len() > max {
                return Err(Error::TooManySeen { max: max as u64 });
            }
        }
        Ok(Resuming::Section(head))
    }

    fn done(&mut self) -> Result<Resuming, Error> {
        let header = self.reader.header().cloned().ok_or(Error::Truncated { offset: 0 })?;
        let (start, first) = (self.reader.data_offset(), self.reader.first_section());
        let mut write = self.write;
        write.version = if header.v2.is_some() { Version::V2 } else { Version::V1 };
        let seen = core::mem::replace(&mut self.seen, CidSet::with_seed(write.seed));
        let writer = Writer::resumed(write, start, first, self.good, seen);
        let patch = header.v2.map(|_| header_patch(&v2::Header::default()));
        let resumed = Resumed { header, patch, file_len: start + self.good, writer };
        Ok(Resuming::Done(Box::new(resumed)))
    }
}
