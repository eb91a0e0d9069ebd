//! Who is asked for what that nobody was asked for.

use alloc::vec::Vec;

use super::{AGAIN, LEAVES, LOST, NODES, Pool, PoolOutput};
use crate::{
    frontier::{Id, ListId},
    request::{Ask, Form},
    source::{Source, SourceId, State},
};

/// Requests of one source at a time.
const MAX_OPEN: u32 = 8;

/// Microseconds that a request takes to be answered, about, where round trips are shorter.
const LEAST_UNIT: u64 = 200_000;

/// Bytes that a source is asked for before anything is known of it.
const FIRST_UNIT: u64 = 256 << 10;

/// After so many requests in a row that found one node with one link, all below the next is asked for.
pub(super) const NARROW: u32 = 2;

/// Entries that one source turned out to lack which are looked at for one request.
const LOOKED_AT: usize = 4096;

impl Pool {
    /// Gives work to whoever has room for it, the fastest first.
    pub(super) fn assign(&mut self, now: u64) {
        if self.sources.is_empty() || self.frontier.wanted() == 0 {
            return;
        }
        self.share_out(now);
        let mut ready: Vec<SourceId> = (0..self.sources.len())
            .map(|place| SourceId::try_from(place).expect("sources are few"))
            .filter(|source| self.has_room(*source))
            .collect();
        ready.sort_by_key(|source| core::cmp::Reverse(self.sources[usize::from(*source)].rate()));
        for source in ready {
            while self.has_room(source) && self.find_work(source, now) {}
        }
        self.share_again(now);
    }

    fn find_work(&mut self, source: SourceId, now: u64) -> bool {
        self.scout(source, now) || self.claim(source, now) || self.steal(source, now)
    }

    pub(super) fn has_room(&self, source: SourceId) -> bool {
        let of = &self.sources[usize::from(source)];
        if of.state != State::Ready || of.open >= MAX_OPEN {
            return false;
        }
        if of.open == 0 {
            return true;
        }
        if of.paused > 0 {
            // Who is ahead may have what everybody waits for.
            return self.stands_still();
        }
        let ahead = of.rtt() + self.unit_time(source) / 2;
        !self.is_streaming(source) && of.knows_rate() && self.in_flight(source) < of.bytes_in(ahead)
    }

    /// Whether nothing that was asked for is read: all that came waits for what was not asked for.
    fn stands_still(&self) -> bool {
        self.requests.values().all(|of| of.paused)
    }

    pub(super) fn unit_time(&self, source: SourceId) -> u64 {
        (self.sources[usize::from(source)].rtt() / 2).max(LEAST_UNIT)
    }

    /// Bytes that a source is to be asked for in one request: less where what is left would keep all of them
    /// busy for a shorter time.
    pub(super) fn unit(&self, source: SourceId) -> u64 {
        let of = &self.sources[usize::from(source)];
        if !of.knows_rate() {
            return FIRST_UNIT.min(self.options.max_unit);
        }
        let least = of.bytes_in(self.unit_time(source));
        let share = self.share_left(source);
        // A third of what is left at a time, so that requests are few, and all sources end together.
        (share / 2).max(least.min(share)).min(self.options.max_unit)
    }

    /// What falls to a source of what nobody was asked for, by its rate.
    fn share_left(&self, source: SourceId) -> u64 {
        let ready = self.sources.iter().filter(|source| source.state == State::Ready);
        let together: u64 = ready.map(Source::rate).sum();
        let left = self.weight(NODES) + self.weight(LEAVES) + self.weight(AGAIN);
        let rate = self.sources[usize::from(source)].rate();
        let share = u128::from(left) * u128::from(rate) / u128::from(together.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// Asks `source` for some of what nobody was asked for.
    fn claim(&mut self, source: SourceId, now: u64) -> bool {
        let named = self.sources[usize::from(source)].kind.named;
        let unit = self.sources[usize::from(source)].asked_for(self.unit(source));
        let mut taken = Taken::new(self.options.max_named, unit);
        // What few have comes first: in the end only they can be asked.
        self.take_again(source, &mut taken, |node| named || !node);
        taken.max = self.quota();
        if taken.ids.is_empty() {
            self.take_from(NODES, &mut taken);
            if !taken.ids.is_empty() && (!named || self.is_narrow()) {
                self.ask(source, &taken.ids, Form::Below, now);
                return true;
            }
        } else if named {
            self.take_from(NODES, &mut taken);
        }
        taken.max = self.options.max_named;
        self.take_from(LEAVES, &mut taken);
        let form = if taken.ids.is_empty() && !named { Form::Below } else { Form::Named };
        if form == Form::Below {
            self.take_again(source, &mut taken, |_| true);
        }
        if taken.ids.is_empty() {
            return false;
        }
        self.ask(source, &taken.ids, form, now);
        true
    }

    /// Whether to ask for all that lies below a node, which nobody else can help with, or not at once: there is one
    /// source, a chain, or an old version.
    fn is_narrow(&self) -> bool {
        let few = self.narrow >= NARROW || self.options.differs;
        self.living().count_ones() == 1 || few && self.frontier.wanted() == 1
    }

    /// How many nodes one source takes: they are what others wait for.
    fn quota(&self) -> usize {
        let ready = self.sources.iter().filter(|source| source.state == State::Ready).count();
        self.frontier.len(NODES).div_ceil(ready.max(1)).min(self.options.max_named)
    }

    fn take_from(&mut self, list: ListId, taken: &mut Taken) {
        while let Some(id) = self.frontier.first(list).filter(|_| taken.has_room()) {
            taken.add(id, self.sizes.of(self.frontier.is_node(id)));
            self.frontier.take(id);
        }
    }

    /// Of what some source lacks: what this one may have. What nobody has is lost.
    fn take_again(&mut self, source: SourceId, taken: &mut Taken, wants: impl Fn(bool) -> bool) {
        let living = self.living();
        for _ in 0..self.frontier.len(AGAIN).min(LOOKED_AT) {
            let Some(id) = self.frontier.first(AGAIN).filter(|_| taken.has_room()) else { return };
            let (lacking, node) = (self.frontier.lacking(id), self.frontier.is_node(id));
            // Who did not send it is asked by name once nobody else is left.
            let all = (lacking | self.frontier.withheld(id)) & living;
            let tried = if all == living { lacking } else { all };
            if lacking & living == living {
                self.frontier.put(id, LOST, None);
            } else if tried & 1 << source != 0 || !wants(node) {
                self.frontier.put(id, AGAIN, None);
            } else {
                taken.add(id, self.sizes.of(node));
                self.frontier.take(id);
            }
        }
    }

    pub(super) fn ask(&mut self, source: SourceId, ids: &[Id], form: Form, now: u64) {
        let (request, list) = self.open(source, &form, ids.len(), now);
        ids.iter().for_each(|id| self.frontier.put(*id, list, None));
        let want: Vec<_> = ids.iter().map(|id| self.frontier.cid(*id)).collect();
        self.sources[usize::from(source)].tally.named += want.len() as u64;
        self.tell_asked(source, ids, &want);
        let have = Vec::new();
        let ask = Ask { request, source, want, have, form, part: None };
        self.outputs.push_back(PoolOutput::Ask(ask));
    }
}

/// Entries that go into one request.
pub(super) struct Taken {
    pub(super) ids: Vec<Id>,
    bytes: u64,
    pub(super) max: usize,
    max_bytes: u64,
}

impl Taken {
    pub(super) const fn new(max: usize, max_bytes: u64) -> Self {
        Self { ids: Vec::new(), bytes: 0, max, max_bytes }
    }

    /// One entry always has room, however large it is.
    pub(super) fn has_room(&self) -> bool {
        self.ids.len() < self.max && (self.bytes < self.max_bytes || self.ids.is_empty())
    }

    pub(super) fn add(&mut self, id: Id, bytes: u64) {
        self.ids.push(id);
        self.bytes += bytes;
    }
}
