use carpool_core::{Bytes, Cid, Limits, cid_prefix};

use crate::{
    Error, Header, Options, Padding, Section,
    buffer::Buffer,
    frame::Frame,
    header::{self, Found},
    section::{self, MAX_CID},
    v2,
};

/// What a [`Decoder`] yields: the header first, then every section, then what lies behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The header.
    Header(Header),
    /// A section.
    Section(Section),
    /// A piece of what lies behind the sections. Never comes with [`Options::strict`].
    Behind(Behind),
}

/// Bytes behind the sections, in pieces as they arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// What they are.
    pub region: Region,
    /// Where they begin, in bytes from the start of the file.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// What lies behind the sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Zeros that end the data ([`Padding::EndOfData`]).
    NullPadding,
    /// In a CARv2: what lies between the data and the index, whatever it is.
    Gap,
    /// In a CARv2: from where its header has the index begin to the end of the input.
    Index,
    /// In a CARv2 without an index: what lies behind the data.
    Trailing,
}

/// Where a decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before a pragma or the header of a CARv1.
    Start,
    /// Behind a pragma.
    HeaderV2,
    /// Before the data of a CARv2.
    Before,
    /// At the header of the data of a CARv2.
    Data,
    Sections,
    NullPadding,
    Behind,
}

/// Reads a CAR from chunks of any size.
///
/// Give it what arrives ([`handle_data`](Self::handle_data)), say when nothing more will
/// ([`handle_eof`](Self::handle_eof)), and after either call [`poll`](Self::poll) until `None`.
/// Memory is what was handed in and not polled out.
#[derive(Debug)]
pub struct Decoder {
    options: Options,
    buffer: Buffer,
    stage: Stage,
    /// What was consumed, in bytes from the start of the file.
    offset: u64,
    frame: Frame,
    needed: usize,
    eof: bool,
    failed: Option<Error>,
}

impl Decoder {
    /// A decoder at the start of a CARv1, for transfers: as
    /// [`with_options`](Self::with_options) of [`Options::strict`].
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self::with_options(Options::strict(limits))
    }

    /// A decoder at the start of a CAR.
    #[must_use]
    pub fn with_options(options: Options) -> Self {
        Self {
            options,
            buffer: Buffer::default(),
            stage: Stage::Start,
            offset: 0,
            frame: Frame::V1,
            needed: 1,
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

    /// Whether the input has ended.
    pub(crate) const fn is_eof(&self) -> bool {
        self.eof
    }

    /// The bytes consumed by the items that were yielded, from the start of the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the CARv1 begins in the file, from which the offsets of sections count: 0, or where a
    /// CARv2 has its data. Known once the header was yielded.
    #[must_use]
    pub const fn data_offset(&self) -> u64 {
        self.frame.start
    }

    /// The next item; `None` when more input is needed, or, after
    /// [`handle_eof`](Self::handle_eof), at the end. Call again after every input, until `None`.
    ///
    /// # Errors
    /// Any [`Error`]; the same one again at every later call.
    #[must_use = "items are lost if they are not looked at"]
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Item>, Error> {
        match self.usual_section() {
            Some(section) => Ok(Some(Item::Section(section))),
            None => self.other_item(),
        }
    }

    fn other_item(&mut self) -> Result<Option<Item>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.next().inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// The next section where it is of the usual form and all of it lies in one chunk: short ones are
    /// read at their rate by this.
    #[inline]
    fn usual_section(&mut self) -> Option<Section> {
        if self.stage != Stage::Sections || self.failed.is_some() {
            return None;
        }
        let front = self.buffer.front();
        let front = &front[..self.in_data(front.len())];
        let (start, data_at, end) = section::usual(front, &self.options.limits)?;
        let (cid, _) = cid_prefix(&front[start..data_at]).ok()?;
        let offset = self.offset - self.frame.start;
        self.skip(data_at);
        let data = self.consume(end - data_at);
        Some(Section { cid, data, offset, data_offset: offset + data_at as u64 })
    }

    fn next(&mut self) -> Result<Option<Item>, Error> {
        loop {
            let in_sections = matches!(self.stage, Stage::Sections | Stage::NullPadding);
            if in_sections && self.offset == self.frame.end {
                self.stage = Stage::Behind;
            }
            if self.buffer.len() < self.needed {
                return self.starved();
            }
            let stepped = match self.stage {
                Stage::Sections => self.next_section()?,
                Stage::Start | Stage::Data => self.next_header()?,
                Stage::HeaderV2 => self.next_header_v2()?,
                Stage::Before => self.skip_before(),
                Stage::NullPadding => self.next_padding()?,
                Stage::Behind => Step::Yield(self.next_behind()),
            };
            match stepped {
                Step::Yield(item) => return Ok(Some(item)),
                Step::Wait(needed) => self.needed = needed,
                Step::On => self.needed = 1,
            }
        }
    }

    /// An empty input has no header, so it is no CAR.
    fn starved(&self) -> Result<Option<Item>, Error> {
        let clean = match self.stage {
            Stage::Start | Stage::HeaderV2 | Stage::Before | Stage::Data => false,
            // The end of the data is known only in a CARv2.
            Stage::Sections | Stage::NullPadding => {
                self.buffer.len() == 0 && self.frame.end == u64::MAX
            }
            Stage::Behind => self.frame.v2.is_none_or(|v2| !awaits_index(&v2, self.offset)),
        };
        if self.eof && !clean {
            return Err(Error::Truncated { offset: self.offset });
        }
        Ok(None)
    }

    fn next_header(&mut self) -> Result<Step, Error> {
        self.buffer.join(self.needed);
        let front = self.buffer.front();
        if self.stage == Stage::Start && self.options.v2 && front.starts_with(&v2::PRAGMA) {
            self.skip(v2::PRAGMA.len());
            self.stage = Stage::HeaderV2;
            return Ok(Step::On);
        }
        let front = &front[..self.frame.clamp(self.offset, front.len())];
        let (header, len) = match header::at_front(front, &self.options.limits)? {
            Found::Complete(header, len) => (header, len),
            Found::Partial { needed } => return self.wait_for(needed),
        };
        self.skip(len);
        self.stage = Stage::Sections;
        Ok(Step::Yield(Item::Header(Header { v2: self.frame.v2, ..header })))
    }

    fn next_header_v2(&mut self) -> Result<Step, Error> {
        if self.buffer.len() < v2::HEADER_BYTES {
            return Ok(Step::Wait(v2::HEADER_BYTES));
        }
        self.buffer.join(v2::HEADER_BYTES);
        let bytes = self.buffer.front().first_chunk().expect("joined");
        self.frame = Frame::of(v2::Header::decode_unchecked(bytes), &self.options)?;
        self.skip(v2::HEADER_BYTES);
        self.stage = Stage::Before;
        Ok(Step::On)
    }

    fn skip_before(&mut self) -> Step {
        if self.offset == self.frame.start {
            self.stage = Stage::Data;
        } else {
            let left = self.frame.start - self.offset;
            self.take_piece(left);
        }
        Step::On
    }

    /// Data that lies in one chunk is not copied, even where what stands before it lies in
    /// another: so senders write it.
    fn next_section(&mut self) -> Result<Step, Error> {
        let in_data = self.in_data(self.buffer.front().len());
        let front = &self.buffer.front()[..in_data];
        if self.options.padding == Padding::EndOfData && front[0] == 0 {
            self.stage = Stage::NullPadding;
            return Ok(Step::On);
        }
        let Some((start, end)) = section::extent(front, self.offset, &self.options.limits)? else {
            let needed = in_data + 1;
            self.buffer.join(needed.min(self.buffer.len()));
            return self.wait_for(needed);
        };
        if self.buffer.len() < end || self.in_data(end) < end {
            return self.wait_for(end);
        }
        let offset = self.offset;
        let found = self.find_cid(start, end);
        let (cid, data_at) = section::checked_cid(found, start..end, offset, &self.options.limits)?;
        self.skip(data_at);
        self.buffer.join(end - data_at);
        let data = self.consume(end - data_at);
        let offset = offset - self.frame.start;
        let data_offset = offset + data_at as u64;
        Ok(Step::Yield(Item::Section(Section { cid, data, offset, data_offset })))
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

    fn next_padding(&mut self) -> Result<Step, Error> {
        let zeros = self.buffer.front().iter().take_while(|&&byte| byte == 0).count();
        let zeros = self.in_data(zeros) as u64;
        if zeros == 0 {
            return Err(Error::Padding { offset: self.offset });
        }
        Ok(Step::Yield(self.behind(Region::NullPadding, zeros)))
    }

    fn next_behind(&mut self) -> Item {
        let index = self.frame.v2.map_or(0, |v2| v2.index_offset);
        match index.saturating_sub(self.offset) {
            0 if index == 0 => self.behind(Region::Trailing, u64::MAX),
            0 => self.behind(Region::Index, u64::MAX),
            gap => self.behind(Region::Gap, gap),
        }
    }

    fn behind(&mut self, region: Region, max: u64) -> Item {
        let offset = self.offset;
        Item::Behind(Behind { region, offset, bytes: self.take_piece(max) })
    }

    /// How many of the next `n` bytes belong to the data.
    #[inline]
    fn in_data(&self, n: usize) -> usize {
        self.frame.clamp(self.offset, n)
    }

    /// Waits until the header or section that begins here has `needed` bytes, where the data can
    /// have so many.
    fn wait_for(&self, needed: usize) -> Result<Step, Error> {
        if self.in_data(needed) < needed {
            return Err(self.frame.incomplete(self.offset, needed));
        }
        Ok(Step::Wait(needed))
    }

    #[inline]
    fn consume(&mut self, n: usize) -> Bytes {
        self.needed = 1;
        self.offset += n as u64;
        self.buffer.take(n)
    }

    #[inline]
    fn skip(&mut self, n: usize) {
        self.needed = 1;
        self.offset += n as u64;
        self.buffer.skip(n);
    }

    fn take_piece(&mut self, max: u64) -> Bytes {
        let piece = self.buffer.take_piece(max);
        self.offset += piece.len() as u64;
        piece
    }
}

/// What reading on at a stage came to.
enum Step {
    Yield(Item),
    /// So many bytes have to be buffered.
    Wait(usize),
    On,
}

const fn awaits_index(v2: &v2::Header, offset: u64) -> bool {
    v2.index_offset != 0 && offset <= v2.index_offset
}
