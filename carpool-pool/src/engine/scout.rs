//! Nodes of a share that are asked for by name, before their owner comes to them.

use alloc::vec::Vec;

use super::{LEAVES, NODES, Pool, claim::Taken};
use crate::{
    frontier::Id,
    request::{Form, Way},
    source::{SourceId, State},
};

/// Who takes no plan has to know of work for so many microseconds.
const AHEAD: u64 = 500_000;

/// It looks for nodes every so many microseconds.
const PAUSE: u64 = 50_000;

/// Entries that are looked at.
const LOOKED_AT: usize = 1 << 12;

/// Nodes above leaves that are asked for at a time: each tells of many.
const NODES_AT_ONCE: usize = 4;

impl Pool {
    /// A source that takes no plan lives on what is in no share. Of that little is known as long as those who share
    /// have not come far, so it asks for nodes at the far end of the walk, and their owners leave them out.
    pub(super) fn scout(&mut self, source: SourceId, now: u64) -> bool {
        let of = &self.sources[usize::from(source)];
        let may = of.kind.named && !of.kind.aware && self.is_heard() && now >= of.scouts_again;
        if !may || self.weight(LEAVES) + self.weight(NODES) > self.work_ahead() {
            return false;
        }
        self.sources[usize::from(source)].scouts_again = now + PAUSE;
        let taken = self.far_nodes(source);
        if taken.is_empty() {
            return false;
        }
        taken.iter().for_each(|id| self.frontier.take(*id));
        self.sources[usize::from(source)].tally.stolen += taken.len() as u64;
        self.ask(source, &taken, Form::Named, now);
        true
    }

    /// What those who take no plan bring in half a second.
    fn work_ahead(&self) -> u64 {
        let ready = self.sources.iter().filter(|of| of.state == State::Ready && !of.kind.aware);
        ready.map(|of| of.bytes_in(of.rtt() + AHEAD)).sum()
    }

    /// The last nodes of the walk that somebody sends who minds what others are asked for.
    fn far_nodes(&self, source: SourceId) -> Vec<Id> {
        let (most, bytes) = if self.is_of_nodes() {
            let of = &self.sources[usize::from(source)];
            (self.options.max_named, of.bytes_in(self.unit_time(source)))
        } else {
            (NODES_AT_ONCE, u64::MAX)
        };
        let mut taken = Taken::new(most, bytes);
        let (mut at, mut looked) = (self.frontier.last_wanted(), 0);
        while let Some(id) = at.filter(|_| looked < LOOKED_AT && taken.has_room()) {
            looked += 1;
            at = self.frontier.before(id);
            if self.frontier.is_node(id) && self.is_left_out(source, id) {
                taken.add(id, self.sizes.of(true));
            }
        }
        taken.ids
    }

    /// Whether this waits for a share whose source leaves it out where another is asked for it.
    fn is_left_out(&self, by: SourceId, id: Id) -> bool {
        let lacking = self.frontier.lacking(id) & 1 << by != 0;
        let of = self.frontier.list(id).and_then(|list| self.request_of(list));
        let minds = |source: SourceId| self.sources[usize::from(source)].kind.gossips;
        !lacking && of.is_some_and(|(_, of)| of.way == Way::Share && minds(of.source))
    }
}
