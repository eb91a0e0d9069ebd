use alloc::vec::Vec;
use carpool_core::{Block, Cid, CidSet};

use super::{Received, Sink};
use crate::{Error, Trail, extension::Memory};

/// What an unwanted block counts beside its bytes: millions of empty ones, which a content coding
/// makes of a few kilobytes, are not free.
const BLOCK_COST: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) open: bool,
    pub(super) asked: Vec<Cid>,
    /// Links that a bitmap asked for.
    pub(super) told: u64,
    /// What was sent, where a bitmap may speak of it.
    pub(super) trail: Option<Trail>,
    /// Whether there was a filter, and all that was known to be missing was asked for: what is missing
    /// then was hidden.
    pub(super) may_hide: bool,
    /// Whether the source remembers what it sends.
    pub(super) remembered: bool,
    pub(super) wanted: u64,
    pub(super) unwanted_bytes: u64,
    /// Blocks that came although held, see [`Sink::handle_block`].
    pub(super) repeated: Option<CidSet>,
}

impl Sink {
    /// Says that the source begins to send by itself, as in a push: no request is made before
    /// [`handle_end_round`](Self::handle_end_round), and the next status is the answer.
    pub fn handle_begin_round(&mut self) {
        self.open_round(Vec::new(), 0);
        self.handle_memory(Memory::Kept);
    }

    /// Says what the source remembers of the session, before the first block of the round.
    pub fn handle_memory(&mut self, memory: Memory) {
        self.round.remembered = memory != Memory::None;
        if memory == Memory::Begun {
            self.pushed = None;
        }
        if self.round.remembered {
            self.pushed.get_or_insert_with(|| CidSet::with_seed(self.seed));
        }
    }

    /// As [`handle_begin_round`](Self::handle_begin_round), for a source that forgets what it sent:
    /// the answer's filter has these blocks too.
    pub fn handle_begin_round_of_forgetful(&mut self) {
        self.forgetful = true;
        self.open_round(Vec::new(), 0);
    }

    pub(super) fn open_round(&mut self, asked: Vec<Cid>, told: u64) {
        if let Some(asking) = self.asking.as_mut().filter(|_| !asked.is_empty()) {
            asking.begin();
        }
        let trail = self.asking.as_ref().map(|_| Trail::default());
        self.round = Round { open: true, asked, told, trail, ..Round::default() };
    }

    /// Takes a block of the round.
    ///
    /// A source that knows nothing of the sink may send each held block once; what it sends beyond
    /// that, and what nothing links to, is held to
    /// [`max_unwanted_bytes`](carpool_core::Limits::max_unwanted_bytes).
    ///
    /// # Errors
    /// [`Error::Block`] for a wanted block that does not parse, [`Error::Unwanted`]. The transfer
    /// is to be given up then; blocks stored before stay good.
    pub fn handle_block(&mut self, block: Block) -> Result<Received, Error> {
        if let Some(trail) = &mut self.round.trail {
            trail.push(block.cid(), block.data(), &self.limits);
        }
        let Some(depth) = self.wants.take(block.cid()) else {
            return self.unwanted(&block);
        };
        self.walk.handle_block(&block, depth)?;
        if let Some(sketching) = &mut self.sketching {
            sketching.begin_anew();
        }
        self.round.wanted += 1;
        if let Some(pushed) = &mut self.pushed {
            pushed.insert(block.cid());
        }
        self.ready.push_back(block);
        Ok(Received::Wanted)
    }

    fn unwanted(&mut self, block: &Block) -> Result<Received, Error> {
        let held =
            self.walk.seen().contains(block.cid()) || self.seeds.held().contains(block.cid());
        let repeated = self.round.repeated.get_or_insert_with(|| CidSet::with_seed(self.seed));
        if held && repeated.insert(block.cid()) {
            return Ok(Received::Duplicate);
        }
        self.round.unwanted_bytes += block.data().len() as u64 + BLOCK_COST;
        let (bytes, max) = (self.round.unwanted_bytes, self.limits.max_unwanted_bytes);
        if bytes > max {
            return Err(Error::Unwanted { cid: *block.cid(), bytes, max });
        }
        Ok(if held { Received::Duplicate } else { Received::Unreachable })
    }

    /// Says that the source has ended the round by itself. What was asked for by name and did not
    /// come counts as a miss; after the second the source counts as not having it.
    pub fn handle_end_round(&mut self) {
        let round = core::mem::take(&mut self.round);
        if !round.remembered {
            self.pushed = None;
        }
        let mut missed = self.wants.count_misses(&round.asked);
        if round.told > 0 {
            missed += self.wants.count_told(self.rounds);
        }
        self.hidings += u32::from(round.may_hide && self.wants.len() > missed);
        let asked = round.asked.len() as u64 + round.told;
        (self.trail, self.only_named) = (round.trail, Some(round.wanted <= asked));
        self.repeated = round.repeated.is_some_and(|cids| !cids.is_empty());
        self.stalled = round.wanted == 0 && asked > 0;
    }

    /// Says that the round was cut: nothing is known of what did not come.
    pub fn handle_cut(&mut self) {
        self.round = Round::default();
        self.trail = None;
        self.pushed = None;
    }
}
