use carpool_mirror::Outcome;
use std::time::Duration;

use crate::Failure;

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The sink says that it holds the whole DAG.
    Complete,
    /// The source had no more to give.
    Incomplete(Outcome),
    /// One side gave up.
    Failed(Failure),
}

pub(super) fn end_of(outcome: Outcome) -> End {
    if outcome.missing == 0 { End::Complete } else { End::Incomplete(outcome) }
}

/// Neither side has anything to do, or the steps ran out, and the transfer has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

/// What a transfer took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// Requests that were made.
    pub rounds: u32,
    /// Connections that were cut.
    pub cuts: u32,
    /// Messages of the sink that relied on what the source does not know.
    pub refusals: u32,
    /// Bytes of the sink's messages.
    pub status_bytes: u64,
    /// Bytes of the source's bodies, whether they arrived or not.
    pub body_bytes: u64,
    /// Blocks in those bodies.
    pub blocks_sent: u64,
    /// Blocks that arrived and were held already.
    pub duplicates: u64,
    /// Blocks that arrived and that nobody wanted.
    pub unreachable: u64,
    /// Blocks that the sink stored.
    pub stored: u64,
    /// Bytes that arrived on connections that had been given up.
    pub late_bytes: u64,
    /// The most bytes that were under way at once.
    pub peak_in_flight: usize,
    /// Virtual time.
    pub time: Duration,
    /// Stands for every byte that either side gave to the network, in order.
    pub transcript: [u8; 32],
}

pub(super) const fn empty_report() -> Report {
    Report {
        end: End::Complete,
        rounds: 0,
        cuts: 0,
        refusals: 0,
        status_bytes: 0,
        body_bytes: 0,
        blocks_sent: 0,
        duplicates: 0,
        unreachable: 0,
        stored: 0,
        late_bytes: 0,
        peak_in_flight: 0,
        time: Duration::ZERO,
        transcript: [0; 32],
    }
}
