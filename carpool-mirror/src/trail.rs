use alloc::vec::Vec;
use carpool_core::{Cid, Limits, cid_prefix, for_each_link, may_link, sha2_256};

use crate::extension::CHECK_BYTES;

/// The most links of the blocks of a [`Trail`]: of a round that sends more there is none.
pub const MAX_TRAIL_LINKS: usize = 1 << 20;

/// The blocks with links that a round sent, in the order of sending, and how many links each has: a
/// bitmap of the sink's speaks of these links. Some 40 bytes a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Binary CIDs, one behind another.
    cids: Vec<u8>,
    links: Vec<u32>,
    all_links: usize,
    exceeded: bool,
}

impl Trail {
    /// Blocks of which nothing but their CIDs is known.
    pub(crate) fn unread(cids: impl Iterator<Item = Cid>) -> Self {
        let mut trail = Self::default();
        for cid in cids {
            trail.links.push(0);
            trail.cids.extend_from_slice(&cid.to_bytes());
        }
        trail
    }

    /// Adds a block that was sent; one that cannot have links is left out.
    pub fn push(&mut self, cid: &Cid, data: &[u8], limits: &Limits) {
        if !may_link(cid) || self.exceeded {
            return;
        }
        let mut links = 0;
        // What does not parse has the links in front of the fault, on both sides.
        let _ = for_each_link(cid, data, limits, |_| links += 1);
        self.all_links += links;
        if self.all_links.max(self.links.len() + 1) > MAX_TRAIL_LINKS {
            *self = Self { exceeded: true, ..Self::default() };
            return;
        }
        self.links.push(u32::try_from(links).expect("no more than there may be"));
        self.cids.extend_from_slice(&cid.to_bytes());
    }

    /// What tells it from every other: the first bytes of the SHA2-256 of its CIDs, one behind
    /// another. `None` where there is nothing to speak of, or too much.
    #[must_use]
    pub fn check(&self) -> Option<[u8; CHECK_BYTES]> {
        if self.links.is_empty() {
            return None;
        }
        sha2_256(&self.cids).first_chunk().copied()
    }

    /// How many links its blocks have.
    #[must_use]
    pub const fn links(&self) -> usize {
        self.all_links
    }

    /// Bytes that it takes in memory, nearly.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.cids.len() + self.links.len() * 4
    }

    /// The block of this number, which begins at `place`: its CID, its links, and the next one's place.
    pub(crate) fn block(&self, nth: usize, place: usize) -> Option<(Cid, usize, usize)> {
        let links = *self.links.get(nth)?;
        let (cid, n) = cid_prefix(&self.cids[place..]).expect("a CID was written there");
        Some((cid, links as usize, place + n))
    }

    /// The blocks in their order, each with the number of its links.
    pub fn iter(&self) -> impl Iterator<Item = (Cid, usize)> {
        let mut place = 0;
        (0..self.links.len()).map_while(move |nth| {
            let (cid, links, next) = self.block(nth, place)?;
            place = next;
            Some((cid, links))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use carpool_core::{Block, cbor, codec};

    fn node(links: usize) -> Block {
        let leaf = Block::new(codec::RAW, vec![1].into());
        let mut data = vec![];
        cbor::write_head(&mut data, cbor::ARRAY, links as u64);
        (0..links).for_each(|_| cbor::write_link(&mut data, leaf.cid()));
        Block::new(codec::DAG_CBOR, data.into())
    }

    fn trail(blocks: &[Block]) -> Trail {
        let mut trail = Trail::default();
        blocks.iter().for_each(|b| trail.push(b.cid(), b.data(), &Limits::default()));
        trail
    }

    #[test]
    fn blocks_with_links_are_kept_in_their_order() {
        let leaf = Block::new(codec::RAW, vec![1].into());
        let (two, none) = (node(2), node(0));
        let all = trail(&[two.clone(), leaf.clone(), none.clone()]);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(*two.cid(), 2), (*none.cid(), 0)]);
        assert_eq!(all.links(), 2);
        assert_ne!(all.check(), trail(&[none, two]).check());
        assert_eq!(trail(&[leaf]).check(), None);
    }

    #[test]
    fn links_at_the_limit_and_past_it() {
        let large = node(1 << 15);
        let mut most = trail(&vec![large; 32]);
        assert_eq!((most.links(), most.check().is_some()), (MAX_TRAIL_LINKS, true));
        let one = node(1);
        most.push(one.cid(), one.data(), &Limits::default());
        assert_eq!((most.links(), most.check(), most.bytes()), (0, None, 0));
        most.push(one.cid(), one.data(), &Limits::default());
        assert_eq!(most.check(), None, "and it stays so");
    }
}
