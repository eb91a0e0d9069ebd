use carpool_core::{Bytes, Cid, Limits, cid_prefix, varint};

use core::ops::Range;

use crate::Error;

/// The longest CID that is read: four varints of at most ten bytes and a digest of 64.
pub(crate) const MAX_CID: usize = 40 + 64;

/// One section of a CAR: a CID and the bytes that are claimed for it, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The CID.
    pub cid: Cid,
    /// The block's bytes.
    pub data: Bytes,
    /// Where the section begins, with its length, in bytes from the start of the CARv1: what an
    /// index names. In a CARv2 the file has it [`Decoder::data_offset`](crate::Decoder) bytes
    /// further on.
    pub offset: u64,
    /// Where the block's bytes begin, counted alike.
    pub data_offset: u64,
}

/// What [`decode`] found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A whole section: its data is `input[data_at..end]`.
    Complete {
        /// The CID.
        cid: Cid,
        /// Where the block's bytes begin.
        data_at: usize,
        /// Where the section ends.
        end: usize,
    },
    /// The section goes on beyond the input.
    Partial {
        /// How many bytes the input must have at least before asking again makes sense.
        needed: usize,
    },
}

/// Reads the section at the front of `input`, which begins at byte `offset` of its CAR. Keeps no
/// state and copies nothing
/// ([CARv1, Data](https://ipld.io/specs/transport/car/carv1/#data)).
///
/// # Errors
/// [`Error::SectionLength`], [`Error::SectionTooLong`], [`Error::BlockTooLong`],
/// [`Error::SectionCid`].
pub fn decode(input: &[u8], offset: u64, limits: &Limits) -> Result<Status, Error> {
    let Some((start, end)) = extent(input, offset, limits)? else {
        return Ok(Status::Partial { needed: input.len() + 1 });
    };
    if input.len() < end {
        return Ok(Status::Partial { needed: end });
    }
    let found = cid_prefix(&input[start..end]).ok();
    let (cid, data_at) = checked_cid(found, start..end, offset, limits)?;
    Ok(Status::Complete { cid, data_at, end })
}

/// Where the section at the front of `input` has its CID, its data and its end, where it is whole, its
/// length is of one to three bytes and its CID of the two usual forms: no struct is built for that.
#[inline]
pub(crate) fn usual(input: &[u8], limits: &Limits) -> Option<(usize, usize, usize)> {
    let (len, start) = short_varint(input)?;
    let body = input.get(start..start + len)?;
    let cid = match *body {
        [0x12, 0x20, ..] => 34,
        [1, codec, hash, 0x20, ..] if (codec | hash) < 0x80 => 36,
        _ => return None,
    };
    let block = len.checked_sub(cid)?;
    let fits = len <= limits.max_section_bytes && block <= limits.max_block_bytes;
    fits.then_some((start, start + cid, start + len))
}

/// A varint of one to three bytes in its shortest form.
#[inline]
const fn short_varint(input: &[u8]) -> Option<(usize, usize)> {
    match *input {
        [a, ..] if a < 0x80 => Some((a as usize, 1)),
        [a, b, ..] if b < 0x80 && b != 0 => Some((a as usize & 0x7f | (b as usize) << 7, 2)),
        [a, b, c, ..] if b >= 0x80 && c < 0x80 && c != 0 => {
            Some((a as usize & 0x7f | (b as usize & 0x7f) << 7 | (c as usize) << 14, 3))
        }
        _ => None,
    }
}

/// Where the section at the front of `input` has its CID, and where it ends; `None` while `input`
/// ends inside the length.
pub(crate) fn extent(
    input: &[u8],
    offset: u64,
    limits: &Limits,
) -> Result<Option<(usize, usize)>, Error> {
    let len = varint::decode(input).map_err(|_| Error::SectionLength { offset })?;
    let Some((len, start)) = len else { return Ok(None) };
    Ok(Some((start, start + checked_len(len, offset, limits)?)))
}

/// The CID that was found at the start of `body`, and where the data begins.
pub(crate) fn checked_cid(
    found: Option<(Cid, usize)>,
    body: Range<usize>,
    offset: u64,
    limits: &Limits,
) -> Result<(Cid, usize), Error> {
    let (cid, cid_len) = found.ok_or(Error::SectionCid { offset })?;
    let data_at = body.start + cid_len;
    let (bytes, max) = ((body.end - data_at) as u64, limits.max_block_bytes as u64);
    if bytes > max {
        return Err(Error::BlockTooLong { offset, bytes, max });
    }
    Ok((cid, data_at))
}

fn checked_len(bytes: u64, offset: u64, limits: &Limits) -> Result<usize, Error> {
    match usize::try_from(bytes) {
        Ok(0) => Err(Error::SectionLength { offset }),
        Ok(len) if len <= limits.max_section_bytes => Ok(len),
        _ => {
            let max = limits.max_section_bytes as u64;
            Err(Error::SectionTooLong { offset, bytes, max })
        }
    }
}
