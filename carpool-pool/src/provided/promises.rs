use alloc::collections::BTreeSet;
use carpool_core::Cid;

use super::{Gossip, MAX_FINGERPRINTS, MAX_LAYERS, Provided, facts::Facts, layers::capacity};
use crate::Error;

/// What one source says in one epoch, as it goes: it notes each promise in its own view and keeps what the
/// others are still to be told.
#[derive(Debug)]
pub struct Promises {
    source: u8,
    epoch: u32,
    seq: u64,
    news: Facts,
    /// Layers that changed since the last message.
    changed: BTreeSet<u8>,
    /// The layer that is being filled, and how many are in it.
    filling: (u8, u64),
}

impl Promises {
    /// Of the source at this place of the plan of this epoch. There is one at a time: what it does not keep, a
    /// second one would say in another way.
    #[must_use]
    pub fn new(source: u8, epoch: u32) -> Self {
        let (news, changed) = Default::default();
        Self { source, epoch, seq: 0, news, changed, filling: (0, 0) }
    }

    /// Promises to send a block, in `view` at once. `false` where that was promised before here, and where no more
    /// can be promised: then others may send it as well.
    ///
    /// # Errors
    /// [`Error::TooMany`] for an epoch or a source that is none, and where `view` has no room.
    pub fn promise(&mut self, view: &mut Provided, cid: &Cid) -> Result<bool, Error> {
        let fingerprint = view.fingerprint(self.epoch, cid);
        let known = view.facts(self.source, self.epoch);
        if known.is_some_and(|facts| facts.provides(fingerprint)) {
            return Ok(false);
        }
        let exact = known.map_or(0, |facts| facts.provided.len()) < MAX_FINGERPRINTS;
        if exact {
            self.say(view, Facts { provided: [fingerprint].into(), ..Facts::default() })?;
            return Ok(true);
        }
        let Some(layer) = self.layer() else { return Ok(false) };
        view.insert(self.source, self.epoch, layer, fingerprint)?;
        self.changed.insert(layer);
        Ok(true)
    }

    /// Says that a block is not held, so that the next in preference sends it. `false` where that was said before.
    ///
    /// # Errors
    /// As [`promise`](Self::promise).
    pub fn lack(&mut self, view: &mut Provided, cid: &Cid) -> Result<bool, Error> {
        let fingerprint = view.fingerprint(self.epoch, cid);
        let known = view.facts(self.source, self.epoch);
        if known.is_some_and(|facts| facts.lacking.contains(&fingerprint)) {
            return Ok(false);
        }
        self.say(view, Facts { lacking: [fingerprint].into(), ..Facts::default() })?;
        Ok(true)
    }

    /// Says that all of it was sent.
    ///
    /// # Errors
    /// As [`promise`](Self::promise).
    pub fn finish(&mut self, view: &mut Provided) -> Result<(), Error> {
        self.say(view, Facts { done: true, ..Facts::default() })
    }

    /// What was said in `view` since the last call; `None` for nothing.
    pub fn take(&mut self, view: &Provided) -> Option<Gossip> {
        let mut facts = core::mem::take(&mut self.news);
        let changed = core::mem::take(&mut self.changed);
        if let Some(known) = view.facts(self.source, self.epoch) {
            facts.layers = known.layers.only(&changed);
        }
        let says = !facts.is_empty();
        self.seq += u64::from(says);
        let (source, epoch, seq) = (self.source, self.epoch, self.seq);
        says.then(|| Gossip { source, epoch, seq, facts, ..Gossip::default() })
    }

    fn say(&mut self, view: &mut Provided, facts: Facts) -> Result<(), Error> {
        let (source, epoch) = (self.source, self.epoch);
        view.check(source, epoch)?;
        let gossip = Gossip { source, epoch, facts, ..Gossip::default() };
        view.apply(&gossip)?;
        self.news.join(&gossip.facts)
    }

    /// The layer that has room for one more.
    fn layer(&mut self) -> Option<u8> {
        let (layer, count) = &mut self.filling;
        if *count >= capacity(*layer) {
            (*layer, *count) = (*layer + 1, 0);
        }
        *count += 1;
        (*layer < MAX_LAYERS).then_some(*layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, codec};

    fn cid(n: usize) -> Cid {
        *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid()
    }

    /// What does not fit exactly goes into layers, and comes as well.
    #[test]
    fn promises_at_the_limit_and_past_it() {
        let (mut view, mut other) = (Provided::new(&[1; 16]), Provided::new(&[1; 16]));
        let mut ours = Promises::new(0, 0);
        let count = MAX_FINGERPRINTS + 5000;
        for n in 0..count {
            assert!(ours.promise(&mut view, &cid(n)).unwrap());
            assert!(!ours.promise(&mut view, &cid(n)).unwrap());
            if n == MAX_FINGERPRINTS - 1 || n == count - 1 {
                let gossip = ours.take(&view).expect("promises");
                assert_eq!(gossip.facts.layers.is_empty(), n < MAX_FINGERPRINTS);
                let bytes = gossip.encode(view.key());
                other.apply(&Gossip::decode(other.key(), &bytes).unwrap()).unwrap();
            }
        }
        assert!(ours.take(&view).is_none() && view == other);
        assert!((0..count).all(|n| other.is_provided(&cid(n))));
        assert!((count..count + 1000).all(|n| !other.is_provided(&cid(n))));
    }

    #[test]
    fn layers_fill_one_after_the_other_and_then_nothing_more_is_promised() {
        let mut ours = Promises::new(0, 0);
        for layer in 0..MAX_LAYERS {
            (0..capacity(layer)).for_each(|_| assert_eq!(ours.layer(), Some(layer)));
        }
        assert_eq!((ours.layer(), ours.layer()), (None, None));
    }

    #[test]
    fn who_is_gone_is_not_heard() {
        let mut view = Provided::new(&[1; 16]);
        let mut ours = Promises::new(3, 0);
        ours.promise(&mut view, &cid(1)).unwrap();
        let late = ours.take(&view).expect("a promise");
        view.drop_source(3);
        view.apply(&late).unwrap();
        assert!(!view.is_provided(&cid(1)) && view.is_done(3, 0));
    }
}
