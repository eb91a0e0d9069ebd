use alloc::vec::Vec;
use carpool_core::{Block, Bytes, Cid, CidMap, Limits, may_link};
use core::ops::{AddAssign, SubAssign};

use super::{
    links::Links,
    pairs::{Link, links_of, pair},
    places::NodeId,
};
use crate::{
    Index, Scanner,
    limits::{MAX_WAITING, MAX_WAITING_BYTES},
};

/// A block with links on the way down to what is sent now.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) block: Block,
    /// Whether its record was written. Until then blocks below it wait for it.
    pub(super) sent: bool,
    /// Whether the peer had it before.
    pub(super) known: bool,
    links: Vec<Link>,
    by_cid: CidMap<usize>,
    pub(super) old: Option<Old>,
    /// Links that the old node has not.
    missing: usize,
    /// The numbers of the blocks below it that wait.
    pub(super) numbers: CidMap<u64>,
    /// What waits below it.
    pub(super) waits: Waits,
}

/// What waits for a parent that takes its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    pub(super) blocks: usize,
    pub(super) bytes: usize,
    /// Bytes that were written for it, before they were compressed: what a cut costs.
    pub(super) written: usize,
}

/// Bytes written for blocks that wait. Should the transfer be cut they go out again, at a third or so of
/// that.
const MAX_WRITTEN: usize = 512 << 10;

impl Waits {
    /// Whether one more block of `len` bytes may wait.
    pub(super) const fn has_room(&self, len: usize) -> bool {
        let fits = self.bytes + len <= MAX_WAITING_BYTES && self.blocks < MAX_WAITING;
        fits && self.written <= MAX_WRITTEN
    }
}

impl AddAssign for Waits {
    fn add_assign(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.written += other.written;
    }
}

impl SubAssign for Waits {
    fn sub_assign(&mut self, other: Self) {
        self.blocks -= other.blocks;
        self.bytes -= other.bytes;
        self.written -= other.written;
    }
}

/// The node that a block is held against.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) cid: Cid,
    pub(super) data: Bytes,
    pub(super) links: Links,
    /// The old nodes above it, where they are not those of the nodes above.
    pub(super) path: Vec<(Cid, Links)>,
    /// Once it was opened.
    pub(super) id: Option<NodeId>,
    pub(super) window: Option<Window>,
}

/// Some of the blocks that an old node links to, indexed.
#[derive(Debug)]
pub(super) struct Window {
    /// The link of the first.
    pub(super) first: usize,
    pub(super) index: Index,
    pub(super) scanner: Scanner,
    pub(super) taste: Taste,
}

/// Whether a prefix was better than copies, and for how many blocks that is believed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taste {
    pub(super) prefix: bool,
    pub(super) believed: u32,
    /// How many trials in a row said no.
    pub(super) failed: u32,
}

impl Old {
    pub(super) fn new(cid: Cid, data: Bytes, limits: &Limits) -> Self {
        let links = Links::of(&cid, &data, limits);
        Self { cid, data, links, path: Vec::new(), id: None, window: None }
    }
}

impl Window {
    pub(super) fn covers(&self, link: usize) -> bool {
        (self.first..self.first + self.index.bases().len()).contains(&link)
    }

    /// Bytes of its blocks and of its table.
    pub(super) fn memory(&self) -> usize {
        self.index.table_bytes() + self.index.bases().iter().map(Bytes::len).sum::<usize>()
    }
}

impl Held {
    pub(super) fn new(block: Block, old: Option<Old>, limits: &Limits, seed: u64) -> Self {
        let mut links = links_of(block.cid(), block.data(), limits);
        let mut by_cid = CidMap::with_seed(seed);
        for (n, link) in links.iter().enumerate() {
            by_cid.insert_absent(&link.cid, || n);
        }
        let (numbers, waits) = (CidMap::with_seed(seed), Waits::default());
        let missing = old.as_ref().map_or(0, |old| {
            let olds = links_of(&old.cid, &old.data, limits);
            pair(&mut links, &by_cid, &olds, seed)
        });
        let (sent, known) = (false, false);
        Self { block, sent, known, links, by_cid, old, missing, numbers, waits }
    }

    pub(super) fn links_to(&self, cid: &Cid) -> bool {
        self.by_cid.contains(cid)
    }

    /// What the old node has at the place of a link; nothing where the caller names what lies elsewhere.
    pub(super) fn pair_of(&self, cid: &Cid, hint: Option<&Cid>) -> Option<usize> {
        let old = self.old.as_ref()?;
        if let Some(hint) = hint {
            return old.links.iter().position(|link| link == *hint);
        }
        let pair = self.by_cid.get(cid).and_then(|n| self.links[*n].pair.link());
        pair.or_else(|| old.links.len().checked_sub(1))
    }

    /// Whether the hash of a block below it can be taken.
    pub(super) fn can_take(&self, cid: &Cid) -> bool {
        let link = self.by_cid.get(cid).and_then(|n| self.links.get(*n));
        !self.sent && link.is_some_and(|link| link.digest.is_some())
    }

    /// Where hashes are taken, and of which waiting blocks.
    pub(super) fn takes(&self) -> impl Iterator<Item = (usize, u64)> {
        self.links.iter().filter_map(|link| Some((link.digest?, *self.numbers.get(&link.cid)?)))
    }

    /// Which old links to index for a block of `len` bytes that stands at the place of one: more where
    /// more is missing, and of at most `max_bytes` as far as that block tells.
    pub(super) fn range(&self, link: usize, len: usize, max_bytes: usize) -> (usize, usize) {
        let most = (max_bytes / len.max(1)).clamp(4, crate::limits::MAX_BASES);
        let radius = 2 * self.missing + 1;
        let first = link.saturating_sub(radius.min(most / 4));
        let links = self.old.as_ref().map_or(0, |old| old.links.len());
        (first, links.min(link + radius.min(most - most / 4 - 1) + 1))
    }

    /// The leaves among old links.
    pub(super) fn leaves(&self, first: usize, end: usize) -> Vec<Option<Cid>> {
        let Some(old) = &self.old else { return Vec::new() };
        let leaf = |n| old.links.get(n).filter(|cid| !may_link(cid) && !is_identity(cid));
        (first..end).map(leaf).collect()
    }
}

fn is_identity(cid: &Cid) -> bool {
    carpool_core::identity_data(cid).is_some()
}
