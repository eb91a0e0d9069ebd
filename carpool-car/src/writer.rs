use alloc::{vec, vec::Vec};
use carpool_core::{Bytes, Cid, CidSet, codec, is_identity};

use crate::{Error, SectionPrefix, header, section_len, section_prefix, v2};

/// Which format a [`Writer`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// CARv1: a stream, finished wherever it stops.
    #[default]
    V1,
    /// CARv2: its header is written at the end, over zeros that stood there.
    V2,
}

/// Which blocks a [`Writer`] takes for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dedup {
    /// Those of one CID.
    #[default]
    Cid,
    /// Those of one multihash, whatever their codec: what go-car does.
    Multihash,
    /// None: everything is written.
    No,
}

/// How a CAR is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The format.
    pub version: Version,
    /// Which blocks are written once.
    pub dedup: Dedup,
    /// Whether blocks of identity CIDs are written, whose data the CID itself carries.
    pub identity: bool,
    /// Bytes of zero between the header of a CARv2 and its data.
    pub data_padding: u32,
    /// Bytes of zero between the data of a CARv2 and its index.
    pub index_padding: u32,
    /// How many CIDs are kept to tell which were written, at some 50 bytes each. Default 10^8.
    pub max_seen: usize,
    /// Seed of the set that they are kept in: something that whoever chose the blocks does not
    /// know.
    pub seed: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            version: Version::V1,
            dedup: Dedup::Cid,
            identity: true,
            data_padding: 0,
            index_padding: 0,
            max_seen: 100_000_000,
            seed: 0,
        }
    }
}

/// What became of a block that was given to a [`Writer`].
#[derive(Clone, Copy, Debug)]
pub enum Placed {
    /// It goes to the end of the file: the prefix, then the data.
    New(Place),
    /// It was written before.
    Duplicate,
    /// Its CID carries its data, and [`WriteOptions::identity`] is off.
    Identity,
}

/// Where a section goes, and what comes before its data.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The section's length and the CID.
    pub prefix: SectionPrefix,
    /// Where the section begins, in bytes from the start of the CARv1: what an index names.
    pub offset: u64,
    /// Where the block's bytes begin, counted alike.
    pub data_offset: u64,
}

/// Bytes to be written over what stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where, in bytes from the start of the file.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// What makes a written file whole: first append, then the index if there is one, then patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Bytes that go behind the data.
    pub append: Bytes,
    /// Where the index begins then.
    pub index_offset: Option<u64>,
    /// The header of a CARv2. What it names has to be on disk before.
    pub patch: Option<Patch>,
}

/// Which index follows the data of a CARv2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// None.
    No,
    /// One without the identity CIDs, as is usual.
    Partly,
    /// One that has every section.
    Fully,
}

/// Writes a CAR: says what to append, and at the end what to patch.
///
/// ```
/// use carpool_car::{Indexed, Placed, Version, WriteOptions, Writer};
/// use carpool_core::{Block, codec};
///
/// let block = Block::new(codec::RAW, "hello".into());
/// let mut options = WriteOptions::default();
/// options.version = Version::V2;
/// let mut writer = Writer::new(&[*block.cid()], options);
/// let mut file = writer.start().to_vec();
/// writer.write(&mut file, block.cid(), block.data())?;
/// writer.write(&mut file, block.cid(), block.data())?; // is there already
/// let finish = writer.finish(Indexed::No)?;
/// file.extend_from_slice(&finish.append);
/// let patch = finish.patch.expect("a CARv2 has one");
/// let at = usize::try_from(patch.offset).expect("small");
/// file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
/// # let (header, sections) = carpool_car::Sections::open(&file, &Default::default())?;
/// # assert_eq!((header.roots, sections.count()), (vec![*block.cid()], 1));
/// # Ok::<(), carpool_car::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    options: WriteOptions,
    start: Bytes,
    /// Of the CARv1 in the file.
    data_offset: u64,
    /// Of the CARv1.
    header_len: u64,
    size: u64,
    seen: CidSet,
}

impl Writer {
    /// A writer of a new file with these roots. None are written as none; the format wants one at
    /// least.
    #[must_use]
    pub fn new(roots: &[Cid], options: WriteOptions) -> Self {
        let header = header(roots);
        let header_len = header.len() as u64;
        let (start, data_offset) = match options.version {
            Version::V1 => (header, 0),
            Version::V2 => {
                let before = v2::HEADER_BYTES + options.data_padding as usize;
                let start = [&v2::PRAGMA[..], &vec![0; before], &header].concat();
                (start.into(), v2::DATA_OFFSET + u64::from(options.data_padding))
            }
        };
        let seen = CidSet::with_seed(options.seed);
        Self { options, start, data_offset, header_len, size: header_len, seen }
    }

    /// A writer that goes on behind `size` bytes of a CARv1 that begins at `data_offset`.
    pub(crate) fn resumed(
        options: WriteOptions,
        data_offset: u64,
        header_len: u64,
        size: u64,
        seen: CidSet,
    ) -> Self {
        Self { options, start: Bytes::new(), data_offset, header_len, size, seen }
    }

    /// What a new file begins with; nothing for one that is resumed.
    #[must_use]
    pub const fn start(&self) -> &Bytes {
        &self.start
    }

    /// Bytes of the CARv1 so far, its header with them.
    #[must_use]
    pub const fn data_size(&self) -> u64 {
        self.size
    }

    /// Where the next section goes in the file.
    #[must_use]
    pub const fn file_offset(&self) -> u64 {
        self.data_offset.saturating_add(self.size)
    }

    /// Places a block of `data_len` bytes. What is [`Placed::New`] has to be appended.
    ///
    /// # Errors
    /// [`Error::TooManySeen`]; [`Error::DataSize`] for more than a file can have.
    pub fn place(&mut self, cid: &Cid, data_len: usize) -> Result<Placed, Error> {
        if !self.options.identity && is_identity(cid) {
            return Ok(Placed::Identity);
        }
        if !self.is_new(cid)? {
            return Ok(Placed::Duplicate);
        }
        let len = section_len(cid, data_len) as u64;
        let (offset, size) = (self.size, self.size.saturating_add(len));
        if self.data_offset.checked_add(size).is_none() {
            return Err(Error::DataSize { offset: self.data_offset, size });
        }
        self.size = size;
        let prefix = section_prefix(cid, data_len);
        let data_offset = offset + prefix.as_ref().len() as u64;
        Ok(Placed::New(Place { prefix, offset, data_offset }))
    }

    /// Places a block and appends it to `out`.
    ///
    /// # Errors
    /// As [`place`](Self::place).
    pub fn write(&mut self, out: &mut Vec<u8>, cid: &Cid, data: &[u8]) -> Result<Placed, Error> {
        let placed = self.place(cid, data.len())?;
        if let Placed::New(place) = &placed {
            let prefix = place.prefix.as_ref();
            out.reserve(prefix.len() + data.len());
            out.extend_from_slice(prefix);
            out.extend_from_slice(data);
        }
        Ok(placed)
    }

    fn is_new(&mut self, cid: &Cid) -> Result<bool, Error> {
        let Some(key) = key(self.options.dedup, cid) else { return Ok(true) };
        let max = self.options.max_seen;
        if self.seen.len() >= max && !self.seen.contains(&key) {
            return Err(Error::TooManySeen { max: max as u64 });
        }
        Ok(self.seen.insert(&key))
    }

    /// Other roots in place of those that the file began with, as many bytes of them.
    ///
    /// # Errors
    /// [`Error::RootsLength`].
    pub fn replace_roots(&self, roots: &[Cid]) -> Result<Patch, Error> {
        let bytes = header(roots);
        let (bytes_len, expected) = (bytes.len() as u64, self.header_len);
        if bytes_len != expected {
            return Err(Error::RootsLength { bytes: bytes_len, expected });
        }
        Ok(Patch { offset: self.data_offset, bytes })
    }

    /// What makes the file whole. A CARv1 is whole as it stands, and has no index.
    ///
    /// # Errors
    /// [`Error::DataSize`] where the file would become larger than one can be.
    pub fn finish(&self, indexed: Indexed) -> Result<Finish, Error> {
        if self.options.version == Version::V1 {
            return Ok(Finish { append: Bytes::new(), index_offset: None, patch: None });
        }
        let padding = if indexed == Indexed::No { 0 } else { self.options.index_padding };
        let index = self.file_offset().saturating_add(padding.into());
        let mut header = v2::Header {
            characteristics: 0,
            data_offset: self.data_offset,
            data_size: self.size,
            index_offset: if indexed == Indexed::No { 0 } else { index },
        };
        header.set_fully_indexed(indexed == Indexed::Fully);
        header.check()?;
        Ok(Finish {
            append: vec![0; padding as usize].into(),
            index_offset: (indexed != Indexed::No).then_some(index),
            patch: Some(header_patch(&header)),
        })
    }
}

/// What a block is known by; `None` where all are written.
pub(crate) fn key(dedup: Dedup, cid: &Cid) -> Option<Cid> {
    match dedup {
        Dedup::Cid => Some(*cid),
        Dedup::Multihash => Some(Cid::new_v1(codec::RAW, *cid.hash())),
        Dedup::No => None,
    }
}

pub(crate) fn header_patch(header: &v2::Header) -> Patch {
    let bytes = Bytes::copy_from_slice(&header.encode());
    Patch { offset: v2::PRAGMA.len() as u64, bytes }
}
