use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Bytes, Cid};

/// Look-ups, from when they are asked for until their CID is visited: a few at a time, so they are
/// found by place and not by hash.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    slots: Vec<Option<Lookup>>,
    free: Vec<usize>,
    /// Slots without an answer, in the order of asking, which is that of most answers.
    awaited: VecDeque<usize>,
}

#[derive(Debug)]
struct Lookup {
    cid: Cid,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Awaited,
    Came(Option<Bytes>),
}

/// What became of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Awaited,
    Answered,
    /// Its CID was visited from another place of the walk.
    Gone,
}

impl Lookups {
    /// Opens a look-up and returns its slot. No CID is looked up twice, so a slot and a CID
    /// together are never mistaken for another look-up.
    pub(crate) fn open(&mut self, cid: &Cid) -> usize {
        let lookup = Some(Lookup { cid: *cid, answer: Answer::Awaited });
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(free) => *free = lookup,
            None => self.slots.push(lookup),
        }
        self.awaited.push_back(slot);
        slot
    }

    /// Takes an answer; `false` when nobody asked.
    pub(crate) fn answer(&mut self, cid: &Cid, data: Option<Bytes>) -> bool {
        let asked = |slot: &usize| self.is_of(*slot, cid);
        let Some(place) = self.awaited.iter().position(asked) else { return false };
        let slot = self.awaited.remove(place).and_then(|slot| self.slots[slot].as_mut());
        if let Some(lookup) = slot {
            lookup.answer = Answer::Came(data);
        }
        true
    }

    fn is_of(&self, slot: usize, cid: &Cid) -> bool {
        self.slots[slot].as_ref().is_some_and(|lookup| lookup.cid == *cid)
    }

    pub(crate) fn state(&self, slot: usize, cid: &Cid) -> State {
        match self.slots.get(slot) {
            Some(Some(Lookup { cid: held, answer })) if held == cid => match answer {
                Answer::Awaited => State::Awaited,
                Answer::Came(_) => State::Answered,
            },
            _ => State::Gone,
        }
    }

    /// Closes an answered look-up and gives its answer out.
    pub(crate) fn close(&mut self, slot: usize) -> Option<Bytes> {
        let lookup = self.slots.get_mut(slot).and_then(Option::take)?;
        self.free.push(slot);
        match lookup.answer {
            Answer::Came(data) => data,
            Answer::Awaited => None,
        }
    }

    /// The slot of an open look-up of `cid`.
    pub(crate) fn find(&self, cid: &Cid) -> Option<usize> {
        (0..self.slots.len()).find(|slot| self.is_of(*slot, cid))
    }

    /// The CIDs of all open look-ups.
    pub(crate) fn cids(&self) -> impl Iterator<Item = &Cid> {
        self.slots.iter().flatten().map(|lookup| &lookup.cid)
    }

    /// How many look-ups are open.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
