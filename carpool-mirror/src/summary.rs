use carpool_bloom::{
    Filter, Params,
    sketch::{Key, Sketch},
};
use carpool_core::{Cid, CidSet, may_link};

use crate::{
    narrowing::{interior_params, may_link_bytes, target_rate, with_bytes},
    sketch::Sketches,
};

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
    /// The filter of those keys that can have links, how many they are, and its room.
    interior: Filter,
    interior_len: usize,
    interior_capacity: usize,
    sketches: Sketches,
}

/// Filters are made for so many keys at least: those of a message are to fit in.
const FEWEST: usize = 32;
/// A message may add more than there is room for, by one part in so many: of its false positives
/// there are then ten times as many, still few.
const SQUEEZED: usize = 4;
/// Keys whose sketches are kept, each of which takes 256 KiB.
const MAX_KEYS: usize = 16;
/// Cells of one of them: some 12,000 differences. A filter is smaller than more of them.
const SKETCH_CELLS: usize = 1 << 14;

impl Summary {
    /// A summary of no blocks, which takes `max_blocks` in a filter of at most `max_filter_bytes`
    /// bytes. `seed` is for hash tables, see [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(max_blocks: usize, max_filter_bytes: usize, seed: u64) -> Self {
        let keys = CidSet::with_seed(seed);
        let (capacity, params) = roomy(FEWEST, max_blocks, max_filter_bytes);
        let interior = Filter::new(interior_params(FEWEST, max_filter_bytes));
        Self {
            keys,
            max_blocks,
            max_filter_bytes,
            filter: Filter::new(params),
            capacity,
            interior,
            interior_len: 0,
            interior_capacity: FEWEST,
            sketches: Sketches::new(MAX_KEYS, SKETCH_CELLS),
        }
    }

    /// Adds a block that is held with all that lies below it; `false` if it was there or there is no
    /// room for it.
    pub fn insert(&mut self, cid: &Cid) -> bool {
        if self.is_full() || !self.keys.insert(cid) {
            return false;
        }
        self.sketches.toggle(cid);
        if self.keys.len() > self.capacity {
            self.grow();
        } else {
            with_bytes(cid, |bytes| self.filter.insert(bytes));
        }
        if may_link(cid) {
            self.insert_interior(cid);
        }
        true
    }

    fn insert_interior(&mut self, cid: &Cid) {
        self.interior_len += 1;
        if self.interior_len <= self.interior_capacity {
            with_bytes(cid, |bytes| self.interior.insert(bytes));
            return;
        }
        self.interior_capacity = self.interior_len + self.interior_len / SQUEEZED;
        let params = interior_params(self.interior_capacity, self.max_filter_bytes);
        self.interior = Filter::new(params);
        let mut batch = self.interior.batch();
        self.keys.for_each(|cid| {
            if may_link_bytes(cid) {
                batch.insert(cid);
            }
        });
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
        let interior_room = self.interior_capacity - self.interior_len;
        (!self.is_empty()).then(|| Known {
            filter: self.filter.clone(),
            room,
            interior: self.interior.clone(),
            interior_room: interior_room + self.interior_capacity / SQUEEZED,
            sketch: None,
        })
    }

    /// As [`known`](Self::known), with a sketch of the same blocks under `key`. Under one of the last
    /// 16 keys it is kept up as blocks are added; under another it is made now.
    pub fn known_under(&mut self, key: &Key) -> Option<Known> {
        let known = self.known()?;
        let Self { sketches, keys, .. } = self;
        let sketch = sketches.under(key, |each| keys.for_each(|cid| each(cid)));
        Some(Known { sketch: Some(sketch.clone()), ..known })
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
    /// The same of blocks that can have links.
    interior: Filter,
    interior_room: usize,
    sketch: Option<Sketch>,
}

impl Known {
    pub(crate) fn bytes(&self) -> usize {
        self.filter.as_bytes().len()
    }

    /// The filter with these CIDs too, or `None` where there are too many of them.
    pub(crate) fn with(self, each: impl Fn(&mut dyn FnMut(&[u8]))) -> Option<Filter> {
        with(self.filter, self.room, each)
    }

    /// As [`with`](Self::with), of blocks that can have links.
    pub(crate) fn with_interior(self, each: impl Fn(&mut dyn FnMut(&[u8]))) -> Option<Filter> {
        with(self.interior, self.interior_room, each)
    }

    pub(crate) fn interior_bytes(&self) -> usize {
        self.interior.as_bytes().len()
    }

    /// The sketch under `key` with these CIDs too. One that the filter hits by chance is left out, and
    /// sent again.
    pub(crate) fn sketch_with(
        self,
        key: &Key,
        each: impl Fn(&mut dyn FnMut(&[u8])),
    ) -> Option<Sketch> {
        let mut sketch = self.sketch.filter(|sketch| sketch.key() == key)?;
        each(&mut |cid| {
            if !self.filter.contains(cid) {
                sketch.toggle(cid);
            }
        });
        Some(sketch)
    }
}

fn with(mut filter: Filter, room: usize, each: impl Fn(&mut dyn FnMut(&[u8]))) -> Option<Filter> {
    let mut new = 0;
    each(&mut |cid| new += usize::from(!filter.contains(cid)));
    if new > room {
        return None;
    }
    let mut batch = filter.batch();
    each(&mut |cid| batch.insert(cid));
    drop(batch);
    Some(filter)
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
    fn a_sketch_is_kept_up_under_the_last_keys() {
        let key = Key::new([1; 16]);
        let mut kept = summary(100, 1 << 17, 1 << 20);
        kept.known_under(&key).expect("blocks");
        (100..200).for_each(|n| {
            kept.insert(&cid(n));
            kept.insert(&cid(n / 2));
        });
        let fresh = summary(200, 1 << 17, 1 << 20).known_under(&key);
        assert_eq!(kept.known_under(&key), fresh);
        let sketch = fresh.and_then(|known| known.sketch_with(&key, |_| {})).expect("of this key");
        assert_eq!(sketch.cells().len(), SKETCH_CELLS);
        for n in 2..40 {
            kept.known_under(&Key::new([n; 16]));
        }
        assert_eq!(kept.sketches.keys(), MAX_KEYS);
    }

    #[test]
    fn a_sketch_takes_what_the_filter_does_not_have() {
        let key = Key::new([1; 16]);
        let known = summary(100, 1 << 17, 1 << 20).known_under(&key).expect("blocks");
        let each = |insert: &mut dyn FnMut(&[u8])| {
            (90..110).for_each(|n| insert(&cid(n).to_bytes()));
        };
        let both = known.clone().sketch_with(&key, each);
        let all = summary(110, 1 << 17, 1 << 20).known_under(&key).expect("blocks");
        assert_eq!(both, all.sketch_with(&key, |_| {}));
        assert_eq!(known.sketch_with(&Key::new([2; 16]), each), None);
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
