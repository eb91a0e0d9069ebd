use alloc::vec::Vec;
use carpool_core::{Cid, Error, Limits, Unverified, digest, verify};

use super::{Key, Keys, finding::Finding, for_each_stored_link};
use crate::Section;

/// Blocks to hash, with a number that brings them back into their order.
#[derive(Debug)]
pub struct Batch {
    number: u64,
    sections: Vec<Section>,
    keys: Keys,
}

/// What hashing a [`Batch`] came to.
#[derive(Debug, Default)]
pub struct Verdicts {
    number: u64,
    outcomes: Vec<Outcome>,
    /// Those of all blocks, in their order: a list a block costs more than what is in it.
    links: Vec<Key>,
    findings: Vec<Finding>,
}

/// What a block came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) cid: Cid,
    pub(super) offset: u64,
    pub(super) data_offset: u64,
    pub(super) len: u64,
    pub(super) key: Key,
    pub(super) verdict: Verdict,
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

impl Batch {
    pub(super) const fn new(number: u64, sections: Vec<Section>, keys: Keys) -> Self {
        Self { number, sections, keys }
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
        let mut all = Verdicts {
            number: self.number,
            outcomes: Vec::with_capacity(verdicts.len()),
            ..Verdicts::default()
        };
        for (section, verdict) in self.sections.iter().zip(verdicts) {
            all.settle(section, verdict.err(), limits, &self.keys);
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

    /// The links of all blocks.
    pub(super) fn links(&self) -> &[Key] {
        &self.links
    }

    /// Each block with what was found in it, in the order of the file.
    pub(super) fn for_each(self, mut each: impl FnMut(Outcome, &mut dyn Iterator<Item = Finding>)) {
        let mut findings = self.findings.into_iter();
        for outcome in self.outcomes {
            let found = outcome.findings;
            each(outcome, &mut findings.by_ref().take(found));
        }
    }

    fn settle(&mut self, section: &Section, fault: Option<Error>, limits: &Limits, keys: &Keys) {
        let Section { cid, data, offset, data_offset } = section;
        let findings = self.findings.len();
        let verdict = match fault {
            None => Verdict::Yes,
            Some(error) => self.fault(*offset, cid, data, &error),
        };
        let mut key = keys.block(cid, *offset);
        // Whatever cannot be hashed may still be what it says.
        if verdict == Verdict::No {
            key = key.wrong();
        } else {
            self.scan(section, limits, keys);
        }
        self.outcomes.push(Outcome {
            cid: *cid,
            offset: *offset,
            data_offset: *data_offset,
            len: data.len() as u64,
            key,
            verdict,
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

    fn scan(&mut self, section: &Section, limits: &Limits, keys: &Keys) {
        let Section { cid, data, offset, .. } = section;
        let links = &mut self.links;
        let scanned = for_each_stored_link(cid, data, limits, |link| {
            links.push(keys.link(&link, *offset));
        });
        if let Err(fault) = scanned {
            self.findings.push(Finding::Undecodable { offset: *offset, cid: *cid, fault });
        }
    }
}
