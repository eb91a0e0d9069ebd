use alloc::collections::BTreeMap;
use carpool_core::Cid;

use super::{
    MAX_SESSION_FILTER_BYTES, MAX_SESSION_FINGERPRINTS, SessionKey, epochs::Epochs, facts::Facts,
    gossip::Gossip, key::fingerprint, layers,
};
use crate::{Error, SESSION_BYTES};

/// What one member of a session knows of who provides what: for each source and epoch what that said, which only
/// grows; joined by union, so that any two who were told the same know the same.
///
/// *Inverted*: what somebody promises nobody else need send. *Subtractive*: a source that is gone or an epoch that is
/// closed takes all that it said with it; no single promise is ever taken back, so none is lost by mistake.
#[derive(Clone, Debug)]
pub struct Provided {
    key: SessionKey,
    epochs: Epochs,
    components: BTreeMap<(u32, u8), Facts>,
    seeds: BTreeMap<u32, u64>,
    max_fingerprints: usize,
    max_filter_bytes: usize,
}

impl Provided {
    /// The view of the session of this name, in which nobody has said anything.
    #[must_use]
    pub fn new(session: &[u8; SESSION_BYTES]) -> Self {
        Self::bounded(session, MAX_SESSION_FINGERPRINTS, MAX_SESSION_FILTER_BYTES)
    }

    /// As [`new`](Self::new), of at most so many fingerprints, about 16 bytes each, and so many bytes of filters.
    #[must_use]
    pub fn bounded(
        session: &[u8; SESSION_BYTES],
        max_fingerprints: usize,
        max_filter_bytes: usize,
    ) -> Self {
        let key = SessionKey::new(session);
        let (epochs, components, seeds) = Default::default();
        Self { key, epochs, components, seeds, max_fingerprints, max_filter_bytes }
    }

    /// The session's keys.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Whether somebody promises to send this block.
    #[must_use]
    pub fn is_provided(&self, cid: &Cid) -> bool {
        self.of(cid).any(|(_, facts, fingerprint)| facts.provides(fingerprint))
    }

    /// Whether somebody other than `source` does.
    #[must_use]
    pub fn is_provided_beside(&self, source: u8, cid: &Cid) -> bool {
        self.of(cid).any(|(by, facts, fingerprint)| by != source && facts.provides(fingerprint))
    }

    /// In how many sources' epochs it is promised: the sum of all components, as a counting filter has it.
    #[must_use]
    pub fn count(&self, cid: &Cid) -> usize {
        self.of(cid).filter(|(_, facts, fingerprint)| facts.provides(*fingerprint)).count()
    }

    /// Whether `source` says that it does not have this block.
    #[must_use]
    pub fn is_lacked_by(&self, source: u8, cid: &Cid) -> bool {
        self.of(cid)
            .any(|(by, facts, fingerprint)| by == source && facts.lacking.contains(&fingerprint))
    }

    /// Of what is wanted, what nobody promises.
    pub fn outstanding<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a Cid>,
    ) -> impl Iterator<Item = &'a Cid> {
        wanted.into_iter().filter(|cid| !self.is_provided(cid))
    }

    /// Whether `source` has sent all that it sends in this epoch, or is gone.
    #[must_use]
    pub fn is_done(&self, source: u8, epoch: u32) -> bool {
        !self.epochs.counts(source, epoch)
            || self.components.get(&(epoch, source)).is_some_and(|facts| facts.done)
    }

    /// Whether the epoch is closed: nothing that is said in it counts.
    #[must_use]
    pub fn is_closed(&self, epoch: u32) -> bool {
        self.epochs.is_closed(epoch)
    }

    /// Takes out all that `source` said, and will have said: it is gone. What it promised is outstanding again.
    pub fn drop_source(&mut self, source: u8) {
        self.epochs.drop_source(source);
        self.forget();
    }

    /// Closes an epoch whose blocks the sink holds, which it acknowledges by this: all that was said in it is
    /// folded into what the sink holds, and forgotten. `false`, and nothing is done, while any of `members` is
    /// at work in it and not gone.
    ///
    /// # Errors
    /// [`Error::TooMany`] for an epoch that is [`MAX_OPEN_EPOCHS`](super::MAX_OPEN_EPOCHS) or more beyond the first open one.
    pub fn close(
        &mut self,
        epoch: u32,
        members: impl IntoIterator<Item = u8>,
    ) -> Result<bool, Error> {
        self.epochs.check_epoch(epoch)?;
        if !members.into_iter().all(|source| self.is_done(source, epoch)) {
            return Ok(false);
        }
        self.epochs.close(epoch)?;
        self.forget();
        Ok(true)
    }

    /// Closes all epochs before this one.
    pub(crate) fn close_before(&mut self, epoch: u32) {
        self.epochs.join(&Epochs { floor: epoch, ..Epochs::default() });
        self.forget();
    }

    /// Takes what a message says. To hear it again, late or twice changes nothing.
    ///
    /// # Errors
    /// [`Error::TooMany`] and [`Error::Saturated`] past a limit; nothing of it is taken then.
    pub fn apply(&mut self, gossip: &Gossip) -> Result<(), Error> {
        let mut epochs = self.epochs;
        epochs.join(&gossip.epochs);
        if !gossip.facts.is_empty() && epochs.counts(gossip.source, gossip.epoch) {
            epochs.check(gossip.source, gossip.epoch)?;
            self.add(gossip.source, gossip.epoch, &gossip.facts)?;
        }
        self.epochs = epochs;
        self.forget();
        Ok(())
    }

    /// Takes what another member of the session knows.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); what came before it is taken.
    pub fn join(&mut self, other: &Self) -> Result<(), Error> {
        other.told().try_for_each(|gossip| self.apply(&gossip))
    }

    /// All that is known, as messages that say it to somebody who was told nothing.
    pub fn told(&self) -> impl Iterator<Item = Gossip> {
        let epochs = self.epochs;
        let facts = self.components.iter().map(move |((epoch, source), facts)| Gossip {
            source: *source,
            epoch: *epoch,
            seq: 0,
            epochs,
            facts: facts.clone(),
        });
        [Gossip { epochs, ..Gossip::default() }].into_iter().chain(facts)
    }

    pub(super) fn check(&self, source: u8, epoch: u32) -> Result<(), Error> {
        self.epochs.check(source, epoch)
    }

    /// A promise of our own that goes into a layer with room for it.
    pub(super) fn insert(
        &mut self,
        source: u8,
        epoch: u32,
        layer: u8,
        fingerprint: u64,
    ) -> Result<(), Error> {
        self.check(source, epoch)?;
        let grows = !self.facts(source, epoch).is_some_and(|facts| facts.layers.has(layer));
        self.check_filters(if grows { layers::bytes(layer) } else { 0 })?;
        self.components.entry((epoch, source)).or_default().layers.insert(layer, fingerprint);
        self.forget();
        Ok(())
    }

    pub(super) fn facts(&self, source: u8, epoch: u32) -> Option<&Facts> {
        self.components.get(&(epoch, source))
    }

    pub(super) fn fingerprint(&self, epoch: u32, cid: &Cid) -> u64 {
        let seed = self.seeds.get(&epoch).copied();
        fingerprint(seed.unwrap_or_else(|| self.key.seed(epoch)), cid)
    }

    /// What each source says in each epoch, and the block's fingerprint there.
    fn of(&self, cid: &Cid) -> impl Iterator<Item = (u8, &Facts, u64)> {
        let mut last = None;
        self.components.iter().map(move |((epoch, source), facts)| {
            let known = last.filter(|(of, _)| of == epoch).map(|(_, known)| known);
            let fingerprint = known.unwrap_or_else(|| self.fingerprint(*epoch, cid));
            last = Some((*epoch, fingerprint));
            (*source, facts, fingerprint)
        })
    }

    fn add(&mut self, source: u8, epoch: u32, facts: &Facts) -> Result<(), Error> {
        self.check_room(source, epoch, facts)?;
        let seed = self.key.seed(epoch);
        let component = self.components.entry((epoch, source)).or_default();
        let added = component.join(facts);
        if component.is_empty() {
            self.components.remove(&(epoch, source));
        }
        self.seeds.insert(epoch, seed);
        added
    }

    /// By what it might take, so that it is known before anything is.
    fn check_room(&self, source: u8, epoch: u32, facts: &Facts) -> Result<(), Error> {
        let ours = self.facts(source, epoch);
        let (mut count, max) = (self.len() + facts.len(), self.max_fingerprints);
        if count > max {
            count -= ours.map_or(0, |ours| ours.in_common(facts));
        }
        if count > max {
            return Err(too_many("fingerprints of a session", count, max));
        }
        let grown = ours.map_or_else(
            || facts.layers.bytes(),
            |ours| ours.layers.bytes_with(&facts.layers) - ours.layers.bytes(),
        );
        self.check_filters(grown)
    }

    fn check_filters(&self, grown: usize) -> Result<(), Error> {
        let others = self.components.values().map(|facts| facts.layers.bytes()).sum::<usize>();
        let (bytes, max) = (others + grown, self.max_filter_bytes);
        if bytes > max { Err(too_many("bytes of filters", bytes, max)) } else { Ok(()) }
    }

    fn len(&self) -> usize {
        self.components.values().map(Facts::len).sum()
    }

    fn forget(&mut self) {
        let epochs = self.epochs;
        self.components.retain(|(epoch, source), _| epochs.counts(*source, *epoch));
        self.seeds.retain(|epoch, _| !epochs.is_closed(*epoch));
    }
}

fn too_many(what: &'static str, count: usize, max: usize) -> Error {
    Error::TooMany { what, count: count as u64, max: max as u64 }
}

/// Views are alike that know the same.
impl PartialEq for Provided {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.epochs, &self.components) == (&other.key, other.epochs, &other.components)
    }
}

impl Eq for Provided {}

#[cfg(test)]
mod tests {
    use super::super::MAX_FINGERPRINTS;
    use super::*;

    fn saying(source: u8, epoch: u32, facts: Facts) -> Gossip {
        Gossip { source, epoch, facts, ..Gossip::default() }
    }

    #[test]
    fn fingerprints_of_a_session_at_the_limit_and_one_past_it() {
        let mut view = Provided::new(&[1; 16]);
        let full = Facts { provided: (0..MAX_FINGERPRINTS as u64).collect(), ..Facts::default() };
        let sources = MAX_SESSION_FINGERPRINTS / MAX_FINGERPRINTS;
        for source in 0..u8::try_from(sources).unwrap() {
            assert_eq!(view.apply(&saying(source, 0, full.clone())), Ok(()));
        }
        let one = Facts { provided: [1].into(), ..Facts::default() };
        let (count, max) = (MAX_SESSION_FINGERPRINTS + 1, MAX_SESSION_FINGERPRINTS);
        let refused = too_many("fingerprints of a session", count, max);
        assert_eq!(view.apply(&saying(63, 0, one.clone())), Err(refused));
        assert_eq!(view.apply(&saying(1, 0, full)), Ok(()), "it is known");
        view.drop_source(0);
        assert_eq!(view.apply(&saying(63, 0, one)), Ok(()));
    }

    #[test]
    fn bytes_of_filters_at_the_limit_and_one_past_it() {
        let mut view = Provided::new(&[1; 16]);
        let of = |layer| {
            let mut facts = Facts::default();
            facts.layers.insert(layer, 1);
            facts
        };
        for source in 0..16 {
            assert_eq!(view.apply(&saying(source, 0, of(10))), Ok(()));
        }
        let (bytes, max) = (MAX_SESSION_FILTER_BYTES + layers::bytes(0), MAX_SESSION_FILTER_BYTES);
        assert_eq!(
            view.apply(&saying(16, 0, of(0))),
            Err(too_many("bytes of filters", bytes, max))
        );
        assert_eq!(view.apply(&saying(15, 0, of(10))), Ok(()), "it has that layer");
    }

    #[test]
    fn an_epoch_closes_when_all_that_live_are_done() {
        let mut view = Provided::new(&[1; 16]);
        let done = Facts { done: true, ..Facts::default() };
        view.apply(&saying(0, 0, done)).unwrap();
        assert_eq!(view.close(0, [0, 1]), Ok(false));
        view.drop_source(1);
        assert_eq!(view.close(0, [0, 1]), Ok(true));
        assert!(view.is_closed(0) && view.components.is_empty());
    }
}
