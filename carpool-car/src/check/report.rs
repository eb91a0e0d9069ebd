use alloc::collections::BTreeMap;
use carpool_core::{Cid, codec};

use super::{Class, Closing, Finding, Kind};

/// Codecs and hash functions that are told apart; whatever else a file names counts as one.
const MAX_CODES: usize = 256;

/// Blocks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of data.
    pub bytes: u64,
}

impl Total {
    const fn add(&mut self, bytes: u64) {
        self.blocks += 1;
        self.bytes += bytes;
    }
}

/// A block up to which nothing is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Good {
    /// Its CID.
    pub cid: Cid,
    /// Where its section begins, in bytes from the start of the CARv1.
    pub offset: u64,
    /// Where its section ends.
    pub end: u64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// All blocks.
    pub total: Total,
    /// Blocks by the codec of their CID.
    pub codecs: BTreeMap<u64, Total>,
    /// Blocks by the multihash code of their CID.
    pub hashes: BTreeMap<u64, Total>,
    /// Blocks of codecs or hashes beyond the first 256.
    pub others: Total,
    /// Blocks that hash to their CID.
    pub verified: u64,
    /// Blocks that were there already; known at the end.
    pub duplicates: u64,
    /// Blocks of codecs whose links are not followed, `raw` not counted.
    pub opaque: u64,
    /// Roots that are no block of the file.
    pub roots_absent: u64,
    /// Links that lead to no block of the file; `None` until the end, and where that was not
    /// checked.
    pub links_missing: Option<u64>,
    /// Findings by their kind, those as well that were not told
    /// ([`CheckOptions::max_findings`](super::CheckOptions)).
    pub findings: BTreeMap<Kind, u64>,
    /// The last block before the first damage.
    pub last_good: Option<Good>,
    pub(super) damaged: bool,
}

impl Report {
    pub(super) fn count(&mut self, cid: &Cid, bytes: u64) {
        self.total.add(bytes);
        if !matches!(cid.codec(), codec::RAW | codec::DAG_PB | codec::DAG_CBOR) {
            self.opaque += 1;
        }
        let counted = add(&mut self.codecs, cid.codec(), bytes);
        if !(add(&mut self.hashes, cid.hash().code(), bytes) && counted) {
            self.others.add(bytes);
        }
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        self.damaged |= finding.class() == Class::Damaged;
        *self.findings.entry(finding.kind()).or_default() += 1;
    }

    /// Takes over what was compared.
    pub(super) fn closed(&mut self, closing: &Closing) {
        self.duplicates = closing.duplicates();
        self.roots_absent = closing.count(Kind::RootAbsent);
        self.links_missing = closing.is_whole().then(|| closing.count(Kind::LinkAbsent));
        for (kind, count) in closing.counts() {
            *self.findings.entry(*kind).or_default() += count;
        }
    }

    pub(super) const fn verified(&mut self, cid: &Cid, offset: u64, end: u64) {
        self.verified += 1;
        if !self.damaged {
            self.last_good = Some(Good { cid: *cid, offset, end });
        }
    }
}

/// Whether it has a row of its own.
fn add(totals: &mut BTreeMap<u64, Total>, code: u64, bytes: u64) -> bool {
    let known = totals.len() < MAX_CODES || totals.contains_key(&code);
    if known {
        totals.entry(code).or_default().add(bytes);
    }
    known
}
