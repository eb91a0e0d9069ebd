use alloc::boxed::Box;
use carpool_bloom::{Filter, Params};
use carpool_core::{Cid, CidSet, Limits, cid_exact, may_link};
use carpool_selector::Difference;

use crate::{sizing::filled, sketch::Lacking};

/// What a source knows of the sink's blocks (CAR Mirror §3.1.2).
#[derive(Debug, Default)]
pub enum Narrowing {
    /// Nothing: everything below what is wanted is sent.
    #[default]
    None,
    /// What the sink said of itself.
    Bloom(Filter),
    /// An exact estimate of our own, such as the DAG of a root that the sink acknowledged earlier
    /// (the "Server Graph Estimate" of §3.3.1).
    Known(CidSet),
    /// The comparison with roots that the sink holds.
    Compared(Box<Difference>),
    /// What came of the sink's sketch.
    Sketched(Lacking),
}

impl Narrowing {
    /// Whether the sink seems to hold `cid`, so that it is left out with all that lies below it.
    #[must_use]
    pub fn hides(&self, cid: &Cid) -> bool {
        match self {
            Self::None => false,
            Self::Bloom(filter) => with_bytes(cid, |bytes| filter.contains(bytes)),
            Self::Known(known) => known.contains(cid),
            Self::Compared(difference) => !difference.lacks(cid),
            Self::Sketched(lacking) => !lacking.contains(cid),
        }
    }
}

impl Narrowing {
    /// Whether what it hides may not be held.
    pub(crate) const fn may_err(&self) -> bool {
        matches!(self, Self::Bloom(_))
    }

    /// Whether a sink that takes shares from several sources holds what lies below a block that is hidden.
    pub(crate) const fn is_of_whole_dags(&self) -> bool {
        matches!(self, Self::Known(_) | Self::Compared(_))
    }
}

/// Longest of the CIDs that are written without an allocation; those of SHA2-512 have 68 bytes.
const SHORT: usize = 72;

pub(crate) fn with_bytes<T>(cid: &Cid, look: impl FnOnce(&[u8]) -> T) -> T {
    let mut bytes = [0; SHORT];
    match cid.write_bytes(&mut bytes[..]) {
        Ok(n) => look(&bytes[..n]),
        Err(_) => look(&cid.to_bytes()),
    }
}

impl From<Option<Filter>> for Narrowing {
    fn from(have: Option<Filter>) -> Self {
        have.map_or(Self::None, Self::Bloom)
    }
}

/// A filter for `n` binary CIDs at a false-positive rate of min(10^-3, 0.1/n) (CAR Mirror §3.4.2),
/// or as near to it as [`Limits::max_bloom_bytes`] allows. `each` gives them one by one, to the
/// function it is called with. None for no CIDs: an empty filter says nothing.
pub fn filter_of(
    n: usize,
    limits: &Limits,
    each: impl FnOnce(&mut dyn FnMut(&[u8])),
) -> Option<Filter> {
    let params = || Params::fitting(n as u64, target_rate(n), limits.max_bloom_bytes);
    (n > 0).then(|| filled(params(), each))
}

/// Sixteenths of a byte for each block.
const INTERIOR_SIXTEENTHS: usize = 11;
/// Up to this many bytes it is two bytes a block: what is hidden costs a round, and they cost nothing.
const INTERIOR_LITTLE: usize = 2048;

/// Size and number of hashes of a filter for `n` binary CIDs of blocks with links, in at most so many
/// bytes. 5.5 bits a block err in 1 of 14 queries, but one is left out only where all its links are hit
/// as well, and what a source leaves out just above the leaves is asked for by a bitmap.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(crate) fn interior_params(n: usize, max_bytes: usize) -> Params {
    let ample = n.saturating_mul(2).min(INTERIOR_LITTLE);
    let bytes = n.saturating_mul(INTERIOR_SIXTEENTHS).div_ceil(16).max(ample);
    let bytes = bytes.clamp(1, max_bytes.max(1));
    let hashes = (bytes as f64 * 8.0 * core::f64::consts::LN_2 / n.max(1) as f64) as u32;
    Params::new(bytes, (hashes + 1).min(11)).expect("a size and a count within their bounds")
}

/// As [`may_link`], of a CID in bytes.
pub(crate) fn may_link_bytes(cid: &[u8]) -> bool {
    cid_exact(cid).is_ok_and(|cid| may_link(&cid))
}

/// The false-positive rate of a filter for `n` CIDs.
pub(crate) fn target_rate(n: usize) -> f64 {
    f64::min(1e-3, 0.1 / n as f64)
}
