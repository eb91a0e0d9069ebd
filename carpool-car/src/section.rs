use carpool_core::{Bytes, Cid, Limits, cid_prefix, varint};

use core::ops::Range;

use crate::Error;

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
