use alloc::{boxed::Box, vec::Vec};

use carpool_core::{Bytes, Cid, Limits, codec};

use crate::{
    Error, Metadata, dag_pb,
    data::{self, Kind, Message},
    name,
    slot::{Bitfield, Fanout},
};

/// A block read as UnixFS.
///
/// Reading is strict: a node whose parts contradict each other, or an entry whose name would lead
/// out of its directory, is an error and not a smaller answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A block of the `raw` codec: bytes of a file.
    Raw(Bytes),
    /// A file, or a part of one.
    File(File),
    /// A directory in one node.
    Directory(Directory),
    /// A directory that is sharded, or a shard of one.
    Shard(Shard),
    /// A symbolic link.
    Symlink(Symlink),
}

/// A file's node: bytes of its own, and after them those of its links in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Bytes in the node itself.
    pub data: Bytes,
    /// The parts that follow.
    pub links: Vec<FileLink>,
    /// Bytes of the file below and in the node: the sum of `data` and of all sizes in `links`.
    pub size: u64,
    /// Mode and time of modification.
    pub metadata: Metadata,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLink {
    /// The part's node.
    pub cid: Cid,
    /// Bytes of the file in it, as the node above claims.
    pub size: u64,
    /// Bytes of all its blocks, as the node above claims; 0 where it says nothing.
    pub tsize: u64,
}

/// A directory in one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The entries in the node's order, no name twice.
    pub entries: Vec<Entry>,
    /// Mode and time of modification.
    pub metadata: Metadata,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: not empty, `.` or `..`, without `/` and NUL; perhaps not UTF-8.
    pub name: Bytes,
    /// What it names.
    pub cid: Cid,
    /// Bytes of all blocks of what it names, as the directory claims; 0 where it says nothing.
    pub tsize: u64,
}

/// One shard of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Slots: a power of two from 8 to 1024.
    pub fanout: u32,
    /// The slots that are taken, in order.
    pub links: Vec<ShardLink>,
    /// Mode and time of modification, on the topmost shard.
    pub metadata: Metadata,
}

/// A slot of a shard that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardLink {
    /// By one entry.
    Entry {
        /// The slot.
        slot: u32,
        /// The entry, its name without the slot.
        entry: Entry,
    },
    /// By a shard with the entries whose hashes agree so far.
    Shard {
        /// The slot.
        slot: u32,
        /// The shard.
        cid: Cid,
    },
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symlink {
    /// Where it leads, as written: relative or absolute, perhaps to nothing.
    pub target: Bytes,
    /// The time of modification.
    pub metadata: Metadata,
}

impl Node {
    /// Reads a block that was verified against `cid`.
    ///
    /// # Errors
    /// [`Error::Block`] when it is larger or has more links than `limits` allow or is no DAG-PB;
    /// [`Error::Codec`], [`Error::Malformed`], [`Error::Type`]; [`Error::BlockSizes`] and
    /// [`Error::Size`] for files; [`Error::Name`] and [`Error::DuplicateName`] for directories;
    /// [`Error::Fanout`], [`Error::Bitfield`] and [`Error::Name`] for shards.
    pub fn decode(cid: &Cid, block: &Bytes, limits: &Limits) -> Result<Self, Error> {
        if block.len() > limits.max_block_bytes {
            let (bytes, max) = (block.len() as u64, limits.max_block_bytes as u64);
            return Err(carpool_core::Error::BlockTooLarge { cid: *cid, bytes, max }.into());
        }
        match cid.codec() {
            codec::RAW => Ok(Self::Raw(block.clone())),
            codec::DAG_PB => decode_dag_pb(cid, block, limits),
            codec => Err(Error::Codec { cid: *cid, codec }),
        }
    }
}

fn decode_dag_pb(cid: &Cid, block: &Bytes, limits: &Limits) -> Result<Node, Error> {
    let dag_pb::Node { links, data } = dag_pb::read(cid, block, limits)?;
    let data = data.ok_or(Error::Malformed { cid: *cid, expected: "a Data field" })?;
    let message = data::read(cid, &data)?;
    match message.kind {
        Kind::Raw | Kind::File => file(cid, links, message).map(Node::File),
        Kind::Directory => directory(cid, links, message.metadata).map(Node::Directory),
        Kind::Shard(fanout) => shard(cid, links, fanout, &message).map(Node::Shard),
        Kind::Symlink if links.is_empty() => {
            Ok(Node::Symlink(Symlink { target: message.bytes, metadata: message.metadata }))
        }
        Kind::Symlink => Err(Error::Malformed { cid: *cid, expected: "a symlink without links" }),
    }
}

fn file(cid: &Cid, links: Vec<dag_pb::Link>, message: Message) -> Result<File, Error> {
    let Message { bytes: data, size, block_sizes, metadata, .. } = message;
    if links.len() != block_sizes.len() {
        let (links, sizes) = (links.len(), block_sizes.len());
        return Err(Error::BlockSizes { cid: *cid, links, sizes });
    }
    let mut sum = Some(data.len() as u64);
    for part in &block_sizes {
        sum = sum.and_then(|sum| sum.checked_add(*part));
    }
    let actual = sum.unwrap_or(u64::MAX);
    let claimed = size.unwrap_or(actual);
    if sum.is_none() || claimed != actual {
        return Err(Error::Size { cid: *cid, claimed, actual });
    }
    let part =
        |(link, size): (dag_pb::Link, u64)| FileLink { cid: link.cid, size, tsize: link.tsize };
    Ok(File {
        data,
        links: links.into_iter().zip(block_sizes).map(part).collect(),
        size: actual,
        metadata,
    })
}

fn directory(cid: &Cid, links: Vec<dag_pb::Link>, metadata: Metadata) -> Result<Directory, Error> {
    let entries =
        links.into_iter().map(|link| entry(cid, link, 0)).collect::<Result<Vec<_>, _>>()?;
    refuse_twins(cid, &entries)?;
    Ok(Directory { entries, metadata })
}

/// The entry of a link whose name begins with `prefix` bytes of slot.
fn entry(cid: &Cid, link: dag_pb::Link, prefix: usize) -> Result<Entry, Error> {
    let name = link.name.slice(prefix..);
    if !name::is_safe(&name) {
        return Err(Error::Name { cid: Some(*cid), name: name[..].into() });
    }
    Ok(Entry { name, cid: link.cid, tsize: link.tsize })
}

/// A name that comes twice could be a symbolic link first and a directory below it after that.
fn refuse_twins(cid: &Cid, entries: &[Entry]) -> Result<(), Error> {
    if entries.is_sorted_by(|a, b| a.name < b.name) {
        return Ok(());
    }
    let mut names: Vec<&[u8]> = entries.iter().map(|entry| &entry.name[..]).collect();
    names.sort_unstable();
    let twin = names.windows(2).find(|pair| pair[0] == pair[1]);
    twin.map_or(Ok(()), |pair| {
        Err(Error::DuplicateName { cid: Some(*cid), name: Box::from(pair[0]) })
    })
}

fn shard(
    cid: &Cid,
    links: Vec<dag_pb::Link>,
    fanout: u64,
    message: &Message,
) -> Result<Shard, Error> {
    let fanout = Fanout::new(fanout).ok_or(Error::Fanout { cid: *cid, fanout })?;
    let bitfield = Error::Bitfield { cid: *cid };
    let mut slots = Bitfield::EMPTY;
    let mut next = 0;
    let mut taken = Vec::with_capacity(links.len());
    for link in links {
        let slot = fanout.split(&link.name).map(|(slot, _)| slot);
        let slot = slot.filter(|slot| *slot >= next).ok_or_else(|| bitfield.clone())?;
        next = slot + 1;
        slots.set(slot);
        taken.push(shard_link(cid, link, slot, fanout)?);
    }
    if Bitfield::read(&message.bytes, fanout).as_ref() != Some(&slots) {
        return Err(bitfield);
    }
    Ok(Shard { fanout: fanout.slots(), links: taken, metadata: message.metadata })
}

fn shard_link(
    cid: &Cid,
    link: dag_pb::Link,
    slot: u32,
    fanout: Fanout,
) -> Result<ShardLink, Error> {
    if link.name.len() == fanout.prefix_len() {
        return Ok(ShardLink::Shard { slot, cid: link.cid });
    }
    entry(cid, link, fanout.prefix_len()).map(|entry| ShardLink::Entry { slot, entry })
}
