use carpool_core::{Cid, Limits, cid_prefix};
use core::iter::FusedIterator;

use crate::{
    Error, Header, Options, Padding, Status, decode,
    frame::Frame,
    header::{self, Found},
    section,
};

/// A section where it lies: the bytes of a CID whose form was checked, and the bytes that are
/// claimed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionRef<'a> {
    /// The binary CID.
    pub cid: &'a [u8],
    /// The block's bytes.
    pub data: &'a [u8],
    /// Where the section begins, with its length, in bytes from the start of the CARv1.
    pub offset: u64,
    /// Where the block's bytes begin, counted alike.
    pub data_offset: u64,
}

impl SectionRef<'_> {
    /// The CID; `None` where [`cid`](Self::cid) was put together by hand and is none.
    #[must_use]
    pub fn to_cid(&self) -> Option<Cid> {
        cid_prefix(self.cid).ok().map(|(cid, _)| cid)
    }
}

/// Sections of bytes at hand, one after another, without a copy: an iterator.
///
/// [`open`](Self::open) is for a whole CAR, [`window`](Self::window) for a piece of one.
#[derive(Clone, Debug)]
pub struct Sections<'a> {
    input: &'a [u8],
    at: usize,
    /// Of the first byte of `input`, from the start of the CARv1.
    base: u64,
    frame: Frame,
    limits: Limits,
    padding: Padding,
    /// Whether nothing can come behind `input`.
    whole: bool,
    failed: bool,
}

impl<'a> Sections<'a> {
    /// The header and the sections of a whole CAR.
    ///
    /// # Errors
    /// As [`Decoder`](crate::Decoder). What lies behind the data is not looked at.
    pub fn open(input: &'a [u8], options: &Options) -> Result<(Header, Self), Error> {
        let frame = Frame::read(input, options)?;
        let start = usize::try_from(frame.start).ok().filter(|&start| start <= input.len());
        let start = start.ok_or(Error::Truncated { offset: input.len() as u64 })?;
        let data = &input[start..];
        let data = &data[..frame.clamp(frame.start, data.len())];
        let (header, at) = match header::at_front(data, &options.limits)? {
            Found::Complete(header, at) => (Header { v2: frame.v2, ..header }, at),
            Found::Partial { needed } => return Err(frame.incomplete(frame.start, needed)),
        };
        let mut sections = Self::window(&data[at..], at as u64, &options.limits);
        (sections.frame, sections.padding, sections.whole) = (frame, options.padding, true);
        Ok((header, sections))
    }

    /// The sections of a piece of a CARv1 that begins at byte `offset` of it, between two sections.
    /// Ends before the first one that goes on beyond the piece, which is then the
    /// [`rest`](Self::rest).
    #[must_use]
    pub fn window(input: &'a [u8], offset: u64, limits: &Limits) -> Self {
        Self {
            input,
            at: 0,
            base: offset,
            frame: Frame::V1,
            limits: limits.clone(),
            padding: Padding::Refuse,
            whole: false,
            failed: false,
        }
    }

    /// What was not yielded: at the end of a window, the beginning of a section; at the end of a
    /// CAR, null padding.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// Where the [`rest`](Self::rest) begins, in bytes from the start of the CARv1.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// All other sections, and what is none.
    #[cold]
    fn other(&mut self) -> Option<Result<SectionRef<'a>, Error>> {
        if self.failed {
            return None;
        }
        let rest = self.rest();
        let at = self.frame.start + self.offset();
        let found = match decode(rest, at, &self.limits) {
            _ if rest.first() == Some(&0) && self.padding == Padding::EndOfData => return None,
            _ if rest.is_empty() && self.may_end(at) => return None,
            Ok(Status::Complete { cid, data_at, end }) => {
                return Some(Ok(self.take(data_at - cid.encoded_len(), data_at, end)));
            }
            Ok(Status::Partial { .. }) if !self.whole => return None,
            Ok(Status::Partial { needed }) => self.frame.incomplete(at, needed),
            Err(error) => error,
        };
        self.failed = true;
        Some(Err(found))
    }

    /// A CARv2 says how long its data is, so that a cut between two sections shows.
    fn may_end(&self, at: u64) -> bool {
        !self.whole || self.frame.end == u64::MAX || at == self.frame.end
    }

    #[inline]
    fn take(&mut self, start: usize, data_at: usize, end: usize) -> SectionRef<'a> {
        let section = &self.input[self.at..self.at + end];
        let offset = self.offset();
        self.at += end;
        let (head, data) = section.split_at(data_at);
        SectionRef { cid: &head[start..], data, offset, data_offset: offset + data_at as u64 }
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<SectionRef<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match section::usual(self.rest(), &self.limits) {
            Some((start, data_at, end)) => Some(Ok(self.take(start, data_at, end))),
            None => self.other(),
        }
    }
}

impl FusedIterator for Sections<'_> {}
