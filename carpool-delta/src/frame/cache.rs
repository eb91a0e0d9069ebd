use alloc::collections::VecDeque;
use carpool_core::{Bytes, Cid, CidMap};

use crate::limits::MAX_REFERRED_BYTES;

/// Old blocks that were loaded, and which of them are not there. Those loaded first go first.
#[derive(Debug)]
pub(super) struct Cache {
    blocks: CidMap<Option<Bytes>>,
    order: VecDeque<Cid>,
    bytes: usize,
}

/// How many answers are kept, whatever they hold.
const MAX_ANSWERS: usize = 8_192;

impl Cache {
    pub(super) fn new(seed: u64) -> Self {
        Self { blocks: CidMap::with_seed(seed), order: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn insert(&mut self, cid: Cid, data: Option<Bytes>) {
        self.bytes += data.as_ref().map_or(0, Bytes::len);
        if let Some(before) = self.blocks.insert(&cid, data) {
            self.bytes -= before.map_or(0, |before| before.len());
        } else {
            self.order.push_back(cid);
        }
    }

    /// What is known of a block: nothing, that it is not there, or its bytes.
    pub(super) fn get(&self, cid: &Cid) -> Option<Option<&Bytes>> {
        self.blocks.get(cid).map(Option::as_ref)
    }

    /// Drops what is beyond its limits. Not while a block waits for what was loaded.
    pub(super) fn trim(&mut self) {
        while self.bytes > MAX_REFERRED_BYTES || self.order.len() > MAX_ANSWERS {
            let Some(first) = self.order.pop_front() else { return };
            self.bytes -= self.blocks.remove(&first).flatten().map_or(0, |data| data.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, codec};

    #[test]
    fn the_first_go_first_once_there_are_too_many_bytes() {
        let mut cache = Cache::new(0);
        let data = Bytes::from(alloc::vec![0; MAX_REFERRED_BYTES / 2]);
        let cids: alloc::vec::Vec<Cid> =
            ["a", "b", "c"].map(|data| *Block::new(codec::RAW, data.into()).cid()).into();
        for (n, left) in [(0, true), (1, true), (2, false)] {
            cache.insert(cids[n], Some(data.clone()));
            cache.trim();
            assert_eq!(cache.get(&cids[0]).is_some(), left, "{n}");
        }
        cache.insert(cids[1], None);
        assert_eq!(cache.get(&cids[1]), Some(None));
    }
}
