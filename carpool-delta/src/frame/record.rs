use alloc::vec::Vec;
use carpool_core::{Cid, Multihash, SHA2_256};

use crate::{
    Operation,
    cursor::{Cursor, put, put_signed, put_u64},
    limits::{MAX_BASES, MAX_NODES, MAX_RANGES},
    operation::Expected,
};

/// A block by the node that links to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A link of a node.
    Of {
        /// Of the node.
        position: usize,
        /// From behind the link that was named last.
        link: i64,
    },
    Cid(Cid),
}

/// Some bases of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Node { position: usize },
    Links { position: usize, link: i64, count: usize },
    Cid(Cid),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Place(Place),
    Computed(Form),
}

/// What a CID is beside its digest, which is of SHA2-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    V0,
    V1 { codec: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Plain,
    Copies(Vec<Operation>),
    Prefix { first: usize, count: usize, frame: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Open(Place),
    Bases(Vec<Range>),
    Block {
        name: Name,
        /// Whether it becomes a node.
        node: bool,
        len: usize,
        content: Content,
    },
}

const BLOCK: usize = 0;
const OPEN: usize = 1;
const BASES: usize = 2;
const PLAIN: usize = 0;
const COPIES: usize = 1;
const PREFIX: usize = 2;
const KINDS: usize = 4;
/// Flags of a block: its name is computed; it becomes a node.
const COMPUTED: usize = 1;
const NODE: usize = 2;
/// The highest head.
const MAX_HEAD: usize = KINDS * KINDS * 4 - 1;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Expected(&'static str),
    TooLong { bytes: u64 },
}

impl From<&'static str> for Unreadable {
    fn from(expected: &'static str) -> Self {
        Self::Expected(expected)
    }
}

/// What the reader of a record, or its writer, knows of those before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub(super) expected: Expected,
    /// The number of the next block that waits.
    pub(super) next: u64,
}

impl Form {
    /// What a CID is, if it can be computed.
    pub(super) fn of(cid: &Cid) -> Option<Self> {
        let form = match cid.version() {
            carpool_core::Version::V0 => Self::V0,
            carpool_core::Version::V1 => Self::V1 { codec: cid.codec() },
        };
        let digest = cid.hash().digest().try_into().ok()?;
        let possible = cid.hash().code() == SHA2_256 && cid.codec() != 0;
        (possible && form.cid(digest) == *cid).then_some(form)
    }

    pub(super) fn cid(self, digest: &[u8; 32]) -> Cid {
        let hash = Multihash::wrap(SHA2_256, digest).expect("32 bytes fit into 64");
        match self {
            Self::V0 => Cid::new_v0(hash).expect("SHA2-256 makes version 0"),
            Self::V1 { codec } => Cid::new_v1(codec, hash),
        }
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let codec = cursor.number()?;
        Some(if codec == 0 { Self::V0 } else { Self::V1 { codec } })
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::V0 => put(out, 0),
            Self::V1 { codec } => put_u64(out, codec),
        }
    }
}

impl Place {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let Some(position) = cursor.at_most(MAX_NODES)?.checked_sub(1) else {
            return cursor.cid().map(Self::Cid);
        };
        Some(Self::Of { position, link: cursor.signed()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Of { position, link } => {
                put(out, 1 + position);
                put_signed(out, *link);
            }
            Self::Cid(cid) => {
                put(out, 0);
                out.extend_from_slice(&cid.to_bytes());
            }
        }
    }
}

impl Range {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let head = cursor.at_most(2 * MAX_NODES)?;
        if head == 0 {
            return cursor.cid().map(Self::Cid);
        }
        if head % 2 == 1 {
            return Some(Self::Node { position: head / 2 });
        }
        let (position, link) = (head / 2 - 1, cursor.signed()?);
        Some(Self::Links { position, link, count: cursor.at_most(MAX_BASES - 1)? + 1 })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Node { position } => put(out, 1 + 2 * position),
            Self::Links { position, link, count } => {
                put(out, 2 + 2 * position);
                put_signed(out, *link);
                put(out, count - 1);
            }
            Self::Cid(cid) => {
                put(out, 0);
                out.extend_from_slice(&cid.to_bytes());
            }
        }
    }

    pub(super) const fn count(&self) -> usize {
        if let Self::Links { count, .. } = self { *count } else { 1 }
    }
}

impl Record {
    /// Reads one record. The length of a block is held to `max_block` before its content is read.
    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        context: &mut Context,
        max_block: usize,
    ) -> Result<Self, Unreadable> {
        let head = cursor.at_most(MAX_HEAD).ok_or("a record")?;
        match head % KINDS {
            BLOCK => return Self::read_block(head / KINDS, cursor, context, max_block),
            OPEN if head == OPEN => return Ok(Self::Open(Place::read(cursor).ok_or("a place")?)),
            BASES if head == BASES => {}
            _ => return Err("a kind of record".into()),
        }
        context.expected = Expected::default();
        let count = cursor.at_most(MAX_RANGES).ok_or("at most 64 ranges")?;
        let ranges = (0..count).map(|_| Range::read(cursor)).collect::<Option<Vec<_>>>();
        let ranges = ranges.ok_or("a range")?;
        let bases: usize = ranges.iter().map(Range::count).sum();
        if bases > MAX_BASES {
            return Err("at most 4096 bases".into());
        }
        Ok(Self::Bases(ranges))
    }

    fn read_block(
        head: usize,
        cursor: &mut Cursor<'_>,
        context: &mut Context,
        max_block: usize,
    ) -> Result<Self, Unreadable> {
        let (encoding, flags) = (head % KINDS, head / KINDS);
        let (computed, node) = (flags & COMPUTED != 0, flags & NODE != 0);
        let name = if computed {
            Form::read(cursor).map(Name::Computed)
        } else {
            Place::read(cursor).map(Name::Place)
        };
        let name = name.ok_or("a name")?;
        let bytes = cursor.number().ok_or("a length")?;
        let len = usize::try_from(bytes).ok().filter(|len| *len <= max_block);
        let len = len.ok_or(Unreadable::TooLong { bytes })?;
        let content = match encoding {
            PLAIN => Content::Plain,
            COPIES => {
                let operations = context.expected.read_all(cursor, len, context.next);
                Content::Copies(operations.ok_or("operations of the block's length")?)
            }
            PREFIX => read_prefix(cursor).ok_or("bases and a frame")?,
            _ => return Err("an encoding".into()),
        };
        context.next += u64::from(matches!(name, Name::Computed(_)));
        Ok(Self::Block { name, node, len, content })
    }

    /// Writes the record.
    pub(super) fn write(&self, out: &mut Vec<u8>, context: &mut Context) {
        match self {
            Self::Open(place) => {
                put(out, OPEN);
                place.write(out);
            }
            Self::Bases(ranges) => {
                context.expected = Expected::default();
                put(out, BASES);
                put(out, ranges.len());
                ranges.iter().for_each(|range| range.write(out));
            }
            Self::Block { name, node, len, content } => {
                write_head(out, *name, *node, content);
                put(out, *len);
                write_content(out, content, context);
                context.next += u64::from(matches!(name, Name::Computed(_)));
            }
        }
    }
}

fn write_head(out: &mut Vec<u8>, name: Name, node: bool, content: &Content) {
    let encoding = match content {
        Content::Plain => PLAIN,
        Content::Copies(_) => COPIES,
        Content::Prefix { .. } => PREFIX,
    };
    let computed = if matches!(name, Name::Computed(_)) { COMPUTED } else { 0 };
    let node = if node { NODE } else { 0 };
    put(out, BLOCK + KINDS * (encoding + KINDS * (computed + node)));
    match name {
        Name::Place(place) => place.write(out),
        Name::Computed(form) => form.write(out),
    }
}

fn write_content(out: &mut Vec<u8>, content: &Content, context: &mut Context) {
    match content {
        Content::Plain => {}
        Content::Copies(operations) => {
            let mut taken = context.next;
            for operation in operations {
                context.expected.write(out, *operation, &mut taken);
            }
        }
        Content::Prefix { first, count, frame } => {
            put(out, *first);
            put(out, count - 1);
            put(out, *frame);
        }
    }
}

fn read_prefix(cursor: &mut Cursor<'_>) -> Option<Content> {
    let first = cursor.at_most(MAX_BASES - 1)?;
    let count = cursor.at_most(MAX_BASES - 1)? + 1;
    Some(Content::Prefix { first, count, frame: cursor.at_most(usize::MAX)? })
}
