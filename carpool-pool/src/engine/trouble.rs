//! Requests that end, sources that fail, and what becomes of their work.

use alloc::vec::Vec;

use super::{AGAIN, LOST, Pool, PoolOutcome, PoolOutput, Trouble};
use crate::{
    frontier::ListId,
    request::{RequestId, Way},
    source::{Gone, SourceId, State},
};

/// Bytes that a block which waits takes beside its own.
pub(super) const WAITING: u64 = 64;

/// CIDs that an outcome names.
const NAMED: usize = 16;

const fn bit(source: SourceId) -> u64 {
    1 << source
}

impl Pool {
    /// The answer to a request ended: what it did not bring its source does not have.
    pub fn handle_end(&mut self, request: RequestId, now: u64) {
        self.note_begun(request, now);
        let Some(of) = self.requests.get(&request).copied() else { return };
        let left = self.frontier.len(of.list);
        if of.way == Way::Named && !of.stolen {
            let hits = &mut self.sources[usize::from(of.source)].hits;
            *hits = (hits.0 + of.named, hits.1 + of.named.saturating_sub(left as u64));
        }
        self.narrow = match of.way {
            Way::Named if left == 0 && self.frontier.wanted() <= 1 => self.narrow + 1,
            Way::Named | Way::Below | Way::Share => 0,
        };
        self.close(request, bit(of.source));
    }

    /// A request came to something else.
    pub fn handle_trouble(&mut self, request: RequestId, trouble: Trouble, now: u64) {
        let Some(of) = self.requests.get(&request).copied() else { return };
        match trouble {
            Trouble::Lie => self.drop_source(of.source, Gone::Lied),
            Trouble::Refused => {
                self.sources[usize::from(of.source)].tally.failures += 1;
                self.close(request, bit(of.source));
            }
            Trouble::Broken => {
                self.close(request, 0);
                self.fail(of.source, now);
            }
        }
    }

    /// When [`poll`](Self::poll) may have something though nothing came: a source stands still, or has rested.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.over {
            return None;
        }
        let at = |(place, source): (usize, &crate::source::Source)| match source.state {
            State::Resting => Some(source.rests_until),
            State::Ready if source.open > 0 && !source.is_paused() => {
                Some(source.last_sign + self.patience(place))
            }
            State::Ready | State::Gone(_) => None,
        };
        self.sources
            .iter()
            .enumerate()
            .filter_map(at)
            .chain(self.looks_at_plan())
            .chain(self.next_overdue())
            .min()
    }

    fn patience(&self, place: usize) -> u64 {
        self.options.stall.max(3 * self.sources[place].rtt())
    }

    /// Whether a source is at work and brings nothing, though bytes may come.
    pub(super) fn dawdles(&self, source: SourceId, now: u64) -> bool {
        let of = &self.sources[usize::from(source)];
        let since = of.last_block + self.patience(usize::from(source));
        of.open > 0 && !of.is_paused() && now >= since
    }

    pub(super) fn expire(&mut self, now: u64) {
        self.stirred |= self.overdue.is_some_and(|at| now >= at);
        self.overdue = self.next_overdue();
        for place in 0..self.sources.len() {
            let source = &mut self.sources[place];
            if core::mem::take(&mut source.resumed) {
                // It was not read, so its silence meant nothing.
                (source.last_sign, source.last_block) = (now, now);
            }
            let id = SourceId::try_from(place).expect("sources are few");
            match source.state {
                State::Resting if now >= source.rests_until => {
                    self.sources[place].state = State::Ready;
                    self.stirred = true;
                }
                State::Ready if source.open > 0 && !source.is_paused() => {
                    if now >= source.last_sign + self.patience(place) {
                        self.give_up(id);
                        self.fail(id, now);
                    }
                    self.stirred |= self.dawdles(id, now);
                }
                State::Ready | State::Resting | State::Gone(_) => {}
            }
        }
        self.stirred |= self.looks_again(now);
    }

    /// Cancels all that a source was asked for.
    fn give_up(&mut self, source: SourceId) {
        let of = self.requests.iter().filter(|(_, request)| request.source == source);
        let all: Vec<RequestId> = of.map(|(request, _)| *request).collect();
        all.into_iter().for_each(|request| self.cancel(request));
    }

    fn fail(&mut self, source: SourceId, now: u64) {
        let of = &mut self.sources[usize::from(source)];
        if of.is_gone() {
            return;
        }
        of.tally.failures += 1;
        of.failures += 1;
        if of.failures >= self.options.max_failures {
            return self.drop_source(source, Gone::Failed);
        }
        let rest = (self.options.stall / 4) << of.failures;
        (of.state, of.rests_until) = (State::Resting, now + rest);
        self.stirred = true;
    }

    pub(super) fn cancel(&mut self, request: RequestId) {
        if let Some(of) = self.requests.get(&request) {
            self.outputs.push_back(PoolOutput::Cancel { source: of.source, request });
            self.close(request, 0);
        }
    }

    /// Ends a request; what it did not bring is to be asked of others, if it is `lacking` there.
    fn close(&mut self, request: RequestId, lacking: u64) {
        let Some(of) = self.requests.remove(&request) else { return };
        while let Some(id) = self.frontier.first(of.list) {
            match of.way {
                Way::Named => self.frontier.note_lacking(id, lacking),
                // Below a node that it does not have it cannot walk, whatever it has there.
                Way::Below | Way::Share => self.frontier.note_withheld(id, lacking),
            }
            self.free(id);
        }
        self.asked[of.list as usize] = None;
        self.spare.push(of.list);
        let source = &mut self.sources[usize::from(of.source)];
        source.open -= 1;
        source.streams -= u32::from(of.way != Way::Named);
        source.lists.retain(|list| *list != of.list);
        if source.open == 0 {
            source.note_idle();
        }
        source.paused -= u32::from(of.paused);
        if let Some(sharing) = &mut self.sharing {
            sharing.close(of.source, request);
        }
        self.stirred = true;
    }

    pub(super) fn drop_source(&mut self, source: SourceId, why: Gone) {
        let Some(of) = self.sources.get_mut(usize::from(source)) else { return };
        if of.is_gone() || self.over {
            return;
        }
        of.state = State::Gone(why);
        self.give_up(source);
        // What an honest source was ahead by is of use.
        if !matches!(why, Gone::Left | Gone::Failed) {
            self.forget_waiting(source);
        }
        self.tell_gone(source);
        self.outputs.push_back(PoolOutput::Drop { source, why });
        self.stirred = true;
    }

    /// What a source brought that belongs to nothing goes with it; it is asked of others when it is wanted.
    fn forget_waiting(&mut self, source: SourceId) {
        let mut theirs = Vec::new();
        self.waiting.for_each(|cid, (from, _)| {
            if *from == source {
                theirs.extend(carpool_core::cid_exact(cid).ok());
            }
        });
        // A table has no order, and outputs have.
        theirs.sort_unstable();
        for cid in theirs {
            if let Some((source, bytes)) = self.waiting.remove(&cid) {
                let of = &mut self.sources[usize::from(source)];
                of.waiting -= u64::from(bytes) + WAITING;
                of.tally.blocks -= 1;
                of.tally.bytes -= u64::from(bytes);
            }
            self.outputs.push_back(PoolOutput::Discard(cid));
        }
    }

    pub(super) fn note_connected(&mut self, source: SourceId, bytes: u32) {
        let of = &mut self.sources[usize::from(source)];
        of.waiting -= u64::from(bytes) + WAITING;
        if of.paused > 0 && of.waiting <= self.options.max_waiting / 2 {
            let theirs = self.requests.iter().filter(|(_, of)| of.source == source && of.paused);
            let all: Vec<RequestId> = theirs.map(|(request, _)| *request).collect();
            all.into_iter().for_each(|request| self.resume(request));
        }
    }

    /// Its source is ahead of others by more than is allowed. What brings the next block that is wanted is read
    /// on, up to twice as much: everything waits for it.
    pub(super) fn pause(&mut self, source: SourceId, request: RequestId) {
        let next = self.next_list();
        let Some(of) = self.requests.get_mut(&request).filter(|of| !of.paused) else { return };
        let far = self.sources[usize::from(source)].waiting > 2 * self.options.max_waiting;
        if far || next != Some(of.list) {
            of.paused = true;
            self.sources[usize::from(source)].paused += 1;
            self.outputs.push_back(PoolOutput::Pause { source, request });
            self.stirred = true;
        }
    }

    fn resume(&mut self, request: RequestId) {
        let Some(of) = self.requests.get_mut(&request).filter(|of| of.paused) else { return };
        of.paused = false;
        let source = &mut self.sources[usize::from(of.source)];
        source.paused -= 1;
        source.resumed = true;
        self.outputs.push_back(PoolOutput::Resume { source: of.source, request });
    }

    /// The list of the first block that is wanted, in the order of a walk.
    fn next_list(&self) -> Option<ListId> {
        self.frontier.first_wanted().and_then(|id| self.frontier.list(id))
    }

    pub(super) fn waste(&mut self, source: SourceId, bytes: u64) {
        let of = &mut self.sources[usize::from(source)];
        of.wasted += bytes + WAITING;
        if of.wasted > self.options.max_wasted {
            self.drop_source(source, Gone::Wasteful);
        }
    }

    /// A source that joins may have what nobody had.
    pub(super) fn revive_lost(&mut self) {
        while let Some(id) = self.frontier.first(LOST) {
            self.frontier.put(id, AGAIN, None);
        }
    }

    /// Ends the transfer where nothing more can come.
    pub(super) fn conclude(&mut self) {
        if !self.outputs.is_empty() || self.looking > 0 {
            self.stirred = true;
            return;
        }
        if self.frontier.wanted() == 0 {
            return self.finish();
        }
        if self.requests.values().any(|of| !of.paused) {
            return;
        }
        if !self.requests.is_empty() {
            return self.drop_unconnected();
        }
        if self.sources.iter().any(|source| source.state == State::Resting) {
            return;
        }
        if self.frontier.wanted() > self.frontier.len(LOST) {
            self.give_up_lost();
        }
        self.finish();
    }

    /// Everybody who still sends is ahead of what nobody sends: what the first of them brought belongs to
    /// nothing.
    fn drop_unconnected(&mut self) {
        if let Some((request, of)) = self.next_list().and_then(|list| self.request_of(list))
            && self.sources[usize::from(of.source)].waiting <= 2 * self.options.max_waiting
        {
            return self.resume(request);
        }
        let most = |place: &usize| (self.sources[*place].waiting, usize::MAX - *place);
        let paused = (0..self.sources.len()).filter(|place| self.sources[*place].paused > 0);
        if let Some(place) = paused.max_by_key(most) {
            let source = SourceId::try_from(place).expect("sources are few");
            self.drop_source(source, Gone::Unconnected);
        }
    }

    fn give_up_lost(&mut self) {
        for list in [super::NODES, super::LEAVES, AGAIN] {
            while let Some(id) = self.frontier.first(list) {
                self.frontier.put(id, LOST, None);
            }
        }
    }

    fn finish(&mut self) {
        let open: Vec<RequestId> = self.requests.keys().copied().collect();
        open.into_iter().for_each(|request| self.cancel(request));
        let mut outcome =
            PoolOutcome { missing: self.frontier.len(LOST), ..PoolOutcome::default() };
        let mut at = self.frontier.last(LOST);
        while let Some(id) = at.filter(|_| outcome.named.len() < NAMED) {
            outcome.named.push(self.frontier.cid(id));
            at = self.frontier.left(id);
        }
        self.over = true;
        self.outputs.push_back(PoolOutput::Done(outcome));
    }

    /// The sources that may still be asked, by a bit each.
    pub(super) fn living(&self) -> u64 {
        let living = self.sources.iter().enumerate().filter(|(_, source)| !source.is_gone());
        living.fold(0, |bits, (place, _)| bits | 1 << place)
    }
}
