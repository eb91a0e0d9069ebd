use carpool_core::Limits;

use crate::{Error, Result};

/// How a [`LocalStore`](crate::LocalStore) behaves. Nothing here changes the format of the folder:
/// processes with different options share one store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Bytes of a CAR file after which the next one is begun: 1 KiB to 1 TiB, default 1 GiB.
    pub segment_bytes: u64,
    /// Bytes of the largest block that is taken. Default 2 MiB, as
    /// [`Limits::max_block_bytes`].
    pub max_block_bytes: usize,
    /// Whether reads hash what they read, and fail with [`Error::Damaged`] where a block is not
    /// what it was. Default `false`: reads are then as fast as the disk, and
    /// [`scrub`](crate::LocalStore::scrub) finds damage.
    pub verify_reads: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            max_block_bytes: Limits::default().max_block_bytes,
            verify_reads: false,
        }
    }
}

const MIN_SEGMENT_BYTES: u64 = 1 << 10;
const MAX_SEGMENT_BYTES: u64 = 1 << 40;

impl LocalOptions {
    pub(crate) fn check(&self) -> Result<()> {
        let (bytes, min, max) = (self.segment_bytes, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
        if (min..=max).contains(&bytes) {
            Ok(())
        } else {
            Err(Error::SegmentBytes { bytes, min, max })
        }
    }
}
