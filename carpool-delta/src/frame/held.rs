use alloc::vec::Vec;
use carpool_core::{Block, Bytes, Cid, CidMap, Limits, for_each_link_bytes, may_link};

use super::{links::Links, places::NodeId, record::Form};
use crate::{Index, Scanner};

/// A block with links on the way down to what is sent now.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) block: Block,
    /// Whether its record was written. Until then blocks below it wait for it.
    pub(super) sent: bool,
    links: Vec<Link>,
    by_cid: CidMap<usize>,
    pub(super) old: Option<Old>,
    /// Links that the old node has not.
    missing: usize,
    /// The numbers of the blocks below it that wait.
    pub(super) waits: CidMap<u64>,
    /// What waits below it: bytes, and blocks.
    pub(super) waiting: (usize, usize),
}

#[derive(Debug)]
struct Link {
    cid: Cid,
    /// Where its digest begins; none where it cannot be taken.
    digest: Option<usize>,
    /// The old link at its place.
    pair: Option<usize>,
}

/// The node that a block is held against.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) cid: Cid,
    pub(super) data: Bytes,
    pub(super) links: Links,
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
        Self { cid, data, links, id: None, window: None }
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
        let links = links(&block, limits);
        let mut by_cid = CidMap::with_seed(seed);
        for (n, link) in links.iter().enumerate() {
            by_cid.insert_absent(&link.cid, || n);
        }
        let (waits, sent) = (CidMap::with_seed(seed), false);
        let waiting = (0, 0);
        let mut held = Self { block, sent, links, by_cid, old, missing: 0, waits, waiting };
        held.pair(seed);
        held
    }

    /// Pairs each link that the old node has not with the old link that stands between the same
    /// neighbours.
    fn pair(&mut self, seed: u64) {
        let Self { links, by_cid, old: Some(old), missing, .. } = self else { return };
        let mut at = CidMap::with_seed(seed);
        for (n, cid) in old.links.iter().enumerate() {
            at.insert_absent(&cid, || n);
        }
        let mut next = 0;
        for link in links {
            if let Some(same) = at.get(&link.cid) {
                link.pair = Some(*same);
                next = same + 1;
                continue;
            }
            *missing += 1;
            while old.links.get(next).is_some_and(|cid| by_cid.contains(&cid)) {
                next += 1;
            }
            link.pair = (next < old.links.len()).then_some(next);
            next += 1;
        }
    }

    pub(super) fn links_to(&self, cid: &Cid) -> bool {
        self.by_cid.contains(cid)
    }

    /// What the old node has at the place of a link.
    pub(super) fn pair_of(&self, cid: &Cid, hint: Option<&Cid>) -> Option<usize> {
        let old = self.old.as_ref()?;
        let hinted = hint.and_then(|hint| old.links.iter().position(|link| link == *hint));
        hinted
            .or_else(|| self.links[*self.by_cid.get(cid)?].pair)
            .or_else(|| old.links.len().checked_sub(1))
    }

    /// Whether the hash of a block below it can be taken.
    pub(super) fn can_take(&self, cid: &Cid) -> bool {
        let link = self.by_cid.get(cid).and_then(|n| self.links.get(*n));
        !self.sent && link.is_some_and(|link| link.digest.is_some())
    }

    /// Where hashes are taken, and of which waiting blocks.
    pub(super) fn takes(&self) -> impl Iterator<Item = (usize, u64)> {
        self.links.iter().filter_map(|link| Some((link.digest?, *self.waits.get(&link.cid)?)))
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

/// The links of a block and where their digests lie; none where the strict scanner finds a fault.
fn links(block: &Block, limits: &Limits) -> Vec<Link> {
    let (data, mut links) = (block.data(), Vec::new());
    let each = |bytes: &[u8]| {
        let Ok(cid) = carpool_core::cid_exact(bytes) else { return };
        let end = bytes.as_ptr().addr() + bytes.len() - data.as_ptr().addr();
        let digest = Form::of(&cid).map(|_| end - 32);
        links.push(Link { cid, digest, pair: None });
    };
    if for_each_link_bytes(block.cid(), data, limits, each).is_err() {
        links.clear();
    }
    links
}
