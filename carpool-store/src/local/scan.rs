//! Reads a segment from its CAR, where the index cannot be believed.
use carpool_car::{Decoder, Item, Section};
use carpool_core::Limits;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::segment::{HEADER, Segment};
use crate::{Error, Result};

/// Bytes of one read.
const CHUNK: u64 = 4 << 20;

/// Where a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The end of the last whole section.
    pub(crate) whole: u64,
    /// Whether what follows can only be a write that was cut short.
    pub(crate) torn: bool,
}

/// Hands all whole sections from byte `from` on to `each`, a few megabytes at a time. `from` is 0
/// or the start of a section; offsets are positions in the file.
pub(crate) fn scan(
    segment: &mut Segment,
    from: u64,
    mut each: impl FnMut(Vec<Section>) -> Result<()>,
) -> Result<Ending> {
    let mut decoder = Decoder::new(&limits(segment.len));
    let shift = begin(&mut decoder, from);
    let mut at = from;
    segment.file.seek(SeekFrom::Start(from)).map_err(|e| Error::io(&segment.path, e))?;
    loop {
        let chunk = read_chunk(&segment.path, &mut segment.file, segment.len - at)?;
        at += chunk.len() as u64;
        let last = at == segment.len || chunk.is_empty();
        decoder.handle_data(chunk.into());
        if last {
            decoder.handle_eof();
        }
        let (sections, error) = drain(&mut decoder, shift);
        each(sections)?;
        let whole = decoder.offset().wrapping_add(shift);
        if let Some(error) = error {
            let torn = matches!(error, carpool_car::Error::Truncated { .. });
            return Ok(Ending { whole, torn });
        }
        if last {
            return Ok(Ending { whole, torn: false });
        }
    }
}

/// Limits that every section of a file of `len` bytes is within, whole or torn: what was stored
/// once is read, whatever the limits are today. The decoder holds no more than the file has.
fn limits(len: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_section_bytes = usize::try_from(len.max(1 << 32)).unwrap_or(usize::MAX / 2);
    limits.max_block_bytes = limits.max_section_bytes;
    limits
}

/// Lets the decoder begin in the middle, by giving it a header of its own; returns what to add to
/// its offsets, modulo 2^64.
fn begin(decoder: &mut Decoder, from: u64) -> u64 {
    if from == 0 {
        return 0;
    }
    decoder.handle_data(HEADER.clone());
    from.wrapping_sub(HEADER.len() as u64)
}

fn read_chunk(path: &Path, file: &mut File, left: u64) -> Result<Vec<u8>> {
    let mut chunk = Vec::new();
    file.take(left.min(CHUNK)).read_to_end(&mut chunk).map_err(|e| Error::io(path, e))?;
    Ok(chunk)
}

fn drain(decoder: &mut Decoder, shift: u64) -> (Vec<Section>, Option<carpool_car::Error>) {
    let mut sections = Vec::new();
    loop {
        match decoder.poll() {
            Ok(Some(Item::Header(_) | Item::Behind(_))) => {}
            Ok(Some(Item::Section(mut section))) => {
                section.offset = section.offset.wrapping_add(shift);
                section.data_offset = section.data_offset.wrapping_add(shift);
                sections.push(section);
            }
            Ok(None) => return (sections, None),
            Err(error) => return (sections, Some(error)),
        }
    }
}
