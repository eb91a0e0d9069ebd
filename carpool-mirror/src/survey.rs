use carpool_core::{Bytes, Cid, CidList, Limits, may_link};

use crate::{Error, Trail, reading::Reading};

/// The most bytes of blocks that a [`Survey`] reads.
pub const MAX_SURVEYED_BYTES: u64 = 64 << 20;

/// Reads the blocks that a sink names to speak of their links ([`Asked::parents`]): afterwards its
/// bitmap can be read, as over a round's [`Trail`].
///
/// [`Asked::parents`]: crate::extension::Asked::parents
#[derive(Debug)]
pub struct Survey {
    limits: Limits,
    reading: Reading,
    trail: Trail,
    bytes: u64,
    failed: bool,
}

impl Survey {
    /// A survey of these blocks, in their order.
    #[must_use]
    pub fn new(parents: &CidList, limits: &Limits) -> Self {
        let failed = parents.is_empty() || parents.iter().any(|cid| !may_link(&cid));
        let reading = Reading::new(Trail::unread(parents.iter()));
        Self { limits: limits.clone(), reading, trail: Trail::default(), bytes: 0, failed }
    }

    /// The next block to look up; `None` while answers are awaited, at the end, and where there is no
    /// use in going on. Call again after every [`handle_load`](Self::handle_load).
    pub fn poll(&mut self) -> Option<Cid> {
        while let Some(again) = self.reading.next() {
            self.take(&again.cid, again.data);
        }
        if self.failed { None } else { self.reading.poll(|_| true) }
    }

    /// Answers a look-up: the block's bytes, verified before, or `None`.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        let _ = self.reading.answer(cid, data);
    }

    fn take(&mut self, cid: &Cid, data: Option<Bytes>) {
        let data = data.unwrap_or_default();
        let before = self.trail.links();
        self.bytes += data.len() as u64;
        if self.bytes <= MAX_SURVEYED_BYTES {
            self.trail.push(cid, &data, &self.limits);
        }
        // Nobody speaks of the links of a block that has none: one that is not here, or a large one
        // that is named to be read.
        self.failed |= self.trail.links() <= before;
    }

    /// What the bitmap is over.
    ///
    /// # Errors
    /// [`Error::UnknownTrail`] where a block is not here or has no links, where they have more than a
    /// [`MAX_TRAIL_LINKS`](crate::MAX_TRAIL_LINKS) together, or [`MAX_SURVEYED_BYTES`], and before
    /// all was read.
    pub fn finish(self) -> Result<Trail, Error> {
        let whole = !self.failed && self.reading.is_done();
        Some(self.trail).filter(|_| whole).ok_or(Error::UnknownTrail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use carpool_core::{Block, cbor, codec};

    /// An array of links to nothing in particular, and of bytes that make it `bytes` long or longer.
    fn node(links: usize, bytes: usize, name: u64) -> Block {
        let leaf = Block::new(codec::RAW, vec![1].into());
        let mut data = vec![];
        cbor::write_head(&mut data, cbor::ARRAY, links as u64 + 2);
        (0..links).for_each(|_| cbor::write_link(&mut data, leaf.cid()));
        cbor::write_head(&mut data, cbor::UNSIGNED, name);
        let rest = bytes.saturating_sub(data.len() + 5);
        cbor::write_head(&mut data, cbor::BYTES, rest as u64);
        data.resize(data.len() + rest, 0);
        Block::new(codec::DAG_CBOR, data.into())
    }

    fn surveyed(named: &[Block], here: &[Block]) -> Result<Trail, Error> {
        let mut parents = CidList::with_seed(0);
        named.iter().for_each(|block| {
            parents.push(block.cid());
        });
        let mut survey = Survey::new(&parents, &Limits::default());
        let mut asked: Vec<Cid> = Vec::new();
        loop {
            while let Some(cid) = survey.poll() {
                asked.push(cid);
            }
            let Some(cid) = asked.pop() else { return survey.finish() };
            let data = here.iter().find(|block| *block.cid() == cid).map(|block| block.data());
            survey.handle_load(&cid, data.cloned());
        }
    }

    #[test]
    fn it_is_the_trail_of_these_blocks() {
        let blocks: Vec<Block> = (1..100).map(|n| node(n, 0, 0)).collect();
        let mut trail = Trail::default();
        blocks.iter().for_each(|b| trail.push(b.cid(), b.data(), &Limits::default()));
        assert_eq!(surveyed(&blocks, &blocks), Ok(trail));
    }

    #[test]
    fn what_is_not_here_or_has_no_links_fails() {
        let (one, none) = (node(1, 0, 0), node(0, 0, 0));
        let leaf = Block::new(codec::RAW, vec![1].into());
        let here = [one.clone(), none.clone(), leaf.clone()];
        for named in [vec![], vec![node(2, 0, 0)], vec![one.clone(), none], vec![one, leaf]] {
            assert_eq!(surveyed(&named, &here), Err(Error::UnknownTrail));
        }
    }

    #[test]
    fn bytes_at_the_limit_and_past_it() {
        let each = usize::try_from(MAX_SURVEYED_BYTES / 32).expect("2 MiB");
        let mut blocks: Vec<Block> = (0..32).map(|n| node(1, each, n)).collect();
        let bytes: usize = blocks.iter().map(|block| block.data().len()).sum();
        assert_eq!(bytes as u64, MAX_SURVEYED_BYTES);
        assert!(surveyed(&blocks, &blocks).is_ok());
        blocks.push(node(1, 0, 32));
        assert_eq!(surveyed(&blocks, &blocks), Err(Error::UnknownTrail));
    }

    #[test]
    fn links_at_the_limit_and_past_it() {
        let mut blocks: Vec<Block> = (0..32).map(|n| node(1 << 15, 0, n)).collect();
        assert_eq!(surveyed(&blocks, &blocks).map(|trail| trail.links()), Ok(1 << 20));
        blocks.push(node(1, 0, 32));
        assert_eq!(surveyed(&blocks, &blocks), Err(Error::UnknownTrail));
    }
}
