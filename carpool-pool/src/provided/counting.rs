use alloc::{collections::BTreeMap, collections::BTreeSet, vec::Vec};
use carpool_bloom::{Indices, Rejection};
use carpool_core::Cid;

use super::{
    MAX_TALLY_CELLS, MAX_TALLY_HASHES, SessionKey, Tallies, key::fingerprint, tallies::Tally,
};
use crate::{Error, MAX_MEMBERS};

/// The counting form of the session's view, of one epoch: for each source, and each cell of a filter, how often it
/// promised a block of that cell and how often it took one back. Joined by the maximum of each, so what is told
/// twice counts once. A block is promised where each of its cells has more promises than retractions.
///
/// It costs 4 bytes a cell and source, where [`Provided`](super::Provided) costs 8 bytes a promise: it is here for who needs to
/// take back single promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    key: SessionKey,
    epoch: u32,
    seed: u64,
    cells: u32,
    hashes: u8,
    sources: BTreeMap<u8, BTreeMap<u32, Tally>>,
    dropped: BTreeSet<u8>,
}

impl Counting {
    /// A view of so many cells, `hashes` of them for a block, the same for all members of the session.
    ///
    /// # Errors
    /// [`Error::TooMany`] above [`MAX_TALLY_CELLS`] or [`MAX_TALLY_HASHES`], [`Error::Gossip`] for none.
    pub fn new(key: &SessionKey, epoch: u32, cells: u32, hashes: u8) -> Result<Self, Error> {
        check("cells", cells.into(), MAX_TALLY_CELLS.into())?;
        check("hashes", hashes.into(), MAX_TALLY_HASHES.into())?;
        let (key, seed) = (key.clone(), key.seed(epoch));
        let (sources, dropped) = Default::default();
        Ok(Self { key, epoch, seed, cells, hashes, sources, dropped })
    }

    /// The session's keys.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// The epoch that it is of.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Cells, and how many a block has.
    #[must_use]
    pub const fn shape(&self) -> (u32, u8) {
        (self.cells, self.hashes)
    }

    /// Whether somebody promises this block. Never `false` for one that was promised and not taken back, by
    /// a source that is not gone, as far as its messages came.
    #[must_use]
    pub fn is_provided(&self, cid: &Cid) -> bool {
        self.places(cid).iter().all(|cell| self.value(*cell) > 0)
    }

    /// How many promises of a cell stand, no fewer than there are: one whose count has come to the end stands for
    /// ever. What a source has taken back more often than promised, which no honest one does, is taken from its own alone.
    #[must_use]
    pub fn value(&self, cell: u32) -> u32 {
        let of = |tallies: &BTreeMap<u32, Tally>| tallies.get(&cell).map_or(0, Tally::standing);
        self.sources.values().map(of).fold(0, u32::saturating_add)
    }

    /// Takes what a message says, by the maximum of each cell. To hear it again, late or twice changes nothing.
    ///
    /// # Errors
    /// [`Error::Gossip`] for another epoch or shape, [`Error::TooMany`] for a source that no plan has.
    pub fn apply(&mut self, tallies: &Tallies) -> Result<(), Error> {
        if (tallies.epoch, tallies.cells, tallies.hashes) != (self.epoch, self.cells, self.hashes) {
            return Err(Error::Gossip { expected: "cells of this epoch and shape" });
        }
        check_source(tallies.source)?;
        if self.dropped.contains(&tallies.source) || tallies.told.is_empty() {
            return Ok(());
        }
        let ours = self.sources.entry(tallies.source).or_default();
        for (cell, tally) in &tallies.told {
            ours.entry(*cell).or_default().join(*tally);
        }
        Ok(())
    }

    /// Takes what another member knows of the same epoch.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn join(&mut self, other: &Self) -> Result<(), Error> {
        other.dropped.iter().for_each(|source| self.drop_source(*source));
        other.told().try_for_each(|tallies| self.apply(&tallies))
    }

    /// All that is known, as messages.
    pub fn told(&self) -> impl Iterator<Item = Tallies> {
        self.sources.iter().map(|(source, told)| self.tallies(*source, 0, told.clone()))
    }

    /// Takes out all that `source` said, and will have said: it is gone.
    pub fn drop_source(&mut self, source: u8) {
        self.dropped.insert(source);
        self.sources.remove(&source);
    }

    pub(super) fn tallies(&self, source: u8, seq: u64, told: BTreeMap<u32, Tally>) -> Tallies {
        let Self { epoch, cells, hashes, .. } = *self;
        Tallies { source, epoch, seq, cells, hashes, told }
    }

    /// The cells of a block, each once.
    fn places(&self, cid: &Cid) -> BTreeSet<u32> {
        let key = fingerprint(self.seed, cid).to_le_bytes();
        let places = Indices::new(&key, self.cells.into(), Rejection::Spec);
        let places = places.take(self.hashes.into());
        places.map(|place| u32::try_from(place).expect("below the number of cells")).collect()
    }

    fn change(&mut self, source: u8, cid: &Cid, change: fn(&mut Tally)) -> Vec<(u32, Tally)> {
        let places = self.places(cid);
        let ours = self.sources.entry(source).or_default();
        let changed = places.into_iter().map(|cell| {
            let tally = ours.entry(cell).or_default();
            change(tally);
            (cell, *tally)
        });
        changed.collect()
    }
}

/// What one source promises in the counting form, exactly: only what is in here can be taken back, so that no cell
/// is ever taken from somebody else's promise.
#[derive(Debug)]
pub struct Retractable {
    source: u8,
    seq: u64,
    promised: BTreeSet<Cid>,
    news: BTreeMap<u32, Tally>,
}

impl Retractable {
    /// Of the source at this place of the plan; one for each source and view.
    ///
    /// # Errors
    /// [`Error::TooMany`] for a place that no plan has.
    pub fn new(source: u8) -> Result<Self, Error> {
        check_source(source)?;
        let (promised, news) = Default::default();
        Ok(Self { source, seq: 0, promised, news })
    }

    /// Whether a promise stands.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.promised.contains(cid)
    }

    /// Promises a block in `view`; `false` where that stands already.
    pub fn promise(&mut self, view: &mut Counting, cid: &Cid) -> bool {
        let new = self.promised.insert(*cid);
        if new {
            self.news.extend(view.change(self.source, cid, Tally::promise));
        }
        new
    }

    /// Takes a promise back in `view`; `false`, and nothing is done, where none stands.
    pub fn retract(&mut self, view: &mut Counting, cid: &Cid) -> bool {
        let stood = self.promised.remove(cid);
        if stood {
            self.news.extend(view.change(self.source, cid, Tally::retract));
        }
        stood
    }

    /// The cells of `view` that changed since the last call, as they are now; `None` for none.
    pub fn take(&mut self, view: &Counting) -> Option<Tallies> {
        let told = core::mem::take(&mut self.news);
        let says = !told.is_empty();
        self.seq += u64::from(says);
        says.then(|| view.tallies(self.source, self.seq, told))
    }
}

fn check_source(source: u8) -> Result<(), Error> {
    check("sources", u64::from(source) + 1, MAX_MEMBERS as u64)
}

pub(super) fn check(what: &'static str, count: u64, max: u64) -> Result<(), Error> {
    match count {
        0 => Err(Error::Gossip { expected: "a cell and a hash at least" }),
        _ if count > max => Err(Error::TooMany { what, count, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, codec};

    fn key() -> SessionKey {
        SessionKey::new(&[1; 16])
    }

    fn cid(n: u32) -> Cid {
        *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid()
    }

    #[test]
    fn shapes_at_the_limits_and_one_past_them() {
        let of = |cells, hashes| Counting::new(&key(), 0, cells, hashes);
        assert!(of(MAX_TALLY_CELLS, MAX_TALLY_HASHES).is_ok() && of(1, 1).is_ok());
        assert!(of(MAX_TALLY_CELLS + 1, 1).is_err() && of(1, MAX_TALLY_HASHES + 1).is_err());
        assert!(of(0, 1).is_err() && of(1, 0).is_err());
        assert!(Retractable::new(63).is_ok() && Retractable::new(64).is_err());
    }

    #[test]
    fn what_was_not_promised_cannot_be_taken_back() {
        let mut view = Counting::new(&key(), 0, 64, 3).unwrap();
        let mut ours = Retractable::new(0).unwrap();
        assert!(!ours.retract(&mut view, &cid(1)));
        assert!(ours.promise(&mut view, &cid(1)) && !ours.promise(&mut view, &cid(1)));
        assert!(ours.retract(&mut view, &cid(1)) && !ours.retract(&mut view, &cid(1)));
        assert!(!view.is_provided(&cid(1)));
    }

    #[test]
    fn a_cell_at_the_end_of_its_count_stands_for_ever() {
        let mut view = Counting::new(&key(), 0, 1, 1).unwrap();
        let mut ours = Retractable::new(0).unwrap();
        let most = u32::from(u16::MAX);
        for n in 0..most {
            assert_eq!(view.value(0), n);
            ours.promise(&mut view, &cid(n));
        }
        assert_eq!(view.value(0), u32::MAX, "it may be more");
        ours.promise(&mut view, &cid(most));
        (0..most).for_each(|n| assert!(ours.retract(&mut view, &cid(n))));
        assert!(view.is_provided(&cid(most)));
    }

    /// It takes back what others promised.
    #[test]
    fn a_liar_takes_from_its_own_alone() {
        let mut view = Counting::new(&key(), 0, 1, 1).unwrap();
        let mut honest = Retractable::new(0).unwrap();
        honest.promise(&mut view, &cid(1));
        let mut lie = Tally::default();
        (0..9).for_each(|_| lie.retract());
        view.apply(&view.tallies(1, 1, [(0, lie)].into())).unwrap();
        assert!(view.is_provided(&cid(1)));
        view.drop_source(0);
        assert!(!view.is_provided(&cid(1)));
    }
}
