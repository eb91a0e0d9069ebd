use carpool_core::Fault;
use core::fmt;

/// What is wrong with an index, or with the call that makes one. [`Error::Index`] says where.
///
/// [`Error::Index`]: crate::Error::Index
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexFault {
    /// The input ends inside what begins here.
    Truncated,
    /// A malformed varint.
    Varint,
    /// No format of indexes has this multicodec.
    Codec {
        /// The multicodec that was read.
        codec: u64,
    },
    /// A rollup inside a rollup.
    Nested,
    /// A CAR's multihash with a digest longer than [`MAX_DIGEST_BYTES`](super::MAX_DIGEST_BYTES).
    CarDigest {
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// More CARs than [`IndexLimits::max_cars`](super::IndexLimits).
    TooManyCars {
        /// How many are claimed.
        cars: u64,
        /// The limit.
        max: u64,
    },
    /// More hash functions and buckets than [`IndexLimits::max_buckets`](super::IndexLimits).
    TooManyBuckets {
        /// How many are claimed, or were reached.
        buckets: u64,
        /// The limit.
        max: u64,
    },
    /// Entries too short for an offset of eight bytes.
    Width {
        /// The bytes of an entry.
        width: u32,
    },
    /// Entries too long for a digest of [`MAX_DIGEST_BYTES`](super::MAX_DIGEST_BYTES).
    WidthTooLarge {
        /// The bytes of an entry.
        width: u32,
        /// The limit.
        max: u32,
    },
    /// A bucket that is no whole number of entries.
    BucketLength {
        /// Its length in bytes.
        bytes: u64,
        /// The bytes of an entry.
        width: u32,
    },
    /// A bucket that ends beyond the last offset there is.
    Overflow {
        /// Its length in bytes.
        bytes: u64,
    },
    /// A hash function, bucket, CAR or digest that should have come earlier, or came twice.
    Unsorted,
    /// Bytes after the end of the index.
    TrailingBytes,
    /// An entry's digest is longer than [`MAX_DIGEST_BYTES`](super::MAX_DIGEST_BYTES).
    DigestTooLong {
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// Only [`Codec::Sorted`](super::Codec::Sorted) and
    /// [`Codec::MultihashSorted`](super::Codec::MultihashSorted) are made of entries.
    NotOfEntries,
    /// An entry after [`Indexer::handle_end`](super::Indexer::handle_end), or without the hash
    /// function that the index is sorted by.
    UnexpectedEntry,
    /// More spilled runs than [`MAX_RUNS`](super::MAX_RUNS): the budget is too small.
    TooManyRuns {
        /// The limit.
        max: u32,
    },
    /// The driver gave other bytes than it was asked for.
    Spill {
        /// How many were asked for.
        expected: u64,
        /// How many came.
        actual: u64,
    },
    /// The archive of a sharded DAG index is malformed.
    Archive {
        /// What was expected.
        expected: &'static str,
    },
    /// A sharded DAG index has more shards or slices than
    /// [`IndexLimits`](super::IndexLimits) allows.
    TooManySlices {
        /// How many are claimed.
        slices: u64,
        /// The limit.
        max: u64,
    },
}

impl IndexFault {
    pub(crate) const fn fault(&self) -> Fault {
        match self {
            Self::DigestTooLong { .. }
            | Self::NotOfEntries
            | Self::UnexpectedEntry
            | Self::TooManyRuns { .. }
            | Self::Spill { .. } => Fault::Caller,
            Self::Truncated
            | Self::Varint
            | Self::Codec { .. }
            | Self::Nested
            | Self::CarDigest { .. }
            | Self::TooManyCars { .. }
            | Self::TooManyBuckets { .. }
            | Self::Width { .. }
            | Self::WidthTooLarge { .. }
            | Self::BucketLength { .. }
            | Self::Overflow { .. }
            | Self::Unsorted
            | Self::TrailingBytes
            | Self::Archive { .. }
            | Self::TooManySlices { .. } => Fault::Peer,
        }
    }
}

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "it ends inside what begins here"),
            Self::Varint => write!(f, "malformed varint"),
            Self::Codec { codec } => write!(f, "multicodec {codec:#x} is no index"),
            Self::Nested => write!(f, "a rollup inside a rollup"),
            Self::CarDigest { bytes, max } => {
                write!(f, "a CAR's digest of {bytes} bytes, limit {max}")
            }
            Self::TooManyCars { cars, max } => write!(f, "{cars} CARs, limit {max}"),
            Self::TooManyBuckets { buckets, max } => write!(f, "{buckets} buckets, limit {max}"),
            Self::Width { width } => write!(f, "entries of {width} bytes have no offset"),
            Self::WidthTooLarge { width, max } => {
                write!(f, "entries of {width} bytes, limit {max}")
            }
            Self::BucketLength { bytes, width } => {
                write!(f, "a bucket of {bytes} bytes is not made of entries of {width}")
            }
            Self::Overflow { bytes } => write!(f, "a bucket of {bytes} bytes has no end"),
            Self::Unsorted => write!(f, "out of order"),
            Self::TrailingBytes => write!(f, "bytes after its end"),
            Self::DigestTooLong { bytes, max } => {
                write!(f, "an entry's digest of {bytes} bytes, limit {max}")
            }
            Self::NotOfEntries => write!(f, "this format is not made of entries"),
            Self::UnexpectedEntry => write!(f, "no such entry is expected"),
            Self::TooManyRuns { max } => write!(f, "the budget makes more than {max} runs"),
            Self::Spill { expected, actual } => {
                write!(f, "{actual} spilled bytes came back, not {expected}")
            }
            Self::Archive { expected } => write!(f, "expected {expected}"),
            Self::TooManySlices { slices, max } => {
                write!(f, "{slices} shards or slices, limit {max}")
            }
        }
    }
}
