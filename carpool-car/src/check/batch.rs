use alloc::vec::Vec;
use carpool_core::{
    Block, Cid, Error, Limits, Unverified, digest, for_each_link, identity_data, verify,
};

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
#[derive(Debug)]
pub struct Verdicts {
    number: u64,
    outcomes: Vec<Outcome>,
}

/// What a block came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) cid: Cid,
    pub(super) offset: u64,
    pub(super) data_offset: u64,
    pub(super) len: u64,
    pub(super) checked: Checked,
}

/// What was found inside a block.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Of its CID.
    pub(super) fingerprint: u128,
    /// Whether its bytes are not known to be those of its CID.
    pub(super) fault: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) links: Vec<Link>,
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
        let outcome = |(section, verdict): (Section, Result<Block, Error>)| Outcome {
            cid: section.cid,
            offset: section.offset,
            data_offset: section.data_offset,
            len: section.data.len() as u64,
            checked: Checked::new(&section, verdict.err(), limits, &fingerprints),
        };
        let outcomes = self.sections.into_iter().zip(verdicts).map(outcome).collect();
        Verdicts { number: self.number, outcomes }
    }
}

impl Verdicts {
    /// The number of the batch.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes
    }
}

impl Checked {
    fn new(
        section: &Section,
        fault: Option<Error>,
        limits: &Limits,
        fingerprints: &Fingerprints,
    ) -> Self {
        let Section { cid, data, offset, .. } = section;
        let fingerprint = fingerprints.of(cid);
        let mut checked = Self { fingerprint, ..Self::default() };
        if let Some(error) = fault {
            checked.fault = true;
            checked.findings.push(hash_finding(*offset, cid, data, &error));
        }
        // Whatever cannot be hashed may still be what it says.
        if checked.fault && matches!(checked.findings[..], [Finding::Hash { .. }]) {
            return checked;
        }
        let links = &mut checked.links;
        let scanned = scan(cid, data, limits, &mut |link| {
            links.push(Link { fingerprint: fingerprints.of(&link), cid: link });
        });
        if let Err(fault) = scanned {
            checked.findings.push(Finding::Undecodable { offset: *offset, cid: *cid, fault });
        }
        checked
    }
}

fn hash_finding(offset: u64, cid: &Cid, data: &[u8], error: &Error) -> Finding {
    let code = cid.hash().code();
    match digest(code, data).filter(|_| !matches!(error, Error::UnsupportedHash { .. })) {
        Some(actual) => Finding::Hash { offset, cid: *cid, actual },
        None => Finding::UnknownHash { offset, cid: *cid, code },
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
