use carpool_delta::Counts;
pub use carpool_delta::Tally;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counters of a transfer that goes on, to be looked at from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    pub(crate) requests: AtomicU64,
    pub(crate) rounds: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) blocks_sent: AtomicU64,
    pub(crate) blocks_received: AtomicU64,
    pub(crate) block_bytes: AtomicU64,
    pub(crate) duplicate: AtomicU64,
    pub(crate) missing: AtomicU64,
    /// Blocks in delta bodies, by encoding.
    pub(crate) encoded: [Encoded; 4],
    /// Writes that went nowhere, because the peer had closed its end.
    pub(crate) lost_writes: AtomicU64,
    /// The least time that a connection took to come up, in microseconds; 0 is unknown.
    pub(crate) connected: AtomicU64,
    /// What this is a part of, and counts for as well.
    whole: Option<Arc<Self>>,
}

/// What a [`Progress`] has counted up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// HTTP requests of every kind.
    pub requests: u64,
    /// CAR Mirror requests, each with its answer.
    pub rounds: u64,
    /// TCP payload sent, in bytes; of a server, bytes of bodies.
    pub bytes_sent: u64,
    /// TCP payload received, in bytes; of a server, bytes of bodies.
    pub bytes_received: u64,
    /// Blocks sent.
    pub blocks_sent: u64,
    /// Blocks that were wanted, came and were verified.
    pub blocks_received: u64,
    /// Bytes of the blocks that were sent or received.
    pub block_bytes: u64,
    /// Blocks that arrived although held.
    pub duplicate: u64,
    /// Blocks known to be missing now; it grows while the DAG unfolds.
    pub missing: u64,
    /// Blocks of delta bodies, by what they were sent or received as; the others went as CARs have
    /// them.
    pub encodings: Encodings,
}

/// Blocks of delta bodies, by encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encodings {
    /// As they are.
    pub plain: Tally,
    /// Compressed, without an old block.
    pub compressed: Tally,
    /// As copies of old blocks and what is new.
    pub copies: Tally,
    /// As frames that have old blocks as their prefix.
    pub prefix: Tally,
}

impl Encodings {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = Tally::default();
        for tally in [self.plain, self.compressed, self.copies, self.prefix] {
            all.blocks += tally.blocks;
            all.bytes += tally.bytes;
        }
        all
    }

    /// What came since.
    pub(crate) const fn since(&self, before: &Self) -> Self {
        Self {
            plain: since(self.plain, before.plain),
            compressed: since(self.compressed, before.compressed),
            copies: since(self.copies, before.copies),
            prefix: since(self.prefix, before.prefix),
        }
    }
}

const fn since(mut now: Tally, before: Tally) -> Tally {
    now.blocks -= before.blocks;
    now.bytes -= before.bytes;
    now
}

/// How many blocks, and their bytes, on their way into a [`Tally`].
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    blocks: AtomicU64,
    bytes: AtomicU64,
}

impl Encoded {
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        (tally.blocks, tally.bytes) = (self.blocks.load(Relaxed), self.bytes.load(Relaxed));
        tally
    }
}

impl Progress {
    /// Counters of a part: what they count, `whole` counts too.
    pub(crate) fn part_of(whole: &Arc<Self>) -> Self {
        Self { whole: Some(Arc::clone(whole)), ..Self::default() }
    }

    /// Adds to a counter, and to the same one of the whole.
    pub(crate) fn count(&self, counter: fn(&Self) -> &AtomicU64, n: u64) {
        add(counter(self), n);
        if let Some(whole) = &self.whole {
            whole.count(counter, n);
        }
    }

    /// Counts the blocks of a delta body, and in the whole.
    pub(crate) fn count_encoded(&self, counts: &Counts) {
        let Counts { plain, compressed, copies, prefix, .. } = counts;
        for (encoded, tally) in self.encoded.iter().zip([plain, compressed, copies, prefix]) {
            add(&encoded.blocks, tally.blocks);
            add(&encoded.bytes, tally.bytes);
        }
        if let Some(whole) = &self.whole {
            whole.count_encoded(counts);
        }
    }

    fn encodings(&self) -> Encodings {
        let [plain, compressed, copies, prefix] = self.encoded.each_ref().map(Encoded::tally);
        Encodings { plain, compressed, copies, prefix }
    }

    /// A connection took so long to come up: a round trip, and a look-up of its name.
    pub(crate) fn note_connected(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let least = |before| (before == 0 || took < before).then_some(took);
        let _ = self.connected.fetch_update(Relaxed, Relaxed, least);
    }

    /// What was counted up to now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            requests: self.requests.load(Relaxed),
            rounds: self.rounds.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            blocks_sent: self.blocks_sent.load(Relaxed),
            blocks_received: self.blocks_received.load(Relaxed),
            block_bytes: self.block_bytes.load(Relaxed),
            duplicate: self.duplicate.load(Relaxed),
            missing: self.missing.load(Relaxed),
            encodings: self.encodings(),
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
