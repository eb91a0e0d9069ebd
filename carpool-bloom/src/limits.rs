use crate::{Error, MAX_K};

/// What a peer's filter may cost us. Used by [`Filter::from_wire`](crate::Filter::from_wire).
///
/// The specification sets no limits. Without them 80 bytes with k = 20,000,000 buy seconds of
/// hashing for every query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes accepted, inclusive. 16 MiB by default: 4 million keys at the recommended
    /// false positive rate.
    pub max_bytes: usize,
    /// The largest k accepted, inclusive. 64 by default; values above [`MAX_K`] count as
    /// [`MAX_K`].
    pub max_k: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 16 << 20, max_k: MAX_K }
    }
}

impl Limits {
    pub(crate) fn check(&self, bytes: usize, k: u32) -> Result<(), Error> {
        let max_k = self.max_k.min(MAX_K);
        if bytes > self.max_bytes {
            return Err(Error::PeerBytes { limit: self.max_bytes, actual: bytes });
        }
        if k > max_k {
            return Err(Error::PeerHashes { limit: max_k, actual: k });
        }
        if k == 0 {
            return Err(Error::PeerZeroHashes { bytes });
        }
        Ok(())
    }
}
