/// The numbers in an index that are held to limits, beside the
/// [length of digests](super::MAX_DIGEST_BYTES). A value at the limit is accepted, one past it
/// refused. How many entries there are is not limited: no memory depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexLimits {
    /// Hash functions, and buckets of digests of one length, of one CAR: each counts. Default
    /// 4,096. A look-up makes a read for each at worst.
    pub max_buckets: u32,
    /// CARs of a rollup, shards of a sharded DAG index. Default 16,384.
    pub max_cars: u32,
    /// Slices of a sharded DAG index, over all shards. Default 4,194,304.
    pub max_slices: u32,
}

impl Default for IndexLimits {
    fn default() -> Self {
        Self { max_buckets: 4096, max_cars: 1 << 14, max_slices: 1 << 22 }
    }
}
