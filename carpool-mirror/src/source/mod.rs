mod round;
mod said;
mod trail;

use carpool_core::{Block, Bytes, Cid, CidList, CidSet, Limits};
use carpool_selector::Order;

use crate::{Answered, Error, Narrowing, Session, Share, Trail, cold::ColdCall};
use round::Round;

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
/// Give it a [`Status`](crate::Status), then answer its look-ups and send what it says until
/// [`SourceOutput::EndRound`]; the next status begins the next round. Blocks that were sent in an
/// earlier round are not sent again unless they are wanted by name (the session cache of
/// CAR Mirror §3.2.2). After a cut connection nobody knows what arrived: begin a new source.
#[derive(Debug)]
pub struct Source {
    limits: Limits,
    order: Order,
    seed: u64,
    /// What earlier rounds sent.
    session: Session,
    /// The same as long as it is little, to recognise a filter of it.
    recognised: CidSet,
    /// Whether what a round sent is left out of the next.
    remembers: bool,
    /// What the round sent, or the last one, for a sink that speaks of it.
    trail: Option<Trail>,
    answered: Option<Answered>,
    /// What the next message's bitmap is over, where it says so itself.
    surveyed: Option<Trail>,
    /// Rounds in which the sink's filter hid what it then wanted.
    hidings: u32,
    share: Option<Share>,
    round: Option<Round>,
}

/// Of how many sent blocks a filter is recognised: of more it is large enough to hit rarely.
const RECOGNISED: usize = 256;

impl Source {
    /// A source that walks in `order`. `seed` is for hash tables, see
    /// [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn new(order: Order, limits: &Limits, seed: u64) -> Self {
        Self::resume(Session::new(usize::MAX, seed), order, limits, seed)
    }

    /// As [`new`](Self::new), for a sink that was sent what `session` remembers. A CID that was sent
    /// and is wanted shows that not all arrived, so then the session is forgotten.
    #[must_use]
    pub fn resume(session: Session, order: Order, limits: &Limits, seed: u64) -> Self {
        let (limits, recognised) = (limits.clone(), CidSet::with_seed(seed));
        let (trail, answered, surveyed, share, round) = (None, None, None, None, None);
        let (remembers, hidings) = (true, 0);
        Self {
            limits,
            order,
            seed,
            session,
            recognised,
            remembers,
            trail,
            answered,
            surveyed,
            hidings,
            share,
            round,
        }
    }

    /// Sends of each round only what belongs to `share`, and walks the rest: a block with links that is another's
    /// is looked up and not sent, a leaf that is another's is left alone. What is wanted is where a round begins,
    /// and is not sent for being wanted; a filter, and what was sent before, hide a block and not what lies
    /// below it. What lies below held roots is left out as ever.
    #[must_use]
    pub fn with_share(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
    }

    /// What is to be remembered for the next request. After a round that did not come to its
    /// [`EndRound`](SourceOutput::EndRound) that is nothing: sent is not arrived.
    #[must_use]
    pub fn into_session(mut self) -> Session {
        if self.round.as_ref().is_some_and(|round| !round.over) {
            self.handle_forgotten();
        }
        self.remember();
        self.session
    }

    /// As [`new`](Self::new), for a side that hears of each round anew, as a server does: it keeps
    /// no list of what it sent, and every round is the first.
    #[must_use]
    pub fn forgetful(order: Order, limits: &Limits, seed: u64) -> Self {
        Self { remembers: false, ..Self::new(order, limits, seed) }
    }

    /// Begins a round on an estimate of our own: everything below `root` that it does not hide.
    pub fn handle_estimate(&mut self, root: Cid, estimate: Narrowing) {
        self.begin(self.list(&[root]), estimate, None);
    }

    /// Begins a round with no knowledge of the sink: everything below `root` where that is at most
    /// `budget` bytes, and else the root alone (CAR Mirror §3.1.3.1). A block counts as one byte
    /// more than it has; a budget above 1 MiB is one of 1 MiB, for what goes out is held in memory
    /// until it is known to be all.
    pub fn handle_cold_call(&mut self, root: Cid, budget: u64) {
        self.begin(self.list(&[root]), Narrowing::None, Some(ColdCall::new(budget)));
    }

    /// Forgets what earlier rounds sent, for a sink that may not have read all of it and says itself
    /// what it holds.
    pub fn handle_forgotten(&mut self) {
        self.round = None;
        self.session.forget();
        self.recognised = CidSet::with_seed(self.seed);
    }

    fn list(&self, cids: &[Cid]) -> CidList {
        let mut list = CidList::with_seed(self.seed);
        list.reserve(cids.len());
        cids.iter().for_each(|cid| {
            list.push(cid);
        });
        list
    }

    fn begin(&mut self, wanted: CidList, narrowing: Narrowing, cold: Option<ColdCall>) {
        self.remember();
        self.trail = self.trail.take().map(|_| Trail::default());
        let mut round = Round::new(wanted, narrowing, cold, self.order, &self.limits, self.seed);
        round.unsent = self.remembers.then(|| CidSet::with_seed(self.seed));
        self.round = Some(round);
    }

    /// Most transfers are one round, so what a round sent is made out when the next begins.
    fn remember(&mut self) {
        let Some(round) = self.round.take().filter(|_| self.remembers) else { return };
        let sent = round.into_sent();
        self.session.add(&sent);
        if self.session.len() <= RECOGNISED {
            sent.for_each(|cid| {
                self.recognised.insert_bytes(cid);
            });
        }
    }

    /// Answers a [`SourceOutput::Load`], in any order: the block's bytes, verified before, or
    /// `None` where it is not held.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if let Some(round) = &mut self.round {
            round.handle_load(cid, data);
        }
    }

    /// The next output; `None` while look-ups are awaited and between rounds. Call again after
    /// every `handle_*`, until `None`.
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse; the round is over then.
    pub fn poll(&mut self) -> Result<Option<SourceOutput>, Error> {
        let output = match &mut self.round {
            Some(round) => round.poll(&self.session, self.share.as_mut()),
            None => Ok(None),
        };
        if let (Ok(Some(SourceOutput::Transmit(block))), Some(trail)) = (&output, &mut self.trail) {
            trail.push(block.cid(), block.data(), &self.limits);
        }
        output
    }
}
