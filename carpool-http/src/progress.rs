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
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
