mod cbor;
mod pb;

use alloc::vec::Vec;
use cid::Cid;

use crate::{Error, Limits, codec, hash};

/// A place in a block and what should have been there.
pub(crate) struct Unexpected {
    offset: usize,
    expected: &'static str,
}

/// Whether a block of this CID can have links, so whether it has to be read to go on.
#[must_use]
pub const fn may_link(cid: &Cid) -> bool {
    matches!(cid.codec(), codec::DAG_PB | codec::DAG_CBOR)
}

/// Calls `each` with every link of the block in the order of its bytes, repeats included.
///
/// No tree is built, the block is read once, and the work is bounded by its bytes whatever lengths
/// it claims. Codecs other than DAG-CBOR and DAG-PB have no links. The scan checks what it steps
/// over (heads, lengths, tag 42, field numbers) and not what it does not need: the order of keys,
/// UTF-8, the shortest form of integers.
///
/// # Errors
/// [`Error::Malformed`] with the offset, [`Error::TooManyLinks`]. Links before the fault have
/// been given to `each`.
pub fn for_each_link(
    cid: &Cid,
    data: &[u8],
    limits: &Limits,
    mut each: impl FnMut(Cid),
) -> Result<(), Error> {
    let mut left = limits.max_links;
    let mut over = false;
    let mut counted = |link: Cid| {
        over |= left == 0;
        if !over {
            left -= 1;
            each(link);
        }
        !over
    };
    let scanned = match cid.codec() {
        codec::DAG_CBOR => cbor::scan(data, &mut counted),
        codec::DAG_PB => pb::scan(data, &mut counted),
        _ => Ok(()),
    };
    if over {
        return Err(Error::TooManyLinks { cid: *cid, max: limits.max_links as u64 });
    }
    scanned.map_err(|Unexpected { offset, expected }| Error::Malformed {
        cid: *cid,
        offset: offset as u64,
        expected,
    })
}

/// The links of a block as a list; see [`for_each_link`].
///
/// # Errors
/// As [`for_each_link`].
pub fn links(cid: &Cid, data: &[u8], limits: &Limits) -> Result<Vec<Cid>, Error> {
    let mut all = Vec::new();
    for_each_link(cid, data, limits, |link| all.push(link))?;
    Ok(all)
}

/// The data that an identity CID carries; `None` for every other CID.
#[must_use]
pub fn identity_data(cid: &Cid) -> Option<&[u8]> {
    hash::is_identity(cid).then(|| cid.hash().digest())
}
