//! A CAR that is being written: its sections first to last, then, of a CARv2, index and header.

use carpool_car::{header, index::Codec, section_prefix, v2};
use carpool_core::Cid;
use clap::{Args, ValueEnum};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{index_maker::IndexMaker, input::Input, target::Target};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Memory for the index of a CARv2; beyond it a temporary file takes what is sorted.
const INDEX_BUDGET: usize = 8 << 20;

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

    fn index(self) -> Outcome<Option<Indexing>> {
        let codec = match self {
            Self::V1 | Self::V2(IndexCodec::None) => return Ok(None),
            Self::V2(IndexCodec::Multihash) => Codec::MultihashSorted,
            Self::V2(IndexCodec::Sorted) => Codec::Sorted,
        };
        Ok(Some(Indexing::begin(IndexMaker::new(codec, INDEX_BUDGET, false)?)))
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
    index: Option<Indexing>,
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
        let (prefix, offset) = (section_prefix(cid, data.len()), self.size);
        let prefix = prefix.as_ref();
        self.enter(&prefix[prefix.len() - cid.encoded_len()..], 0)?;
        self.bytes(prefix)?;
        self.bytes(data)?;
        Ok(offset)
    }

    /// Takes note of the section of this binary CID that begins so many bytes behind what was
    /// written; its [bytes](Self::bytes) come next.
    #[inline]
    pub(crate) fn enter(&mut self, cid: &[u8], behind: usize) -> Outcome {
        self.blocks += 1;
        let offset = self.size + behind as u64;
        self.index.as_mut().map_or(Ok(()), |index| index.add(cid, offset))
    }

    /// Writes bytes of sections that were [entered](Self::enter).
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.size += bytes.len() as u64;
        self.sink.write(bytes)
    }

    /// The CAR is whole, and takes its name. `roots` replace those that it began with.
    pub(crate) fn finish(mut self, roots: Option<&[Cid]>) -> Outcome<Written> {
        let mut bytes = self.data_offset() + self.size;
        let indexed = self.index.is_some();
        if let Some(index) = self.index.take() {
            index.finish(|piece| {
                bytes += piece.len() as u64;
                self.sink.write(piece)
            })?;
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

/// Bytes of entries that the thread of an index gets at once.
const ENTRY_BYTES: usize = 128 << 10;

/// An index that is sorted by a thread of its own.
#[derive(Debug)]
struct Indexing {
    to: SyncSender<Entries>,
    /// `None` once it was waited for.
    thread: Option<JoinHandle<Outcome<IndexMaker>>>,
    next: Entries,
}

/// Sections: the bytes of their CIDs, and where each ends in them and begins in the CARv1.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    cids: Vec<u8>,
    places: Vec<(usize, u64)>,
}

impl Entries {
    pub(crate) fn clear(&mut self) {
        self.cids.clear();
        self.places.clear();
    }

    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes the section that begins at `offset` with this binary CID.
    #[inline]
    pub(crate) fn push(&mut self, cid: &[u8], offset: u64) {
        self.cids.extend_from_slice(cid);
        self.places.push((self.cids.len(), offset));
    }

    /// Sections that began behind a header of `from` bytes begin behind one of `to`.
    pub(crate) fn shift(&mut self, from: u64, to: u64) {
        self.places.iter_mut().for_each(|(_, offset)| *offset = *offset - from + to);
    }

    /// Gives all to an index.
    pub(crate) fn enter(&self, maker: &mut IndexMaker) -> Outcome {
        let mut begin = 0;
        for (end, offset) in &self.places {
            maker.add(&self.cids[begin..*end], *offset)?;
            begin = *end;
        }
        Ok(())
    }
}

impl Indexing {
    fn begin(mut maker: IndexMaker) -> Self {
        let (to, entries) = sync_channel::<Entries>(2);
        let thread = thread::spawn(move || {
            entries.into_iter().try_for_each(|entries| entries.enter(&mut maker))?;
            Ok(maker)
        });
        Self { to, thread: Some(thread), next: Entries::default() }
    }

    fn add(&mut self, cid: &[u8], offset: u64) -> Outcome {
        self.next.push(cid, offset);
        if self.next.cids.len() >= ENTRY_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Outcome {
        let entries = std::mem::take(&mut self.next);
        if self.to.send(entries).is_ok() {
            return Ok(());
        }
        // The thread has gone: why is what is told.
        let gone = || Err(Failure::new(Exit::Io, "the index takes no more"));
        self.thread.take().map_or_else(gone, |thread| joined(thread).map(drop))
    }

    /// There are no more sections.
    fn finish(mut self, write: impl FnMut(&[u8]) -> Outcome) -> Outcome {
        self.send()?;
        let Self { to, thread, .. } = self;
        drop(to);
        thread.map_or(Ok(()), |thread| joined(thread)?.finish(write))
    }
}

fn joined(thread: JoinHandle<Outcome<IndexMaker>>) -> Outcome<IndexMaker> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
