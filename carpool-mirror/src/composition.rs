use alloc::{vec, vec::Vec};
use carpool_core::{Bytes, Cid, Limits, for_each_link};
use core::ops::Range;

use crate::{
    Trail, bitmap,
    extension::{CHECK_BYTES, LinkBits},
    reading::Reading,
    wants::Wants,
};

/// A bitmap in the making: which links of the blocks that came are wanted. What came is not kept, so
/// it is looked at once more.
#[derive(Debug)]
pub(crate) struct Composition {
    check: [u8; CHECK_BYTES],
    reading: Reading,
    bits: Vec<bool>,
    /// The round that will ask.
    round: u32,
    wanted: u64,
}

impl Composition {
    /// `None` for a round of which a bitmap cannot speak.
    pub(crate) fn new(trail: Trail, round: u32) -> Option<Self> {
        let (check, bits) = (trail.check()?, vec![false; trail.links()]);
        Some(Self { check, reading: Reading::new(trail), bits, round, wanted: 0 })
    }

    pub(crate) fn answer(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Option<Bytes>> {
        self.reading.answer(cid, data)
    }

    /// The next block to look up; `None` where answers are awaited and at the end.
    pub(crate) fn poll(&mut self, wants: &mut Wants, limits: &Limits) -> Option<Cid> {
        while let Some(again) = self.reading.next() {
            // A block that was not stored has no links that could be wanted.
            let data = again.data.unwrap_or_default();
            self.look_at(&again.cid, &data, again.links, wants, limits);
        }
        self.reading.poll(|links| !links.is_empty())
    }

    fn look_at(
        &mut self,
        cid: &Cid,
        data: &[u8],
        mut links: Range<usize>,
        wants: &mut Wants,
        limits: &Limits,
    ) {
        let _ = for_each_link(cid, data, limits, |link| {
            if let (Some(at), true) = (links.next(), wants.tell(&link, self.round)) {
                self.bits[at] = true;
                self.wanted += 1;
            }
        });
    }

    pub(crate) fn is_done(&self) -> bool {
        self.reading.is_done()
    }

    /// The bitmap, and how many links it asks for; `None` where it asks for none.
    pub(crate) fn finish(self) -> Option<(LinkBits, u64)> {
        let bits = bitmap::encode(self.bits).ok().filter(|_| self.wanted > 0)?;
        Some((LinkBits { check: self.check, bits }, self.wanted))
    }
}
