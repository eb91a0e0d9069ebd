use alloc::collections::VecDeque;

use carpool_core::{Bytes, Cid, Limits, identity_data};

use crate::Error;

/// Loads asked for ahead of the one that is needed next.
const WINDOW: usize = 16;
/// Loads that wait or are answered and not yet used, at most: a window at each of four depths.
const MAX_BUSY: usize = 4 * WINDOW;
/// Bytes of blocks that wait for their turn, beyond which nothing is asked for ahead.
const MAX_HELD_BYTES: usize = 32 << 20;

/// What remains of a depth-first walk, in the order of visits: blocks to be loaded and, between
/// them, items that need none. Asks for some blocks ahead; answers may come in any order.
#[derive(Debug)]
pub(crate) struct Frontier<T> {
    slots: VecDeque<Slot<T>>,
    /// Slots that wait for an answer.
    asked: usize,
    /// Those, and the ones that have theirs.
    busy: usize,
    /// Bytes of answers.
    held: usize,
    /// Something has changed since [`Self::next_load`] found nothing.
    stale: bool,
    max_pending: usize,
}

#[derive(Debug)]
struct Slot<T> {
    cid: Cid,
    item: T,
    state: State,
}

#[derive(Debug)]
enum State {
    NoLoad,
    Unasked,
    Asked,
    Answered(Option<Bytes>),
}

/// An item at the front whose time has come.
pub(crate) struct Visit<T> {
    pub(crate) cid: Cid,
    pub(crate) item: T,
    /// The block, unless the item needs none or the store has it not.
    pub(crate) block: Option<Bytes>,
}

impl<T> Frontier<T> {
    pub(crate) fn new(root: Cid, item: T, limits: &Limits) -> Self {
        let max_pending = limits.max_links.saturating_mul(4);
        let slots = VecDeque::from([Slot::new(root, item, true)]);
        Self { slots, asked: 0, busy: 0, held: 0, stale: true, max_pending }
    }

    /// Puts what is below `parent` before everything else; `bool` is whether it needs its block.
    pub(crate) fn push_front<I>(&mut self, parent: &Cid, children: I) -> Result<(), Error>
    where
        I: DoubleEndedIterator<Item = (Cid, T, bool)>,
    {
        for (cid, item, load) in children.rev() {
            if self.slots.len() == self.max_pending {
                return Err(Error::TooManyPending { cid: *parent, max: self.max_pending });
            }
            self.slots.push_front(Slot::new(cid, item, load));
        }
        self.stale = true;
        Ok(())
    }

    /// Gives a block, or that there is none, to everything that waits for it or soon will.
    pub(crate) fn handle_load(&mut self, cid: &Cid, block: Option<&Bytes>) {
        let mut open = self.asked;
        for at in 0..self.slots.len() {
            if at >= WINDOW && open == 0 {
                break;
            }
            let slot = &self.slots[at];
            let waits = matches!(slot.state, State::Asked);
            let soon = at < WINDOW && matches!(slot.state, State::Unasked);
            open -= usize::from(waits);
            if slot.cid == *cid && (waits || soon) {
                self.answer(at, block.cloned());
            }
        }
        self.stale = true;
    }

    /// The next block to ask for.
    pub(crate) fn next_load(&mut self) -> Option<Cid> {
        if !self.stale {
            return None;
        }
        let mut loads = 0;
        for at in 0..self.slots.len() {
            if loads == WINDOW {
                break;
            }
            loads += usize::from(!matches!(self.slots[at].state, State::NoLoad));
            if !matches!(self.slots[at].state, State::Unasked) {
                continue;
            }
            if loads > 1 && (self.busy >= MAX_BUSY || self.held >= MAX_HELD_BYTES) {
                break;
            }
            if let Some(cid) = self.ask(at) {
                return Some(cid);
            }
        }
        self.stale = false;
        None
    }

    /// Takes the front when nothing about it is outstanding.
    pub(crate) fn take(&mut self) -> Option<Visit<T>> {
        if matches!(self.slots.front()?.state, State::Unasked | State::Asked) {
            return None;
        }
        let Slot { cid, item, state } = self.slots.pop_front()?;
        let block = if let State::Answered(block) = state {
            self.busy -= 1;
            self.held -= block.as_ref().map_or(0, Bytes::len);
            self.stale = true;
            block
        } else {
            None
        };
        Some(Visit { cid, item, block })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Marks a slot as asked for; `None` when an identity CID or a neighbour has the answer, or a
    /// neighbour waits for it.
    fn ask(&mut self, at: usize) -> Option<Cid> {
        let cid = self.slots[at].cid;
        if let Some(data) = identity_data(&cid) {
            let data = Bytes::copy_from_slice(data);
            self.answer(at, Some(data));
            return None;
        }
        let before = self.slots.range(..at).find(|slot| slot.cid == cid);
        if let Some(Slot { state: State::Answered(block), .. }) = before {
            let block = block.clone();
            self.answer(at, block);
            return None;
        }
        let waits = before.is_some_and(|slot| matches!(slot.state, State::Asked));
        (self.busy, self.asked) = (self.busy + 1, self.asked + 1);
        self.slots[at].state = State::Asked;
        (!waits).then_some(cid)
    }

    fn answer(&mut self, at: usize, block: Option<Bytes>) {
        let slot = &mut self.slots[at];
        self.busy += usize::from(matches!(slot.state, State::Unasked));
        self.asked -= usize::from(matches!(slot.state, State::Asked));
        self.held += block.as_ref().map_or(0, Bytes::len);
        slot.state = State::Answered(block);
    }
}

impl<T> Slot<T> {
    const fn new(cid: Cid, item: T, load: bool) -> Self {
        let state = if load { State::Unasked } else { State::NoLoad };
        Self { cid, item, state }
    }
}
