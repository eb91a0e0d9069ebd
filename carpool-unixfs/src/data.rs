//! The UnixFS message in a node's `Data` field
//! ([UnixFS, data](https://specs.ipfs.tech/unixfs/#dag-pb-node)).

use alloc::vec::Vec;

use carpool_core::{Bytes, Cid};
use quick_protobuf::{
    BytesReader, MessageWrite, Result as Pb, Writer, WriterBackend,
    sizeofs::{sizeof_len, sizeof_varint},
};

use crate::{Error, Metadata, Mtime};

/// The code of `murmur3-x64-64`, the one hash that shards have.
const MURMUR3: u64 = 0x22;

/// `Type`, and what comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Raw,
    Directory,
    File,
    Symlink,
    /// With its fanout, as written.
    Shard(u64),
}

impl Kind {
    const fn number(self) -> u64 {
        match self {
            Self::Raw => 0,
            Self::Directory => 1,
            Self::File => 2,
            Self::Symlink => 4,
            Self::Shard(_) => 5,
        }
    }
}

/// The message to be written.
pub(crate) struct Data<'a> {
    kind: Kind,
    pub(crate) bytes: Option<&'a [u8]>,
    pub(crate) size: Option<u64>,
    pub(crate) block_sizes: &'a [u64],
    pub(crate) metadata: Metadata,
}

impl Data<'_> {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, bytes: None, size: None, block_sizes: &[], metadata: Metadata::NONE }
    }

    const fn fanout(&self) -> Option<u64> {
        if let Kind::Shard(fanout) = self.kind { Some(fanout) } else { None }
    }
}

impl MessageWrite for Data<'_> {
    fn get_size(&self) -> usize {
        let field = |value: u64| 1 + sizeof_varint(value);
        let sizes = self.block_sizes.iter().map(|size| field(*size)).sum::<usize>();
        field(self.kind.number())
            + self.bytes.map_or(0, |bytes| 1 + sizeof_len(bytes.len()))
            + self.size.map_or(0, field)
            + sizes
            + self.fanout().map_or(0, |fanout| field(MURMUR3) + field(fanout))
            + self.metadata.mode.map_or(0, |mode| field(mode.into()))
            + self.metadata.mtime.map_or(0, |time| 1 + sizeof_len(time.get_size()))
    }

    fn write_message<W: WriterBackend>(&self, w: &mut Writer<W>) -> Pb<()> {
        w.write_with_tag(0x08, |w| w.write_varint(self.kind.number()))?;
        if let Some(bytes) = self.bytes {
            w.write_with_tag(0x12, |w| w.write_bytes(bytes))?;
        }
        if let Some(size) = self.size {
            w.write_with_tag(0x18, |w| w.write_uint64(size))?;
        }
        for size in self.block_sizes {
            w.write_with_tag(0x20, |w| w.write_uint64(*size))?;
        }
        if let Some(fanout) = self.fanout() {
            w.write_with_tag(0x28, |w| w.write_uint64(MURMUR3))?;
            w.write_with_tag(0x30, |w| w.write_uint64(fanout))?;
        }
        if let Some(mode) = self.metadata.mode {
            w.write_with_tag(0x38, |w| w.write_uint32(mode))?;
        }
        if let Some(time) = self.metadata.mtime {
            w.write_with_tag(0x42, |w| w.write_message(&time))?;
        }
        Ok(())
    }
}

impl MessageWrite for Mtime {
    fn get_size(&self) -> usize {
        let nanos = if self.nanos() == 0 { 0 } else { 5 };
        1 + sizeof_varint(self.seconds().cast_unsigned()) + nanos
    }

    fn write_message<W: WriterBackend>(&self, w: &mut Writer<W>) -> Pb<()> {
        w.write_with_tag(0x08, |w| w.write_int64(self.seconds()))?;
        if self.nanos() != 0 {
            w.write_with_tag(0x15, |w| w.write_fixed32(self.nanos()))?;
        }
        Ok(())
    }
}

/// The message that was read. Unknown fields have been stepped over, as protobuf wants it.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
    pub(crate) size: Option<u64>,
    pub(crate) block_sizes: Vec<u64>,
    pub(crate) metadata: Metadata,
}

#[derive(Default)]
struct Fields<'a> {
    kind: Option<u64>,
    bytes: &'a [u8],
    size: Option<u64>,
    block_sizes: Vec<u64>,
    hash: Option<u64>,
    fanout: Option<u64>,
    mode: Option<u32>,
    mtime: Option<(i64, u32)>,
}

/// Reads the message in `data`, the field of block `cid`.
pub(crate) fn read(cid: &Cid, data: &Bytes) -> Result<Message, Error> {
    let malformed = |expected| Error::Malformed { cid: *cid, expected };
    let fields = fields(data).map_err(|_| malformed("a UnixFS message in Data"))?;
    let kind = match fields.kind.ok_or_else(|| malformed("a Type"))? {
        0 => Kind::Raw,
        1 => Kind::Directory,
        2 => Kind::File,
        4 => Kind::Symlink,
        5 if fields.hash == Some(MURMUR3) => {
            Kind::Shard(fields.fanout.ok_or_else(|| malformed("a fanout"))?)
        }
        5 => return Err(malformed("hash type murmur3-x64-64 (0x22)")),
        kind => return Err(Error::Type { cid: *cid, kind }),
    };
    let mtime = fields.mtime.map(|(seconds, nanos)| Mtime::new(seconds, nanos)).transpose();
    let mtime = mtime.map_err(|_| malformed("nanoseconds below 1,000,000,000"))?;
    Ok(Message {
        kind,
        bytes: data.slice_ref(fields.bytes),
        size: fields.size,
        block_sizes: fields.block_sizes,
        metadata: Metadata { mode: fields.mode.map(|mode| mode & 0o7777), mtime },
    })
}

fn fields(data: &[u8]) -> Pb<Fields<'_>> {
    let mut reader = BytesReader::from_bytes(data);
    let mut fields = Fields::default();
    while !reader.is_eof() {
        match reader.next_tag(data)? {
            0x08 => fields.kind = Some(reader.read_varint64(data)?),
            0x12 => fields.bytes = reader.read_bytes(data)?,
            0x18 => fields.size = Some(reader.read_uint64(data)?),
            0x20 => fields.block_sizes.push(reader.read_uint64(data)?),
            0x22 => packed(reader.read_bytes(data)?, &mut fields.block_sizes)?,
            0x28 => fields.hash = Some(reader.read_uint64(data)?),
            0x30 => fields.fanout = Some(reader.read_uint64(data)?),
            0x38 => fields.mode = Some(reader.read_uint32(data)?),
            0x42 => fields.mtime = Some(mtime(reader.read_bytes(data)?)?),
            tag => reader.read_unknown(data, tag)?,
        }
    }
    Ok(fields)
}

/// Sizes in one field: nobody writes them so, and protobuf wants them to be read.
fn packed(data: &[u8], sizes: &mut Vec<u64>) -> Pb<()> {
    let mut reader = BytesReader::from_bytes(data);
    while !reader.is_eof() {
        sizes.push(reader.read_uint64(data)?);
    }
    Ok(())
}

fn mtime(data: &[u8]) -> Pb<(i64, u32)> {
    let mut reader = BytesReader::from_bytes(data);
    let (mut seconds, mut nanos) = (0, 0);
    while !reader.is_eof() {
        match reader.next_tag(data)? {
            0x08 => seconds = reader.read_int64(data)?,
            0x15 => nanos = reader.read_fixed32(data)?,
            tag => reader.read_unknown(data, tag)?,
        }
    }
    Ok((seconds, nanos))
}
