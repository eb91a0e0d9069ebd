//! Work that one source was asked for and another does: at the end of a transfer, or where a plan had the rates
//! wrong.

use super::{Pool, claim::Taken};
use crate::{
    frontier::Id,
    request::{Form, Request, RequestId, Way},
    source::{SourceId, State},
};

/// Entries that are looked at for one theft.
const LOOKED_AT: usize = 1 << 14;

/// A thief that was not lucky looks again after so many microseconds at the earliest.
const PAUSE: u64 = 5_000;

/// So often a source may take over work without bringing a block: two that are slow alike would take the same
/// block from each other for ever.
const IN_VAIN: u32 = 8;

/// A request that nothing came of is overdue when its source has sent no byte for so many microseconds, four round trips
/// and twice the time of a block.
const OVERDUE: u64 = 250_000;

/// A stream of deltas is left alone for so many microseconds.
const DELTAS: u64 = 1_000_000;

impl Pool {
    /// Takes from the far end of what the slowest source has before it as much as makes both end together.
    pub(super) fn steal(&mut self, source: SourceId, now: u64) -> bool {
        let of = &self.sources[usize::from(source)];
        if now < of.looks_again || of.in_vain >= IN_VAIN || !self.has_room_to_steal(source) {
            return false;
        }
        let Some((request, victim)) = self.slowest(source, now) else {
            self.sources[usize::from(source)].looks_again = now + PAUSE;
            return false;
        };
        let overdue = self.is_overdue(&victim, now);
        let dawdles = self.dawdles(victim.source, now) || overdue;
        let bytes =
            if overdue { self.options.max_unit } else { self.worth(source, &victim, dawdles) };
        let taken = self.take_tail(source, &victim, bytes, dawdles);
        if taken.is_empty() {
            self.sources[usize::from(source)].looks_again = now + PAUSE;
            return false;
        }
        let node = taken.iter().any(|id| self.frontier.is_node(*id));
        let named = self.sources[usize::from(source)].kind.named;
        let form = if named || !node { Form::Named } else { Form::Below };
        let thief = &mut self.sources[usize::from(source)];
        thief.tally.stolen += taken.len() as u64;
        thief.in_vain += 1;
        // Who gossips leaves it out; the stream of another is given up where it comes to it.
        let minds =
            victim.way == Way::Share && self.sources[usize::from(victim.source)].kind.gossips;
        if let Some(victim) = self.requests.get_mut(&request).filter(|_| !minds) {
            victim.stolen = true;
        }
        self.ask(source, &taken, form, now);
        self.note_emptied(victim.list);
        true
    }

    /// One that still has something to send waits.
    fn has_room_to_steal(&self, source: SourceId) -> bool {
        let of = &self.sources[usize::from(source)];
        of.open == 0 || self.in_flight(source) < of.bytes_in(of.rtt())
    }

    /// The last request of the source that will be at work for longest, and its request with something to take.
    fn slowest(&self, thief: SourceId, now: u64) -> Option<(RequestId, Request)> {
        let left =
            |source: SourceId| self.sources[usize::from(source)].time(self.in_flight(source));
        let of = self.requests.iter().filter(|(_, of)| of.source != thief);
        // What was asked for just now is on its way: two thieves would take it from each other for ever.
        let young = |of: &Request| {
            let rtt = self.sources[usize::from(of.source)].rtt();
            // What comes as a delta is less than it looks.
            let delta = self.options.differs && of.way != Way::Named;
            now < of.asked + if delta { rtt + DELTAS } else { rtt.max(PAUSE) }
        };
        let of = of.filter(|(_, of)| !self.frontier.is_empty(of.list) && !young(of));
        let most =
            of.max_by_key(|(request, of)| (self.is_overdue(of, now), left(of.source), **request))?;
        Some((*most.0, *most.1))
    }

    /// Whether a request should have been answered long ago: its source may not be there any more.
    fn is_overdue(&self, of: &Request, now: u64) -> bool {
        self.overdue_at(of).is_some_and(|at| now >= at)
    }

    fn overdue_at(&self, of: &Request) -> Option<u64> {
        let source = &self.sources[usize::from(of.source)];
        let silent = 4 * source.rtt() + 2 * source.time(self.one_of(of));
        let since = of.asked.max(source.last_sign);
        (!of.begun && of.way == Way::Named).then(|| since + OVERDUE + silent)
    }

    /// When somebody who is idle may take over what is overdue.
    pub(super) fn next_overdue(&self) -> Option<u64> {
        let idle = |of: &crate::source::Source| of.state == State::Ready && of.open == 0;
        if !self.sources.iter().any(idle) {
            return None;
        }
        let open = self.requests.values().filter(|of| !self.frontier.is_empty(of.list));
        open.filter_map(|of| self.overdue_at(of)).filter(|at| *at > self.now).min()
    }

    /// Bytes to take so that thief and victim end together; 0 where it is not worth it, and all of a victim
    /// that `dawdles` where it is.
    fn worth(&self, thief: SourceId, victim: &Request, dawdles: bool) -> u64 {
        let (from, to) =
            (&self.sources[usize::from(victim.source)], &self.sources[usize::from(thief)]);
        let left = self.in_flight(victim.source);
        let (time, one) = (from.time(left), self.one_of(victim));
        let again = to.rtt() + to.time(one);
        let pays = match victim.way {
            Way::Named => time > again + again / 2,
            Way::Below | Way::Share if !dawdles => time > again,
            Way::Below | Way::Share => time > again + again / 2,
        };
        if !pays {
            return 0;
        }
        if dawdles {
            return self.options.max_unit;
        }
        let together = u128::from(from.rate()) + u128::from(to.rate());
        let both = u128::from(from.rate()) * u128::from(to.rate()) / together.max(1);
        let bytes = both * u128::from(time - to.rtt()) / 1_000_000;
        // What is under way cannot be taken.
        let takable = left.saturating_sub(from.bytes_in(from.rtt()) + from.ahead);
        u64::try_from(bytes).unwrap_or(u64::MAX).min(takable).min(self.options.max_unit)
    }

    /// Bytes of one block of what a request is to bring, about.
    fn one_of(&self, victim: &Request) -> u64 {
        let nodes_alone = self.frontier.nodes(victim.list) == self.frontier.len(victim.list);
        self.sizes.of(nodes_alone)
    }

    fn take_tail(
        &mut self,
        thief: SourceId,
        victim: &Request,
        bytes: u64,
        all: bool,
    ) -> alloc::vec::Vec<Id> {
        // What comes next of a stream is under way, and shows where it is.
        let left = usize::from(victim.way != Way::Named && !all);
        let all = self.frontier.len(victim.list) - left;
        let mut taken = Taken::new(self.options.max_named.min(all), bytes);
        let mut at = match victim.way {
            Way::Share => self.frontier.last_wanted(),
            Way::Named | Way::Below => self.frontier.last(victim.list),
        };
        let gossips = victim.way == Way::Share && self.is_heard();
        let mut looked = 0;
        while let Some(id) = at.filter(|_| looked < LOOKED_AT && bytes > 0 && taken.has_room()) {
            looked += 1;
            at = match victim.way {
                Way::Share => self.frontier.before(id),
                Way::Named | Way::Below => self.frontier.left(id),
            };
            let theirs = self.frontier.list(id) == Some(victim.list);
            let free = theirs && self.frontier.lacking(id) & 1 << thief == 0;
            if free && !(gossips && self.is_promised(victim.source, &self.frontier.cid(id))) {
                taken.add(id, self.sizes.of(self.frontier.is_node(id)));
                self.frontier.take(id);
            }
        }
        taken.ids
    }
}
