use alloc::vec::Vec;
use carpool_bloom::Filter;
use carpool_core::{Bytes, Cid, CidSet, Limits, for_each_link};

use crate::{
    Error, Trail, bitmap,
    extension::{CHECK_BYTES, LinkBits},
    reading::Reading,
};

/// What a source answered a request with, as far as the next one's bitmap may speak of it: the blocks
/// with links, and the filter that was in force.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    pub(crate) trail: Trail,
    pub(crate) filter: Option<Filter>,
}

impl Answered {
    /// As [`Trail::check`]: `None` where no bitmap can speak of it.
    #[must_use]
    pub fn check(&self) -> Option<[u8; CHECK_BYTES]> {
        self.trail.check()
    }

    /// Bytes that it takes in memory, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.trail.bytes() + self.filter.as_ref().map_or(0, |filter| filter.as_bytes().len())
    }
}

/// What a bitmap names. The blocks whose links those are were sent and not kept, so they are read
/// again, and only those with a bit that is set.
#[derive(Debug)]
pub(crate) struct Naming {
    reading: Reading,
    bits: Vec<bool>,
    /// Named, and not met by the walk.
    ahead: CidSet,
}

impl Naming {
    /// # Errors
    /// [`Error::UnknownTrail`] where the bitmap is none over this trail.
    pub(crate) fn new(trail: Trail, links: &LinkBits, seed: u64) -> Result<Self, Error> {
        if trail.check() != Some(links.check) {
            return Err(Error::UnknownTrail);
        }
        let bits = bitmap::decode(&links.bits, trail.links()).map_err(|_| Error::UnknownTrail)?;
        Ok(Self { reading: Reading::new(trail), bits, ahead: CidSet::with_seed(seed) })
    }

    /// The next block to look up; `None` where answers are awaited and at the end.
    pub(crate) fn poll(&mut self) -> Option<Cid> {
        self.reading.poll(|links| self.bits[links].contains(&true))
    }

    pub(crate) fn answer(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Option<Bytes>> {
        self.reading.answer(cid, data)
    }

    /// Gives what is named of the next block that was read; `false` where none was.
    pub(crate) fn next(&mut self, limits: &Limits, mut each: impl FnMut(Cid)) -> bool {
        let Some(again) = self.reading.next() else { return false };
        let (data, mut links) = (again.data.unwrap_or_default(), again.links);
        let _ = for_each_link(&again.cid, &data, limits, |link| {
            if links.next().is_some_and(|at| self.bits[at]) {
                self.ahead.insert(&link);
                each(link);
            }
        });
        true
    }

    /// Whether `cid` is named and was not met before.
    pub(crate) fn meet(&mut self, cid: &Cid) -> bool {
        self.ahead.remove(cid)
    }

    /// Whether all was read.
    pub(crate) fn is_done(&self) -> bool {
        self.reading.is_done()
    }
}
