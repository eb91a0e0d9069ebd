//! Sharded DAG indexes, `index/sharded/dag@0.1`: where in which CARs (or other blobs) the blocks of
//! one DAG are, as a CARv1 of DAG-CBOR blocks
//! ([W3 Index](https://github.com/storacha/specs/blob/main/w3-index.md)).
//!
//! Unlike in other indexes, positions are those of the blocks' bytes, not of their sections, and
//! lengths are told.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use carpool_core::{
    Block, Bytes, Cid, Limits, Multihash, Unverified,
    cbor::{ARRAY, BYTES, MAP, Reader, TEXT, UNSIGNED, write_head, write_link},
    codec, varint, verify,
};

use super::{IndexFault, IndexLimits};
use crate::{Decoder, Error, Item, Section, header, section_prefix};

/// What the only key of the root block is.
const VERSION: &[u8] = b"index/sharded/dag@0.1";

/// Where the blocks of a DAG are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardedDagIndex {
    /// The root of the DAG.
    pub content: Cid,
    /// The blobs that its blocks are in.
    pub shards: Vec<Shard>,
}

/// A blob, and what lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The blob's multihash.
    pub multihash: Multihash<64>,
    /// What lies in it. Writers put the whole blob itself among them, so that it is found as well.
    pub slices: Vec<Slice>,
}

/// Bytes that are known by their multihash: those of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Their multihash.
    pub multihash: Multihash<64>,
    /// Where they begin, in bytes from the start of the blob.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

impl ShardedDagIndex {
    /// The archive: the root block, then that of each shard. Shards and slices are sorted by their
    /// digests; of slices of one multihash the first in the blob is kept, of shards of one multihash
    /// the first in the list.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut shards: Vec<&Shard> = self.shards.iter().collect();
        shards.sort_by(|a, b| order(&a.multihash).cmp(&order(&b.multihash)));
        shards.dedup_by_key(|shard| shard.multihash);
        let encode = |shard: &Shard| Block::new(codec::DAG_CBOR, encode_shard(shard).into());
        let blocks: Vec<Block> = shards.into_iter().map(encode).collect();
        let root = Block::new(codec::DAG_CBOR, encode_root(&self.content, &blocks).into());
        let mut out = header(&[*root.cid()]).to_vec();
        for block in [&root].into_iter().chain(&blocks) {
            out.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
            out.extend_from_slice(block.data());
        }
        out.into()
    }

    /// Reads an archive that is all of `input`. Every block is verified; those that the root does
    /// not lead to are ignored, shards and slices may come in any order.
    ///
    /// The block of a shard of a million slices has 44 MB: `limits` says which are taken.
    ///
    /// # Errors
    /// Any [`Error`] of a CAR; [`Error::Index`], whose offset is that in the archive, with
    /// [`IndexFault::Archive`], [`IndexFault::TooManyCars`] and [`IndexFault::TooManySlices`].
    pub fn decode(
        input: Bytes,
        limits: &Limits,
        index_limits: &IndexLimits,
    ) -> Result<Self, Error> {
        let (roots, sections) = read_archive(input, limits)?;
        let [root] = roots[..] else { return Err(expected(0, "one root")) };
        let block = sections.get(&root).ok_or_else(|| expected(0, "the root's block"))?;
        let (content, links) = read_root(block, index_limits)?;
        let (mut shards, mut room) = (Vec::new(), u64::from(index_limits.max_slices));
        for (link, at) in links {
            let block =
                sections.get(&link).ok_or_else(|| expected(at, "the block of every shard"))?;
            shards.push(read_shard(block, &mut room, index_limits)?);
        }
        let mut seen = BTreeSet::new();
        if !shards.iter().all(|shard| seen.insert(shard.multihash.to_bytes())) {
            return Err(expected(block.data_offset, "every shard once"));
        }
        Ok(Self { content, shards })
    }
}

/// The digest counts first: so other writers sort.
fn order(hash: &Multihash<64>) -> (&[u8], u64) {
    (hash.digest(), hash.code())
}

const fn expected(offset: u64, expected: &'static str) -> Error {
    Error::Index { offset, fault: IndexFault::Archive { expected } }
}

fn encode_root(content: &Cid, shards: &[Block]) -> Vec<u8> {
    let mut out = vec![];
    write_head(&mut out, MAP, 1);
    write_string(&mut out, TEXT, VERSION);
    write_head(&mut out, MAP, 2);
    write_string(&mut out, TEXT, b"shards");
    write_head(&mut out, ARRAY, shards.len() as u64);
    shards.iter().for_each(|shard| write_link(&mut out, shard.cid()));
    write_string(&mut out, TEXT, b"content");
    write_link(&mut out, content);
    out
}

fn encode_shard(shard: &Shard) -> Vec<u8> {
    let mut slices: Vec<&Slice> = shard.slices.iter().collect();
    let key = |slice: &Slice| (slice.offset, slice.length);
    slices.sort_by(|a, b| {
        order(&a.multihash).cmp(&order(&b.multihash)).then_with(|| key(a).cmp(&key(b)))
    });
    slices.dedup_by_key(|slice| slice.multihash);
    let mut out = Vec::with_capacity(48 * (slices.len() + 1));
    write_head(&mut out, ARRAY, 2);
    write_string(&mut out, BYTES, &shard.multihash.to_bytes());
    write_head(&mut out, ARRAY, slices.len() as u64);
    for slice in slices {
        write_head(&mut out, ARRAY, 2);
        write_string(&mut out, BYTES, &slice.multihash.to_bytes());
        write_head(&mut out, ARRAY, 2);
        write_head(&mut out, UNSIGNED, slice.offset);
        write_head(&mut out, UNSIGNED, slice.length);
    }
    out
}

fn write_string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    write_head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The roots and blocks of a CAR, all verified.
fn read_archive(
    input: Bytes,
    limits: &Limits,
) -> Result<(Vec<Cid>, BTreeMap<Cid, Section>), Error> {
    let mut decoder = Decoder::new(limits);
    decoder.handle_data(input);
    decoder.handle_eof();
    let (mut roots, mut sections) = (Vec::new(), Vec::new());
    while let Some(item) = decoder.poll()? {
        match item {
            Item::Header(header) => roots = header.roots,
            Item::Section(section) => sections.push(section),
            // Without CARv2 and padding there is nothing behind the sections.
            Item::Behind(_) => {}
        }
    }
    let claim = |section: &Section| Unverified { cid: section.cid, data: section.data.clone() };
    let verdicts = verify(sections.iter().map(claim).collect());
    if let Some(bad) = verdicts.iter().position(Result::is_err) {
        return Err(expected(sections[bad].offset, "blocks that are what their CIDs say"));
    }
    Ok((roots, sections.into_iter().map(|section| (section.cid, section)).collect()))
}

/// A link, and where in the archive the block lies that has it.
type Link = (Cid, u64);

fn read_root(block: &Section, limits: &IndexLimits) -> Result<(Cid, Vec<Link>), Error> {
    let mut reader = Reader::new(&block.data);
    let wrong = |what| expected(block.data_offset, what);
    if (reader.head(MAP), reader.string(TEXT)) != (Some(1), Some(VERSION)) {
        return Err(wrong("the version `index/sharded/dag@0.1`"));
    }
    let (mut content, mut shards) = (None, None);
    for _ in 0..reader.head(MAP).ok_or_else(|| wrong("a map"))? {
        match reader.string(TEXT) {
            Some(b"content") if content.is_none() => {
                content = Some(reader.link().ok_or_else(|| wrong("a link as `content`"))?);
            }
            Some(b"shards") if shards.is_none() => {
                shards = Some(read_links(&mut reader, block.data_offset, limits)?);
            }
            _ => return Err(wrong("one `content` and one `shards`")),
        }
    }
    let both = content.zip(shards).ok_or_else(|| wrong("both `content` and `shards`"))?;
    if reader.rest().is_empty() { Ok(both) } else { Err(wrong("nothing after the map")) }
}

fn read_links(
    reader: &mut Reader<'_>,
    offset: u64,
    limits: &IndexLimits,
) -> Result<Vec<Link>, Error> {
    let cars = reader.head(ARRAY).ok_or_else(|| expected(offset, "an array of shards"))?;
    let max = u64::from(limits.max_cars);
    if cars > max {
        return Err(Error::Index { offset, fault: IndexFault::TooManyCars { cars, max } });
    }
    let link = |_| Some((reader.link()?, offset));
    (0..cars)
        .map(link)
        .collect::<Option<_>>()
        .ok_or_else(|| expected(offset, "a link to each shard"))
}

fn read_shard(block: &Section, room: &mut u64, limits: &IndexLimits) -> Result<Shard, Error> {
    let mut reader = Reader::new(&block.data);
    let offset = block.data_offset;
    let wrong = |what| expected(offset, what);
    let multihash = match reader.head(ARRAY) {
        Some(2) => read_multihash(&mut reader),
        _ => None,
    };
    let multihash = multihash.ok_or_else(|| wrong("a shard's multihash and slices"))?;
    let slices = reader.head(ARRAY).ok_or_else(|| wrong("an array of slices"))?;
    *room = room.checked_sub(slices).ok_or_else(|| Error::Index {
        offset,
        fault: IndexFault::TooManySlices { slices, max: limits.max_slices.into() },
    })?;
    let slices = (0..slices).map(|_| read_slice(&mut reader)).collect::<Option<Vec<_>>>();
    let slices = slices.ok_or_else(|| wrong("a multihash, an offset and a length"))?;
    if !reader.rest().is_empty() {
        return Err(wrong("nothing after the slices"));
    }
    if !is_each_once(&slices) {
        return Err(wrong("every slice once"));
    }
    Ok(Shard { multihash, slices })
}

fn is_each_once(slices: &[Slice]) -> bool {
    let mut keys: Vec<_> = slices.iter().map(|slice| order(&slice.multihash)).collect();
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}

fn read_slice(reader: &mut Reader<'_>) -> Option<Slice> {
    reader.head(ARRAY).filter(|n| *n == 2)?;
    let multihash = read_multihash(reader)?;
    reader.head(ARRAY).filter(|n| *n == 2)?;
    let (offset, length) = (reader.head(UNSIGNED)?, reader.head(UNSIGNED)?);
    Some(Slice { multihash, offset, length })
}

fn read_multihash(reader: &mut Reader<'_>) -> Option<Multihash<64>> {
    let bytes = reader.string(BYTES)?;
    let (code, at) = varint::take(bytes).ok()?;
    let (len, n) = varint::take(&bytes[at..]).ok()?;
    let digest = &bytes[at + n..];
    Multihash::wrap(code, digest).ok().filter(|_| digest.len() as u64 == len)
}
