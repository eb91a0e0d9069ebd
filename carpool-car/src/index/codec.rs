/// The formats of indexes, by their multicodec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// IndexSorted, 0x0400: digests by their length. What hash they are of is not told.
    Sorted,
    /// MultihashIndexSorted, 0x0401: digests by their hash function and length.
    MultihashSorted,
    /// MultiIndex, 0x0402: the indexes of several CARs, each under the CAR's multihash.
    Multi,
}

impl Codec {
    /// The multicodec.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Sorted => 0x0400,
            Self::MultihashSorted => 0x0401,
            Self::Multi => 0x0402,
        }
    }

    /// The format of this multicodec.
    #[must_use]
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0x0400 => Some(Self::Sorted),
            0x0401 => Some(Self::MultihashSorted),
            0x0402 => Some(Self::Multi),
            _ => None,
        }
    }
}
