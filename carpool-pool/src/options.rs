/// How a pool behaves. Times are in microseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How long a source may send nothing before its work goes to others; three round trips where those are
    /// longer. Default 2 s.
    pub stall: u64,
    /// How often a source may stall or break off in a row before it is not asked any more. Default 3.
    pub max_failures: u32,
    /// Bytes that one request names at most, where their sizes are known. Default 16 MiB.
    pub max_unit: u64,
    /// CIDs that one request names at most. Default 1,000.
    pub max_named: usize,
    /// Bytes of a source's blocks that may wait for their parents. A source that sends more is not read until
    /// others have come that far; where that does not help it is dropped. Default 64 MiB.
    pub max_waiting: u64,
    /// Bytes that a source may send in vain, because they were held or nobody asked for them, before it is
    /// dropped. Default 64 MiB.
    pub max_wasted: u64,
    /// Whether the sink holds an old version, and sources send what differs. Deltas need what is around a block, so one
    /// source is asked for all of it; others take over from the far end of what is not there after a second.
    /// Default false.
    pub differs: bool,
    /// Whether sources that gossip take over work of each other by themselves. What they promise is known to the sink
    /// and the others a while later only, and until then comes twice; without it they leave out what the sink gives to
    /// others, and the sink, which knows it all, gives. Default false.
    pub takes_over: bool,
    /// Blocks that are met in one transfer. Default 2²⁷.
    pub max_blocks: usize,
    /// The session's name, which aware sources are told: a number drawn at random.
    pub session: [u8; crate::SESSION_BYTES],
    /// Seed of hash tables, see [`CidMap`](carpool_core::CidMap).
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stall: 2_000_000,
            max_failures: 3,
            max_unit: 16 << 20,
            max_named: 1_000,
            max_waiting: 64 << 20,
            max_wasted: 64 << 20,
            differs: false,
            takes_over: false,
            max_blocks: 1 << 27,
            session: [0; crate::SESSION_BYTES],
            seed: 0,
        }
    }
}
