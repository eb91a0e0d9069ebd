use carpool_core::{Cid, CidSet, Fingerprints};

/// What a source remembers of one sink from request to request (CAR Mirror §3.2.2): what it sent, as
/// hashes of 16 bytes in the mean.
///
/// A server keeps one for each sink that names itself and gives it to the
/// [`Source`](crate::Source::resume) of its next request. Losing it costs blocks that are sent
/// again, and never a block.
#[derive(Clone, Debug)]
pub struct Session {
    hasher: CidSet,
    sent: Fingerprints,
    max_blocks: usize,
}

impl Session {
    /// A session in which nothing was sent; of more than `max_blocks` blocks the rest is not
    /// remembered. `seed` is for hash tables, see [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(max_blocks: usize, seed: u64) -> Self {
        let (hasher, sent) = (CidSet::with_seed(seed), Fingerprints::default());
        Self { hasher, sent, max_blocks }
    }

    /// How many blocks are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Bytes that it takes beside itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sent.bytes()
    }

    /// Forgets what was sent: nobody knows what of it arrived.
    pub fn forget(&mut self) {
        self.sent = Fingerprints::default();
    }

    pub(crate) fn contains(&self, cid: &Cid) -> bool {
        !self.is_empty() && self.sent.contains(self.hasher.hash(cid))
    }

    pub(crate) fn add(&mut self, sent: &CidSet) {
        sent.for_each(|cid| {
            if self.sent.len() < self.max_blocks {
                self.sent.insert(self.hasher.hash_bytes(cid));
            }
        });
    }
}
