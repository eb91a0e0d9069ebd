use carpool_bloom::{Filter, Params};
use carpool_core::{Cid, CidSet};

use crate::narrowing::{target_rate, with_bytes};

/// Blocks that are held **with all that lies below them**, of whatever DAGs, and the filter of them.
///
/// Whoever has a store keeps one from message to message, so that a message costs a copy of the
/// filter and not a walk of the store; see [`SinkOutput::Summary`](crate::SinkOutput::Summary).
#[derive(Debug)]
pub struct Summary {
    keys: CidSet,
    max_blocks: usize,
    max_filter_bytes: usize,
    filter: Filter,
    /// Keys that the filter has room for.
    capacity: usize,
}

/// Filters are made for so many keys at least: those of a message are to fit in.
const FEWEST: usize = 32;
/// A message may add more than there is room for, by one part in so many: of its false positives
/// there are then ten times as many, still few.
const SQUEEZED: usize = 4;

impl Summary {
    /// A summary of no blocks, which takes `max_blocks` in a filter of at most `max_filter_bytes`
    /// bytes. `seed` is for hash tables, see [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(max_blocks: usize, max_filter_bytes: usize, seed: u64) -> Self {
        let keys = CidSet::with_seed(seed);
        let (capacity, params) = roomy(FEWEST, max_blocks, max_filter_bytes);
        Self { keys, max_blocks, max_filter_bytes, filter: Filter::new(params), capacity }
    }

    /// Adds a block that is held with all that lies below it; `false` if it was there or there is no
    /// room for it.
    pub fn insert(&mut self, cid: &Cid) -> bool {
        if self.is_full() || !self.keys.insert(cid) {
            return false;
        }
        if self.keys.len() > self.capacity {
            self.grow();
        } else {
            with_bytes(cid, |bytes| self.filter.insert(bytes));
        }
        true
    }

    fn grow(&mut self) {
        let (capacity, params) = roomy(self.keys.len(), self.max_blocks, self.max_filter_bytes);
        (self.capacity, self.filter) = (capacity, Filter::new(params));
        let mut batch = self.filter.batch();
        self.keys.for_each(|cid| batch.insert(cid));
    }

    /// Whether `cid` was added.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.keys.contains(cid)
    }

    /// How many blocks were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no block was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there is no room for another block.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.keys.len() >= self.max_blocks
    }

    /// The filter as it is now, for a message; `None` without blocks.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let room = self.capacity + self.capacity / SQUEEZED - self.keys.len();
        (!self.is_empty()).then(|| Known { filter: self.filter.clone(), room })
    }
}

/// The parameters of the filter for `n` keys, and for how many they serve: sizes are powers of two.
fn roomy(n: usize, max_blocks: usize, max_bytes: usize) -> (usize, Params) {
    let fitting = |n: usize| Params::fitting(n as u64, target_rate(n), max_bytes);
    let bytes = fitting(n).bytes();
    let (mut fits, mut beyond) = (n, max_blocks.max(n) + 1);
    while beyond - fits > 1 {
        let middle = fits.midpoint(beyond);
        if fitting(middle).bytes() == bytes {
            fits = middle;
        } else {
            beyond = middle;
        }
    }
    (fits, fitting(fits))
}

/// A [`Summary`] as it travels, and how many more blocks its filter has room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    filter: Filter,
    room: usize,
}

impl Known {
    pub(crate) fn bytes(&self) -> usize {
        self.filter.as_bytes().len()
    }

    /// The filter with these CIDs too, or `None` where there are too many of them.
    pub(crate) fn with(mut self, each: impl Fn(&mut dyn FnMut(&[u8]))) -> Option<Filter> {
        let mut new = 0;
        each(&mut |cid| new += usize::from(!self.filter.contains(cid)));
        if new > self.room {
            return None;
        }
        let mut batch = self.filter.batch();
        each(&mut |cid| batch.insert(cid));
        drop(batch);
        Some(self.filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, Limits, codec};

    fn cid(n: u32) -> Cid {
        *Block::new(codec::RAW, n.to_be_bytes().to_vec().into()).cid()
    }

    fn summary(blocks: u32, max_blocks: usize, max_bytes: usize) -> Summary {
        let mut summary = Summary::new(max_blocks, max_bytes, 0);
        (0..blocks).for_each(|n| {
            summary.insert(&cid(n));
        });
        summary
    }

    #[test]
    fn its_filter_is_as_large_as_that_of_the_same_blocks() {
        for blocks in [35, 36, 100, 273, 460, 1_000, 10_000] {
            let known = summary(blocks, 1 << 17, 1 << 20).known().expect("blocks");
            let alone = crate::filter_of(blocks as usize, &Limits::default(), |_| {});
            assert_eq!(known.filter.bits(), alone.expect("blocks").bits(), "{blocks}");
            assert!((0..blocks).all(|n| known.filter.contains(&cid(n).to_bytes())), "{blocks}");
        }
    }

    #[test]
    fn blocks_at_the_limit_and_past_it() {
        let mut summary = summary(39, 40, 64);
        assert!(!summary.is_full() && summary.insert(&cid(39)) && summary.is_full());
        assert!(!summary.insert(&cid(40)) && !summary.contains(&cid(40)) && summary.len() == 40);
    }

    #[test]
    fn bytes_of_its_filter_at_the_limit() {
        let known = summary(1_000, 1_000, 1_023).known().expect("blocks");
        assert_eq!(known.filter.bits(), 512 * 8);
    }

    #[test]
    fn others_are_added_while_there_is_room() {
        let known = summary(100, 1 << 17, 1 << 20).known().expect("blocks");
        let others = |n: u32| {
            move |insert: &mut dyn FnMut(&[u8])| {
                (0..n).for_each(|n| insert(&cid(200 + n).to_bytes()));
            }
        };
        let room = u32::try_from(known.room).expect("few");
        assert!(room > 0);
        let filter = known.clone().with(others(room)).expect("there is room");
        assert!((200..200 + room).all(|n| filter.contains(&cid(n).to_bytes())));
        assert!((0..100).all(|n| filter.contains(&cid(n).to_bytes())));
        assert!(known.clone().with(others(room + 5)).is_none());
        let held =
            |insert: &mut dyn FnMut(&[u8])| (0..100).for_each(|n| insert(&cid(n).to_bytes()));
        assert_eq!(known.clone().with(held), Some(known.filter));
    }
}
