use alloc::{vec, vec::Vec};
use carpool_core::{Bytes, Cid, Limits, for_each_link};
use core::ops::Range;

use crate::{
    MAX_TRAIL_LINKS, Trail, bitmap,
    extension::{CHECK_BYTES, LinkBits},
    reading::Reading,
    wants::Wants,
};

/// A bitmap in the making: which links of the blocks that came, or of some that are held, are wanted.
/// Neither are kept, so they are looked at once more.
#[derive(Debug)]
pub(crate) struct Composition {
    check: [u8; CHECK_BYTES],
    reading: Reading,
    bits: Vec<bool>,
    /// The blocks whose links these are, where the source would not know it.
    parents: Vec<Cid>,
    /// Whether a bitmap can speak of them.
    failed: bool,
    /// The round that will ask.
    round: u32,
    wanted: u64,
}

/// What a message asks for by its bitmap.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) links: LinkBits,
    pub(crate) parents: Vec<Cid>,
    /// How many links are wanted.
    pub(crate) wanted: u64,
}

impl Composition {
    /// `None` for a round of which a bitmap cannot speak.
    pub(crate) fn new(trail: Trail, round: u32) -> Option<Self> {
        let (check, bits) = (trail.check()?, vec![false; trail.links()]);
        let (parents, failed, wanted) = (Vec::new(), false, 0);
        let reading = Reading::new(trail);
        Some(Self { check, reading, bits, parents, failed, round, wanted })
    }

    /// A bitmap over the links of blocks that are held and are named beside it; `None` without any.
    pub(crate) fn over(parents: Vec<Cid>, round: u32) -> Option<Self> {
        let unread = Trail::unread(parents.iter().copied());
        let check = unread.check()?;
        let (bits, failed, wanted) = (Vec::new(), false, 0);
        let reading = Reading::new(unread);
        Some(Self { check, reading, bits, parents, failed, round, wanted })
    }

    pub(crate) fn answer(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Option<Bytes>> {
        self.reading.answer(cid, data)
    }

    /// The next block to look up; `None` where answers are awaited and at the end.
    pub(crate) fn poll(&mut self, wants: &mut Wants, limits: &Limits) -> Option<Cid> {
        while let Some(again) = self.reading.next() {
            // A block that was not stored has no links that could be wanted.
            let data = again.data.unwrap_or_default();
            let links = if self.parents.is_empty() {
                again.links
            } else {
                self.make_room(&again.cid, &data, limits)
            };
            self.look_at(&again.cid, &data, links, wants, limits);
        }
        self.reading.poll(|links| !links.is_empty() || !self.parents.is_empty())
    }

    /// The numbers of a parent's links. One that went, or that makes them too many, is named in vain.
    fn make_room(&mut self, cid: &Cid, data: &[u8], limits: &Limits) -> Range<usize> {
        let (begin, mut end) = (self.bits.len(), self.bits.len());
        let _ = for_each_link(cid, data, limits, |_| end += 1);
        self.failed |= begin == end || end > MAX_TRAIL_LINKS;
        if self.failed {
            return 0..0;
        }
        self.bits.resize(end, false);
        begin..end
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

    /// The bitmap, where it asks for any link; else nothing that was told counts.
    pub(crate) fn finish(self, wants: &mut Wants) -> Option<Composed> {
        let speaks = self.wanted > 0 && !self.failed;
        let bits = bitmap::encode(self.bits).ok().filter(|_| speaks);
        let Some(bits) = bits else {
            wants.untell(self.round);
            return None;
        };
        let links = LinkBits { check: self.check, bits };
        Some(Composed { links, parents: self.parents, wanted: self.wanted })
    }
}
