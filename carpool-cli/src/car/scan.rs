//! Every block of a CAR in the order of the file, hashed on all cores.

use carpool_car::{Decoder, Error, Header, Item, Options, Padding, Section};
use carpool_core::{Block, Bytes, Limits, Unverified, verify};
use std::{io::Read, thread};

use super::{args::ReadFlags, crew::Crew, input::Input};
use crate::failure::Outcome;

/// Bytes that are read at once, and hashed as one batch.
const CHUNK: usize = 2 << 20;

/// What a scan comes upon, in the order of the file.
#[derive(Debug)]
pub(crate) enum Event {
    /// The header: always first.
    Header(Header),
    /// A block.
    Block(Found),
    /// The file cannot be read on; what came before is good. Always last.
    Fault(Error),
}

/// A section and what its hash said.
#[derive(Debug)]
pub(crate) struct Found {
    /// The section, with its places.
    pub(crate) section: Section,
    /// What is wrong with the block; nothing where it was not hashed.
    pub(crate) wrong: Option<carpool_core::Error>,
}

/// How a CAR is scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) read: &'a ReadFlags,
    /// Whether blocks are hashed.
    pub(crate) verify: bool,
}

/// The header of a CAR and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) header: Header,
    /// Where the CARv1 begins in the file.
    pub(crate) data_offset: u64,
    /// Where the first section begins in the file.
    pub(crate) sections_offset: u64,
}

impl Opening {
    /// Where the data ends in the file, where its header tells.
    pub(crate) fn data_end(&self) -> Option<u64> {
        let v2 = self.header.v2.filter(|v2| !v2.is_unfinalised());
        v2.map(|v2| v2.data_end())
    }

    /// Where the index begins in the file, if there is one.
    pub(crate) fn index_offset(&self) -> Option<u64> {
        self.header.v2.map(|v2| v2.index_offset).filter(|offset| *offset != 0)
    }
}

impl ReadFlags {
    /// What a file may ask for.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.max_header_bytes = self.max_header;
        limits.max_section_bytes = self.max_section;
        limits.max_block_bytes = self.max_section;
        limits.max_header_roots = self.max_header;
        limits.max_links = self.max_section;
        limits
    }

    /// How a file is read: both versions, those that were never finalised included.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.limits = self.limits();
        options.unfinalised = true;
        options.padding = if self.null_padding { Padding::EndOfData } else { Padding::Refuse };
        options
    }

    /// How many threads hash.
    pub(crate) fn workers(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores).max(1)
    }
}

impl Scan<'_> {
    /// Reads the header of `input` and nothing after it.
    pub(crate) fn header(self, input: &Input) -> Outcome<Header> {
        Ok(self.opening(input)?.header)
    }

    /// As [`header`](Self::header), with its places.
    pub(crate) fn opening(self, input: &Input) -> Outcome<Opening> {
        let mut stream = input.stream()?;
        let mut decoder = Decoder::with_options(self.read.options());
        loop {
            let mut chunk = Vec::new();
            let read = (&mut stream).take(4096).read_to_end(&mut chunk);
            read.map_err(|error| input.failed(&error))?;
            if let Some(opening) = open(&mut decoder, chunk)? {
                return Ok(opening);
            }
        }
    }

    /// Reads all of `input`; stops where `each` fails.
    pub(crate) fn run(self, input: &Input, mut each: impl FnMut(Event) -> Outcome) -> Outcome {
        let mut stream = input.stream()?;
        let mut decoder = Decoder::with_options(self.read.options());
        let threads = if self.verify { self.read.workers() } else { 0 };
        let work = |batch| if self.verify { hash(batch) } else { trust(batch) };
        thread::scope(|scope| {
            let mut crew = Crew::new(scope, threads, &work);
            loop {
                let mut chunk = Vec::with_capacity(CHUNK);
                let read = (&mut stream).take(CHUNK as u64).read_to_end(&mut chunk);
                read.map_err(|error| input.failed(&error))?;
                let ended = chunk.len() < CHUNK;
                decoder.handle_data(Bytes::from(chunk));
                if ended {
                    decoder.handle_eof();
                }
                let fault = decode(&mut decoder, &mut crew, &mut each)?;
                let last = ended || fault.is_some();
                while let Some(batch) = crew.next(last) {
                    batch.into_iter().try_for_each(|found| each(Event::Block(found)))?;
                }
                if let Some(fault) = fault {
                    return each(Event::Fault(fault));
                }
                if ended {
                    return Ok(());
                }
            }
        })
    }
}

/// Hands a chunk to a decoder that is before the header; an empty one is the end of the input.
pub(crate) fn open(decoder: &mut Decoder, chunk: Vec<u8>) -> Result<Option<Opening>, Error> {
    if chunk.is_empty() {
        decoder.handle_eof();
    }
    decoder.handle_data(Bytes::from(chunk));
    let Some(Item::Header(header)) = decoder.poll()? else { return Ok(None) };
    let (data_offset, sections_offset) = (decoder.data_offset(), decoder.offset());
    Ok(Some(Opening { header, data_offset, sections_offset }))
}

fn decode(
    decoder: &mut Decoder,
    crew: &mut Crew<'_, Vec<Section>, Vec<Found>>,
    each: &mut impl FnMut(Event) -> Outcome,
) -> Outcome<Option<Error>> {
    let mut batch = Vec::new();
    let fault = loop {
        match decoder.poll() {
            Ok(Some(Item::Header(header))) => each(Event::Header(header))?,
            Ok(Some(Item::Section(section))) => batch.push(section),
            Ok(Some(Item::Behind(_))) => {}
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    if !batch.is_empty() {
        crew.give(batch);
    }
    Ok(fault)
}

fn hash(sections: Vec<Section>) -> Vec<Found> {
    let claims = sections.iter().map(|s| Unverified { cid: s.cid, data: s.data.clone() });
    let verdicts = verify(claims.collect());
    let found =
        |(section, verdict): (Section, Result<Block, _>)| Found { section, wrong: verdict.err() };
    sections.into_iter().zip(verdicts).map(found).collect()
}

fn trust(sections: Vec<Section>) -> Vec<Found> {
    sections.into_iter().map(|section| Found { section, wrong: None }).collect()
}
