use carpool_core::{Block, Bytes, Cid, CidSet, Limits};
use carpool_selector::{Order, Step, Walk};

use crate::{Error, Narrowing, Status};

/// What a [`Source`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOutput {
    /// Look this CID up and answer with [`Source::handle_load`].
    Load(Cid),
    /// Send this block.
    Transmit(Block),
    /// The sink wants this CID, or something above it, and it is not held here.
    Missing(Cid),
    /// The round is over: nothing more will be sent for this status.
    EndRound,
}

/// The side that has the blocks.
///
/// Give it a [`Status`], then answer its look-ups and send what it says until
/// [`SourceOutput::EndRound`]; the next status begins the next round. Blocks that were sent in an
/// earlier round are not sent again unless they are wanted by name (the session cache of
/// CAR Mirror §3.2.2). After a cut connection nobody knows what arrived: begin a new source.
#[derive(Debug)]
pub struct Source {
    limits: Limits,
    order: Order,
    seed: u64,
    sent: CidSet,
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    walk: Walk,
    wanted: CidSet,
    narrowing: Narrowing,
    /// Bytes that may still be sent, see [`Source::handle_cold_call`].
    budget: u64,
    /// Whether anything was sent in earlier rounds; within one the walk visits nothing twice.
    resumed: bool,
}

impl Round {
    /// Blocks wanted by name go out whatever a filter says (CAR Mirror §3.2.2).
    fn admits(wanted: &CidSet, hidden: &Narrowing, sent: Option<&CidSet>, cid: &Cid) -> bool {
        let known = || sent.is_some_and(|sent| sent.contains(cid)) || hidden.hides(cid);
        wanted.contains(cid) || !known()
    }
}

impl Source {
    /// A source that walks in `order`. `seed` is for hash tables, see
    /// [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(order: Order, limits: &Limits, seed: u64) -> Self {
        let sent = CidSet::with_seed(seed);
        Self { limits: limits.clone(), order, seed, sent, round: None }
    }

    /// Begins a round that answers what the sink says of itself.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_status(&mut self, status: Status) -> Result<(), Error> {
        let (wanted, max) = (status.want.len() as u64, self.limits.max_wanted as u64);
        if wanted > max {
            return Err(Error::TooManyWanted { wanted, max });
        }
        self.begin(status.want, status.have.into(), u64::MAX);
        Ok(())
    }

    /// Begins a round on an estimate of our own: everything below `root` that it does not hide.
    pub fn handle_estimate(&mut self, root: Cid, estimate: Narrowing) {
        self.begin(alloc::vec![root], estimate, u64::MAX);
    }

    /// Begins a round with no knowledge of the sink: at most `budget` bytes of blocks below `root`,
    /// and one block at least (CAR Mirror §3.1.3.1).
    pub fn handle_cold_call(&mut self, root: Cid, budget: u64) {
        self.begin(alloc::vec![root], Narrowing::None, budget);
    }

    fn begin(&mut self, want: alloc::vec::Vec<Cid>, narrowing: Narrowing, budget: u64) {
        let mut wanted = CidSet::with_seed(self.seed);
        for cid in &want {
            wanted.insert(cid);
        }
        let walk = Walk::new(want, self.order, &self.limits, self.seed);
        let resumed = !self.sent.is_empty();
        self.round = Some(Round { walk, wanted, narrowing, budget, resumed });
    }

    /// Answers a [`SourceOutput::Load`], in any order: the block's bytes, verified before, or
    /// `None` where it is not held.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if let Some(round) = &mut self.round {
            round.walk.handle_load(cid, data);
        }
    }

    /// The next output; `None` while look-ups are awaited and between rounds. Call again after
    /// every `handle_*`, until `None`.
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse; the round is over then.
    pub fn poll(&mut self) -> Result<Option<SourceOutput>, Error> {
        let Some(round) = &mut self.round else { return Ok(None) };
        let Round { walk, wanted, narrowing, budget, resumed } = round;
        let sent = resumed.then_some(&self.sent);
        let step = walk.poll(|cid| Round::admits(wanted, narrowing, sent, cid));
        match step {
            Err(error) => {
                self.round = None;
                Err(error.into())
            }
            Ok(Some(Step::Load(cid))) => Ok(Some(SourceOutput::Load(cid))),
            Ok(Some(Step::Missing { cid, .. })) => Ok(Some(SourceOutput::Missing(cid))),
            Ok(Some(Step::Visit(block))) => {
                *budget = budget.saturating_sub(block.data().len() as u64 + 1);
                let spent = *budget == 0;
                Ok(Some(self.transmit(block, spent)))
            }
            Ok(None) if walk.is_done() => {
                self.round = None;
                Ok(Some(SourceOutput::EndRound))
            }
            Ok(None) => Ok(None),
        }
    }

    /// A round whose budget is spent ends with this block.
    fn transmit(&mut self, block: Block, spent: bool) -> SourceOutput {
        self.sent.insert(block.cid());
        if let (true, Some(round)) = (spent, &mut self.round) {
            round.walk = Walk::new([], self.order, &self.limits, self.seed);
        }
        SourceOutput::Transmit(block)
    }
}
