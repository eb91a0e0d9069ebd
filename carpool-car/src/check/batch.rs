use alloc::vec::Vec;
use carpool_core::{Cid, Error, Limits, Unverified, digest, for_each_link, identity_data, verify};

use super::{dag::Fingerprints, finding::Finding};
use crate::Section;

/// Blocks to hash, with a number that brings them back into their order.
#[derive(Debug)]
pub struct Batch {
    number: u64,
    sections: Vec<Section>,
    seed: u64,
}

/// What hashing a [`Batch`] came to.
#[derive(Debug, Default)]
pub struct Verdicts {
    number: u64,
    outcomes: Vec<Outcome>,
    /// Those of all blocks, in their order: a list a block costs more than what is in it.
    links: Vec<Link>,
    findings: Vec<Finding>,
}

/// What a block came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) cid: Cid,
    pub(super) offset: u64,
    pub(super) data_offset: u64,
    pub(super) len: u64,
    /// Of its CID.
    pub(super) fingerprint: u128,
    pub(super) verdict: Verdict,
    links: usize,
    findings: usize,
}

/// Whether a block is that of its CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    /// Its hash function is not known.
    Unknown,
}

/// A link, and the fingerprint of what it names.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) fingerprint: u128,
    pub(super) cid: Cid,
}

impl Batch {
    pub(super) const fn new(number: u64, sections: Vec<Section>, seed: u64) -> Self {
        Self { number, sections, seed }
    }

    /// Its number: 0, 1, 2 …
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The blocks, in their order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Hashes the blocks and lists their links. This is where the time goes: batches may be spread
    /// over threads.
    #[must_use]
    pub fn verify(self, limits: &Limits) -> Verdicts {
        let claims = self.sections.iter().map(|section| {
            let Section { cid, data, .. } = section;
            Unverified { cid: *cid, data: data.clone() }
        });
        let verdicts = verify(claims.collect());
        let fingerprints = Fingerprints::new(self.seed);
        let mut all = Verdicts {
            number: self.number,
            outcomes: Vec::with_capacity(verdicts.len()),
            ..Verdicts::default()
        };
        for (section, verdict) in self.sections.iter().zip(verdicts) {
            all.settle(section, verdict.err(), limits, &fingerprints);
        }
        all
    }
}

impl Verdicts {
    /// The number of the batch.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Each block with its links and what was found, in the order of the file.
    pub(super) fn for_each(
        self,
        mut each: impl FnMut(Outcome, &[Link], &mut dyn Iterator<Item = Finding>),
    ) {
        let (mut links, mut findings) = (&self.links[..], self.findings.into_iter());
        for outcome in self.outcomes {
            let (own, rest) = links.split_at(outcome.links);
            links = rest;
            let found = outcome.findings;
            each(outcome, own, &mut findings.by_ref().take(found));
        }
    }

    fn settle(
        &mut self,
        section: &Section,
        fault: Option<Error>,
        limits: &Limits,
        fingerprints: &Fingerprints,
    ) {
        let Section { cid, data, offset, data_offset } = section;
        let (links, findings) = (self.links.len(), self.findings.len());
        let verdict = match fault {
            None => Verdict::Yes,
            Some(error) => self.fault(*offset, cid, data, &error),
        };
        // Whatever cannot be hashed may still be what it says.
        if verdict != Verdict::No {
            self.scan(section, limits, fingerprints);
        }
        self.outcomes.push(Outcome {
            cid: *cid,
            offset: *offset,
            data_offset: *data_offset,
            len: data.len() as u64,
            fingerprint: fingerprints.of(cid),
            verdict,
            links: self.links.len() - links,
            findings: self.findings.len() - findings,
        });
    }

    fn fault(&mut self, offset: u64, cid: &Cid, data: &[u8], error: &Error) -> Verdict {
        let code = cid.hash().code();
        let known = !matches!(error, Error::UnsupportedHash { .. });
        let (finding, verdict) = match digest(code, data).filter(|_| known) {
            Some(actual) => (Finding::Hash { offset, cid: *cid, actual }, Verdict::No),
            None => (Finding::UnknownHash { offset, cid: *cid, code }, Verdict::Unknown),
        };
        self.findings.push(finding);
        verdict
    }

    fn scan(&mut self, section: &Section, limits: &Limits, fingerprints: &Fingerprints) {
        let Section { cid, data, offset, .. } = section;
        let links = &mut self.links;
        let scanned = scan(cid, data, limits, &mut |link| {
            links.push(Link { fingerprint: fingerprints.of(&link), cid: link });
        });
        if let Err(fault) = scanned {
            self.findings.push(Finding::Undecodable { offset: *offset, cid: *cid, fault });
        }
    }
}

/// The links of a block. Those of an identity CID stand for the data that it carries, so that its
/// links are the block's.
fn scan(cid: &Cid, data: &[u8], limits: &Limits, each: &mut dyn FnMut(Cid)) -> Result<(), Error> {
    let mut inner = Ok(());
    let outer = for_each_link(cid, data, limits, |link| match identity_data(&link) {
        // It is shorter than the CID that carries it, so this ends soon.
        Some(data) => {
            if let Err(error) = scan(&link, data, limits, each) {
                inner = Err(error);
            }
        }
        None => each(link),
    });
    outer.and(inner)
}
