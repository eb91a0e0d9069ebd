mod cbor;
mod checked;
mod pb;
mod strict;

use alloc::vec::Vec;
use cid::Cid;

use crate::{Error, Limits, cid_bytes::cid_exact, codec, hash};
pub use checked::{MAX_NESTING, for_each_link_bytes};

/// A place in a block and what should have been there.
pub(crate) struct Unexpected {
    offset: usize,
    expected: &'static str,
}

/// What becomes of the bytes that should be a link.
enum Step {
    /// They are; on to the next.
    Next,
    /// No more are wanted.
    Stop,
    /// They are no CID.
    NoCid,
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
    let each = |link: &[u8]| cid_exact(link).map(&mut each).is_ok();
    let scanned = |each: &mut Counted<_>| match cid.codec() {
        codec::DAG_CBOR => cbor::scan(data, &mut |link| each.step(link)),
        codec::DAG_PB => pb::scan(data, &mut |link| each.step(link)),
        _ => Ok(()),
    };
    Counted::new(limits, each).run(cid, scanned)
}

/// Takes the bytes of links as far as the limit; says whether they are a CID.
struct Counted<F> {
    max: usize,
    left: usize,
    over: bool,
    each: F,
}

impl<F> Counted<F> {
    const fn new(limits: &Limits, each: F) -> Self {
        Self { max: limits.max_links, left: limits.max_links, over: false, each }
    }

    #[inline]
    fn step<'a>(&mut self, link: &'a [u8]) -> Step
    where
        F: FnMut(&'a [u8]) -> bool,
    {
        let Some(left) = self.left.checked_sub(1) else {
            self.over = true;
            return Step::Stop;
        };
        self.left = left;
        if (self.each)(link) { Step::Next } else { Step::NoCid }
    }

    fn run(
        mut self,
        cid: &Cid,
        scan: impl FnOnce(&mut Self) -> Result<(), Unexpected>,
    ) -> Result<(), Error> {
        let scanned = scan(&mut self);
        if self.over {
            return Err(Error::TooManyLinks { cid: *cid, max: self.max as u64 });
        }
        scanned.map_err(|Unexpected { offset, expected }| Error::Malformed {
            cid: *cid,
            offset: offset as u64,
            expected,
        })
    }
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
