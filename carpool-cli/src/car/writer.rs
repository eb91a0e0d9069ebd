//! A CAR that is being written: its sections first to last, then, of a CARv2, index and header.

use carpool_car::{
    header,
    index::{Codec, IndexLimits, Indexer, Output as Step},
    section_prefix, v2,
};
use carpool_core::Cid;
use clap::{Args, ValueEnum};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
};

use super::{input::Input, target::Target};
use crate::{
    failure::{Failure, Outcome},
    output::Output,
};

/// Memory for the index of a CARv2; beyond it a temporary file takes what is sorted.
const INDEX_BUDGET: usize = 32 << 20;

/// The version of a CAR that is made.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct VersionFlag {
    /// Version of the CAR: 1, or 2 with an index
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
}

impl VersionFlag {
    pub(crate) fn format(self) -> Format {
        if self.version == 1 { Format::V1 } else { Format::V2(IndexCodec::default()) }
    }
}

/// The index of a CARv2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IndexCodec {
    /// 0x0401: by hash function and digest
    #[default]
    #[value(name = "car-multihash-index-sorted", alias = "0x0401")]
    Multihash,
    /// 0x0400: by digest
    #[value(name = "car-index-sorted", alias = "0x0400")]
    Sorted,
    /// No index
    #[value(name = "none")]
    None,
}

/// What a CAR is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    V1,
    V2(IndexCodec),
}

impl Format {
    /// Whether it is a CARv2.
    pub(crate) const fn is_v2(self) -> bool {
        matches!(self, Self::V2(_))
    }

    fn index(self) -> Outcome<Option<Index>> {
        let codec = match self {
            Self::V1 | Self::V2(IndexCodec::None) => return Ok(None),
            Self::V2(IndexCodec::Multihash) => Codec::MultihashSorted,
            Self::V2(IndexCodec::Sorted) => Codec::Sorted,
        };
        let indexer = Indexer::new(codec, INDEX_BUDGET, &IndexLimits::default())?;
        Ok(Some(Index { indexer, spill: None }))
    }
}

/// What a CAR that was written consists of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) blocks: u64,
    /// All of the file.
    pub(crate) bytes: u64,
}

/// A CAR that is being written. Dropped before [`finish`](Self::finish) it leaves nothing.
#[derive(Debug)]
pub(crate) struct CarWriter {
    sink: Sink,
    format: Format,
    index: Option<Index>,
    roots: usize,
    /// Of the CARv1, up to now.
    size: u64,
    blocks: u64,
}

impl CarWriter {
    /// Begins a CAR at `name` with these roots. Where they become known only in the end, `late`
    /// says so, and these are others whose CIDs are as long.
    pub(crate) fn begin(
        name: &OsStr,
        inputs: &[&Input],
        format: Format,
        roots: (&[Cid], bool),
        output: &Output,
    ) -> Outcome<Self> {
        let (roots, late) = roots;
        let target = Target::create(name, inputs)?;
        let mut sink = Sink::new(target, late || format.is_v2(), output)?;
        if format.is_v2() {
            sink.write(&v2::PRAGMA)?;
            sink.write(&[0; v2::HEADER_BYTES])?;
        }
        let header = header(roots);
        sink.write(&header)?;
        let (roots, size) = (header.len(), header.len() as u64);
        Ok(Self { sink, format, index: format.index()?, roots, size, blocks: 0 })
    }

    /// Where the CARv1 begins.
    const fn data_offset(&self) -> u64 {
        if self.format.is_v2() { v2::DATA_OFFSET } else { 0 }
    }

    /// Writes one block; returns where its section begins, from the start of the CARv1.
    pub(crate) fn block(&mut self, cid: &Cid, data: &[u8]) -> Outcome<u64> {
        let prefix = section_prefix(cid, data.len());
        let offset = self.size;
        self.enter(cid, offset)?;
        self.sink.write(prefix.as_ref())?;
        self.sink.write(data)?;
        self.size += (prefix.as_ref().len() + data.len()) as u64;
        Ok(offset)
    }

    /// Writes sections as they are: all of them, and where in them each begins.
    pub(crate) fn sections(&mut self, run: &Run) -> Outcome {
        for (cid, at) in &run.sections {
            self.enter(cid, self.size + *at as u64)?;
        }
        self.sink.write(&run.bytes)?;
        self.size += run.bytes.len() as u64;
        Ok(())
    }

    fn enter(&mut self, cid: &Cid, offset: u64) -> Outcome {
        self.blocks += 1;
        self.index.as_mut().map_or(Ok(()), |index| index.enter(cid, offset))
    }

    /// The CAR is whole, and takes its name. `roots` replace those that it began with.
    pub(crate) fn finish(mut self, roots: Option<&[Cid]>) -> Outcome<Written> {
        let mut bytes = self.data_offset() + self.size;
        let indexed = self.index.is_some();
        if let Some(index) = self.index.take() {
            bytes += index.finish(|bytes| self.sink.write(bytes))?;
        }
        if let Some(roots) = roots {
            let header = header(roots);
            assert_eq!(header.len(), self.roots, "the place was kept for roots as long as these");
            self.sink.patch(self.data_offset(), &header)?;
        }
        if self.format.is_v2() {
            let header = v2::Header::new(self.size, indexed)?;
            self.sink.patch(v2::PRAGMA.len() as u64, &header.encode())?;
        }
        self.sink.commit()?;
        Ok(Written { blocks: self.blocks, bytes })
    }
}

/// Sections one after another, as they are in a file.
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: Vec<u8>,
    /// The CIDs, and where in the bytes each section begins.
    sections: Vec<(Cid, usize)>,
}

impl Run {
    /// Appends a section.
    pub(crate) fn push(&mut self, cid: &Cid, data: &[u8]) {
        self.sections.push((*cid, self.bytes.len()));
        self.bytes.extend_from_slice(section_prefix(cid, data.len()).as_ref());
        self.bytes.extend_from_slice(data);
    }

    /// How many bytes there are.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Where bytes go of which some are written over: what cannot be written over gets all of it in
/// the end, from a temporary file.
#[derive(Debug)]
enum Sink {
    Target(Target),
    Spool(BufWriter<File>, Target),
}

impl Sink {
    fn new(target: Target, patched: bool, output: &Output) -> Outcome<Self> {
        if !patched || target.patchable() {
            return Ok(Self::Target(target));
        }
        let shown = target.shown();
        output.note(format_args!("{shown} gets the CAR from a temporary file, once it is whole"));
        let file = tempfile::tempfile().map_err(|error| spool_failed(&error))?;
        Ok(Self::Spool(BufWriter::with_capacity(1 << 20, file), target))
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        match self {
            Self::Target(target) => target.write(bytes),
            Self::Spool(file, _) => file.write_all(bytes).map_err(|error| spool_failed(&error)),
        }
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> Outcome {
        match self {
            Self::Target(target) => target.patch(offset, bytes),
            Self::Spool(file, _) => {
                let sought = file.seek(SeekFrom::Start(offset));
                let patched = sought.and_then(|_| file.write_all(bytes));
                let end = patched.and_then(|()| file.seek(SeekFrom::End(0)));
                end.map(drop).map_err(|error| spool_failed(&error))
            }
        }
    }

    fn commit(self) -> Outcome {
        match self {
            Self::Target(target) => target.commit(),
            Self::Spool(file, mut target) => {
                hand_over(file, &mut target)?;
                target.commit()
            }
        }
    }
}

fn hand_over(file: BufWriter<File>, target: &mut Target) -> Outcome {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error);
    let mut file = file.map_err(|error| spool_failed(&error))?;
    file.rewind().map_err(|error| spool_failed(&error))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => target.write(&piece[..read])?,
            Err(error) => return Err(spool_failed(&error)),
        }
    }
}

fn spool_failed(error: &io::Error) -> Failure {
    Failure::io("temporary file", error)
}

/// An index in the making, and the file that takes what memory does not.
#[derive(Debug)]
struct Index {
    indexer: Indexer,
    spill: Option<Spill>,
}

/// Runs of sorted records, one behind the other.
#[derive(Debug)]
struct Spill {
    file: File,
    /// Where each run begins.
    runs: Vec<u64>,
    end: u64,
}

impl Index {
    fn enter(&mut self, cid: &Cid, offset: u64) -> Outcome {
        if self.indexer.handle_section(cid, offset)? {
            self.drain(|_| Ok(()))?;
        }
        Ok(())
    }

    /// Writes the index; returns how long it is.
    fn finish(mut self, mut write: impl FnMut(&[u8]) -> Outcome) -> Outcome<u64> {
        self.indexer.handle_end();
        let mut len = 0;
        self.drain(|bytes| {
            len += bytes.len() as u64;
            write(bytes)
        })?;
        Ok(len)
    }

    fn drain(&mut self, mut write: impl FnMut(&[u8]) -> Outcome) -> Outcome {
        while let Some(step) = self.indexer.poll()? {
            match step {
                Step::Write(bytes) => write(&bytes)?,
                Step::SpillWrite { run, bytes } => {
                    self.spilled(|spill| spill.append(run, &bytes))?;
                }
                Step::SpillRead { run, offset, len } => {
                    let bytes = self.spilled(|spill| spill.read(run, offset, len))?;
                    self.indexer.handle_spill(bytes.into())?;
                }
            }
        }
        Ok(())
    }

    fn spilled<T>(&mut self, act: impl FnOnce(&mut Spill) -> io::Result<T>) -> Outcome<T> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => {
                let file = tempfile::tempfile().map_err(|error| spool_failed(&error))?;
                none.insert(Spill { file, runs: Vec::new(), end: 0 })
            }
        };
        act(spill).map_err(|error| spool_failed(&error))
    }
}

impl Spill {
    fn append(&mut self, run: u32, bytes: &[u8]) -> io::Result<()> {
        if self.runs.len() <= run as usize {
            self.runs.push(self.end);
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn read(&mut self, run: u32, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = self.runs.get(run as usize).ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(start + offset))?;
        let mut bytes = vec![0; len];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
