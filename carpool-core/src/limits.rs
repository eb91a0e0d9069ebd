/// Every number that a peer controls, in one place.
///
/// The defaults serve public peers; each is meant to be set. A value *at* the limit is accepted,
/// one past it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one block. Default 2 MiB, what Bitswap and Kubo move.
    pub max_block_bytes: usize,
    /// Bytes of one CAR section: CID and block. Default: a block and 128 bytes.
    pub max_section_bytes: usize,
    /// Bytes of a CAR header. Default 1 MiB.
    pub max_header_bytes: usize,
    /// Roots in a CAR header. Default 10,000.
    pub max_header_roots: usize,
    /// Links in one block. Default 65,536, more than 2 MiB can hold.
    pub max_links: usize,
    /// Links between the root and the deepest block of a walk. Default 2^20: histories are chains.
    pub max_depth: u32,
    /// Wanted CIDs in one request. Default 10,000.
    pub max_wanted: usize,
    /// Bytes of a Bloom filter. Default 8 MiB.
    pub max_bloom_bytes: usize,
    /// Hash count `k` of a Bloom filter. Default 64.
    pub max_bloom_k: u32,
    /// CIDs that are kept of each side while two versions of a DAG are compared, 16 bytes of a leaf
    /// and some 150 of a node. Default 2^20; beyond it the comparison is rougher.
    pub max_compared: usize,
    /// Blocks of a DAG that is walked for a sketch of it, at some 60 bytes each. Default 2^20; a larger one is
    /// held against what the sink has in another way.
    pub max_sketched: usize,
    /// Rounds of one transfer. Default 1,000.
    pub max_rounds: u32,
    /// Bytes of a request or response message (not a CAR). Default 12 MiB: the largest filter and
    /// the largest list of wants.
    pub max_message_bytes: usize,
    /// Bytes of one CAR body. Default 1 TiB.
    pub max_car_bytes: u64,
    /// Bytes of blocks that nobody wanted, and 64 for each of them, in one round, before the sender
    /// is refused. A block that is held may come once.
    /// Default 64 MiB.
    pub max_unwanted_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_block_bytes: 2 << 20,
            max_section_bytes: (2 << 20) + 128,
            max_header_bytes: 1 << 20,
            max_header_roots: 10_000,
            max_links: 1 << 16,
            max_depth: 1 << 20,
            max_wanted: 10_000,
            max_bloom_bytes: 8 << 20,
            max_bloom_k: 64,
            max_compared: 1 << 20,
            max_sketched: 1 << 20,
            max_rounds: 1_000,
            max_message_bytes: 12 << 20,
            max_car_bytes: 1 << 40,
            max_unwanted_bytes: 64 << 20,
        }
    }
}
