use carpool_car::{section_len, section_prefix};
use carpool_core::{Block, Cid};
use std::{io::IoSlice, ops::Range};

use super::index::Row;
use crate::key;

/// Blocks up to this size are copied next to their prefixes: below it a copy costs less than one
/// more piece of a vectored write.
const COPY_BYTES: usize = 8 << 10;
/// Bytes of copies in one write.
const SCRATCH_BYTES: usize = 1 << 20;
/// Pieces of one write; systems take 1024.
const MAX_PARTS: usize = 1000;

/// Sections that are appended to a segment in one write.
pub(crate) struct Run<'a> {
    scratch: &'a mut Vec<u8>,
    parts: Vec<Part<'a>>,
    copied: usize,
    segment: u32,
    end: u64,
    /// What the index will say of each block.
    pub(crate) rows: Vec<(Cid, Row)>,
}

enum Part<'a> {
    Scratch(Range<usize>),
    Data(&'a [u8]),
}

impl<'a> Run<'a> {
    /// An empty run that begins at byte `start` of `segment`.
    pub(crate) fn new(scratch: &'a mut Vec<u8>, segment: u32, start: u64) -> Self {
        scratch.clear();
        Self { scratch, parts: Vec::new(), copied: 0, segment, end: start, rows: Vec::new() }
    }

    /// Takes blocks from the front of `blocks`, the first in any case, and further ones while the
    /// segment stays within `segment_bytes`; returns how many.
    pub(crate) fn fill(&mut self, blocks: &[&'a Block], segment_bytes: u64) -> usize {
        for (i, block) in blocks.iter().enumerate() {
            let end = self.end + section_len(block.cid(), block.data().len()) as u64;
            let full = self.parts.len() + 2 > MAX_PARTS || self.scratch.len() > SCRATCH_BYTES;
            if i > 0 && (full || end > segment_bytes) {
                return i;
            }
            self.push(block);
        }
        blocks.len()
    }

    fn push(&mut self, block: &'a Block) {
        let (cid, data) = (block.cid(), block.data());
        let prefix = section_prefix(cid, data.len());
        self.scratch.extend_from_slice(prefix.as_ref());
        let offset = self.end + prefix.as_ref().len() as u64;
        if data.len() <= COPY_BYTES {
            self.scratch.extend_from_slice(data);
        } else {
            self.close_copies();
            self.parts.push(Part::Data(data));
        }
        let len = data.len() as u64;
        self.end = offset + len;
        let row = Row { codec: key::codec_of(cid), segment: self.segment, offset, len };
        self.rows.push((key::canonical(cid), row));
    }

    fn close_copies(&mut self) {
        if self.copied < self.scratch.len() {
            self.parts.push(Part::Scratch(self.copied..self.scratch.len()));
            self.copied = self.scratch.len();
        }
    }

    /// What is to be written, in order.
    pub(crate) fn slices(&mut self) -> Vec<IoSlice<'_>> {
        self.close_copies();
        let slice = |part: &Part<'a>| match part {
            Part::Scratch(range) => &self.scratch[range.clone()],
            Part::Data(data) => data,
        };
        self.parts.iter().map(|part| IoSlice::new(slice(part))).collect()
    }
}
