//! What the sink tells sources that gossip, and what it hears of them.

use alloc::{collections::BTreeMap, vec::Vec};
use carpool_core::Cid;

use super::{Pool, PoolOutput};
use crate::{
    Error, Part,
    frontier::Id,
    provided::{Gossip, Promises, Provided},
    source::{Gone, SourceId},
};

/// What is said in a session, as the sink knows it.
#[derive(Debug)]
pub(super) struct Session {
    view: Provided,
    /// What the sink says for sources that it asks by name, by source and epoch.
    promises: BTreeMap<(SourceId, u32), Promises>,
}

impl Session {
    pub(super) fn new(name: &[u8; crate::SESSION_BYTES]) -> Self {
        Self { view: Provided::new(name), promises: BTreeMap::new() }
    }

    /// That one source is asked for these blocks, so that others leave them out; `None` where that was said before,
    /// and past a limit, which costs blocks that come twice.
    fn promise(&mut self, source: SourceId, epoch: u32, cids: &[Cid]) -> Option<Vec<u8>> {
        let new = || Promises::new(source, epoch);
        let promises = self.promises.entry((source, epoch)).or_insert_with(new);
        for cid in cids {
            let _said = promises.promise(&mut self.view, cid);
        }
        Some(promises.take(&self.view)?.encode(self.view.key()))
    }

    fn of_epochs(&self) -> Option<Vec<u8>> {
        Some(self.view.told().next()?.encode(self.view.key()))
    }
}

impl Pool {
    /// A source said something to the other members of the session, which the sink tells them. Who says what cannot be
    /// true is dropped.
    pub fn handle_message(&mut self, source: SourceId, message: &[u8]) {
        let of = self.sources.get(usize::from(source));
        if self.over || of.is_none_or(|of| of.is_gone() || !of.kind.gossips) {
            return;
        }
        match self.hear(source, message) {
            Ok(Some(message)) if self.options.takes_over => {
                self.tell_others(Some(source), &message);
            }
            Ok(_) => {}
            Err(_) => self.drop_source(source, Gone::Lied),
        }
        self.stirred = true;
    }

    /// What the others are to hear of it. Which epochs are closed, and who is gone, the sink says.
    fn hear(&mut self, source: SourceId, message: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let view = &mut self.session.view;
        let gossip = Gossip::decode(view.key(), message)?;
        if gossip.source() != source {
            return Err(Error::Forged);
        }
        let Some(gossip) = gossip.of_source() else { return Ok(None) };
        match view.apply(&gossip) {
            // It may be much and yet true.
            Ok(()) | Err(Error::TooMany { .. }) => Ok(Some(gossip.encode(view.key()))),
            Err(error) => Err(error),
        }
    }

    /// What a source does beside sending its share.
    pub(super) fn part(&self, source: SourceId) -> Option<Part> {
        let part = if self.options.takes_over { Part::TakesOver } else { Part::Minds };
        self.sources[usize::from(source)].kind.gossips.then_some(part)
    }

    /// Whether anybody leaves out what others are asked for.
    pub(super) fn is_heard(&self) -> bool {
        (0..).zip(&self.sources).any(|(source, of)| of.kind.gossips && self.sends_share(source))
    }

    /// Tells those who send shares that a source is asked for these blocks by name.
    pub(super) fn tell_asked(&mut self, source: SourceId, ids: &[Id], cids: &[Cid]) {
        let Some(epoch) = self.epoch().filter(|_| self.is_heard()) else { return };
        // The reserve is nobody's.
        let shared = |(id, cid): &(&Id, &Cid)| self.is_of_a_share(**id, cid);
        let told: Vec<Cid> = ids.iter().zip(cids).filter(shared).map(|(_, cid)| *cid).collect();
        if let Some(message) = self.session.promise(source, epoch, &told) {
            self.tell_others(Some(source), &message);
        }
    }

    /// Whether another source than `victim` says that it sends a block.
    pub(super) fn is_promised(&self, victim: SourceId, cid: &Cid) -> bool {
        self.session.view.is_provided_beside(victim, cid)
    }

    /// What a source that is gone promised is outstanding again.
    pub(super) fn tell_gone(&mut self, source: SourceId) {
        self.session.view.drop_source(source);
        self.tell_epochs(Some(source));
    }

    /// Nothing is under way in the epochs before this one any more.
    pub(super) fn close_before(&mut self, epoch: u32) {
        self.session.view.close_before(epoch);
        self.session.promises.retain(|(_, of), _| *of >= epoch);
        self.tell_epochs(None);
    }

    fn tell_epochs(&mut self, beside: Option<SourceId>) {
        if let Some(message) = self.session.of_epochs().filter(|_| self.is_heard()) {
            self.tell_others(beside, &message);
        }
    }

    fn tell_others(&mut self, beside: Option<SourceId>, message: &[u8]) {
        for (source, of) in (0..).zip(&self.sources) {
            if beside != Some(source) && of.kind.gossips && self.sends_share(source) {
                self.outputs.push_back(PoolOutput::Tell { source, message: message.to_vec() });
            }
        }
    }
}
