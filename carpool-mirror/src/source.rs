use alloc::boxed::Box;
use carpool_bloom::{Filter, Params};
use carpool_core::{Block, Bytes, Cid, CidList, CidSet, Limits, may_link};
use carpool_selector::{DEFAULT_WINDOW, Difference, Order, Step, Walk};

use crate::{
    Answered, Error, Narrowing, Session, Status, Trail,
    cold::{self, ColdCall},
    extension::{Asked, Scope},
    naming::Naming,
    pruning::{Doubts, Pruning},
    sketch::Lacking,
};

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
    /// What earlier rounds sent.
    session: Session,
    /// The same as long as it is little, to recognise a filter of it.
    recognised: CidSet,
    /// Whether what a round sent is left out of the next.
    remembers: bool,
    /// What the round sent, or the last one, for a sink that speaks of it.
    trail: Option<Trail>,
    answered: Option<Answered>,
    /// Rounds in which the sink's filter hid what it then wanted.
    hidings: u32,
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    limits: Limits,
    walk: Walk,
    wanted: CidList,
    /// Where in `wanted` lies what the walk does not know of yet.
    next: usize,
    narrowing: Narrowing,
    scope: Scope,
    /// What is wanted by a bitmap.
    naming: Option<Naming>,
    doubts: Doubts,
    /// The comparison with what the sink holds, until it is done.
    difference: Option<Box<Difference>>,
    /// What the walk left out because the sink seems to hold it or is to name it, and what is not
    /// held here; for a source that remembers, and where it may be named later.
    unsent: Option<CidSet>,
    cold: Option<ColdCall>,
    /// Blocks that were sent, whether any had links, and those that were named.
    sent: u64,
    sent_interior: bool,
    named: u64,
    over: bool,
}

/// How many wanted CIDs the walk knows of: a list of them is smaller than a frontier.
const ROOTS_AHEAD: usize = 256;

/// After so many rounds in which a filter hid what the sink lacks, filters count no more: a sink that
/// begins each answer anew cannot know it.
const MAX_HIDINGS: u32 = 4;

/// Of how many sent blocks a filter is recognised: of more it is large enough to hit rarely.
const RECOGNISED: usize = 256;

impl Round {
    fn poll(&mut self, session: &Session) -> Result<Option<SourceOutput>, Error> {
        if let Some(waits) = self.compare() {
            return Ok(waits.map(SourceOutput::Load));
        }
        loop {
            if let Some(block) = self.release() {
                return Ok(Some(SourceOutput::Transmit(block)));
            }
            match self.step(session).inspect_err(|_| self.over = true)? {
                Some(Step::Load(cid)) => return Ok(Some(SourceOutput::Load(cid))),
                Some(Step::Missing { cid, .. }) => {
                    if let Some(output) = self.lack(cid) {
                        return Ok(Some(output));
                    }
                }
                Some(Step::Visit(block)) => {
                    self.note_sent(block.cid());
                    if let Some(block) = self.admit(block) {
                        return Ok(Some(SourceOutput::Transmit(block)));
                    }
                }
                None => return Ok(self.read_named().or_else(|| self.end())),
            }
        }
    }

    /// The next look-up of what a bitmap names.
    fn read_named(&mut self) -> Option<SourceOutput> {
        self.naming.as_mut()?.poll().map(SourceOutput::Load)
    }

    /// The next look-up of the comparison, if there is one to be awaited; `None` once it is done.
    fn compare(&mut self) -> Option<Option<Cid>> {
        let next = self.difference.as_mut()?.poll();
        let done = self.difference.take_if(|difference| difference.is_done());
        match done {
            Some(known) if known.knows_old() => self.narrowing = Narrowing::Compared(known),
            Some(_) => {}
            None => return Some(next),
        }
        None
    }

    fn note_sent(&mut self, cid: &Cid) {
        self.doubts.note_sent(cid);
        self.sent += 1;
        self.sent_interior |= may_link(cid);
    }

    /// What was looked up for a second look alone is lacking to nobody.
    fn lack(&mut self, cid: Cid) -> Option<SourceOutput> {
        if let Some(unsent) = &mut self.unsent {
            unsent.insert(&cid);
        }
        (!self.doubts.close(&cid)).then_some(SourceOutput::Missing(cid))
    }

    /// The block that goes out when the walk comes to `block`.
    fn admit(&mut self, block: Block) -> Option<Block> {
        match &mut self.cold {
            Some(cold) => cold.take(block, self.unsent.as_mut()),
            None => Some(block),
        }
    }

    /// What a cold call kept, once it is known that all fits.
    fn release(&mut self) -> Option<Block> {
        let ready = !self.over && self.walk.is_done();
        self.cold.as_mut().filter(|_| ready)?.release()
    }

    fn step(&mut self, session: &Session) -> Result<Option<Step>, carpool_core::Error> {
        if self.over || self.is_exceeded() {
            return Ok(None);
        }
        loop {
            let more = self.add_roots();
            let step = self.walk_on(session)?;
            if step.is_some() || !more || !self.walk.is_done() {
                return Ok(step);
            }
        }
    }

    /// Tells the walk of wanted CIDs; whether there are more that could be told now.
    fn add_roots(&mut self) -> bool {
        while let Some((cid, next)) = self.wanted.at(self.next) {
            if self.walk.pending() >= ROOTS_AHEAD {
                return true;
            }
            self.walk.handle_root(cid);
            self.next = next;
        }
        self.add_named()
    }

    /// As [`add_roots`](Self::add_roots), of what a bitmap names, by the block.
    fn add_named(&mut self) -> bool {
        let Self { walk, naming: Some(naming), unsent, limits, .. } = self else { return false };
        while walk.pending() < ROOTS_AHEAD {
            let told = naming.next(limits, |cid| {
                // Met before it was known to be named.
                if unsent.as_mut().is_some_and(|unsent| unsent.remove(&cid)) {
                    walk.forget(&cid);
                }
                walk.handle_root(cid);
            });
            if !told {
                return false;
            }
        }
        true
    }

    fn walk_on(&mut self, session: &Session) -> Result<Option<Step>, carpool_core::Error> {
        let Self { walk, wanted, narrowing, scope, naming, unsent, doubts, named, .. } = self;
        let (naming, unsent, scope) = (naming.as_mut(), unsent.as_mut(), *scope);
        let mut pruning =
            Pruning { narrowing, session, wanted, naming, scope, unsent, doubts, named };
        walk.poll_through(&mut pruning)
    }

    fn end(&mut self) -> Option<SourceOutput> {
        let named = self.naming.as_ref().is_none_or(Naming::is_done);
        let ends = !self.over && (self.is_exceeded() || self.walk.is_done() && named);
        self.over |= ends;
        ends.then_some(SourceOutput::EndRound)
    }

    fn is_exceeded(&self) -> bool {
        self.cold.as_ref().is_some_and(ColdCall::is_exceeded)
    }

    /// What the round sent.
    fn into_sent(self) -> CidSet {
        let mut sent = self.walk.into_done();
        let kept = self.cold.iter().flat_map(ColdCall::kept);
        kept.for_each(|cid| {
            sent.remove(cid);
        });
        if let Some(unsent) = self.unsent {
            unsent.for_each(|cid| {
                sent.remove_bytes(cid);
            });
        }
        sent
    }
}

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
        let (trail, answered, round) = (None, None, None);
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
            hidings,
            round,
        }
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

    /// Lets the sink speak of what a round sends by a bitmap ([`handle_asked`](Self::handle_asked)).
    /// `before` is what the last round answered, where that was another source.
    #[must_use]
    pub fn with_trail(mut self, before: Option<Answered>) -> Self {
        (self.trail, self.answered) = (Some(Trail::default()), before);
        self
    }

    /// What the round that came to its [`EndRound`](SourceOutput::EndRound) sent, for
    /// [`with_trail`](Self::with_trail) of another source; `None` where no bitmap can speak of it.
    pub fn take_answered(&mut self) -> Option<Answered> {
        self.close_trail();
        self.answered.take()
    }

    /// Whether the round that ended sent nothing beside what was named.
    pub(crate) fn sent_only_named(&self) -> bool {
        let only = |round: &Round| round.over && round.sent <= round.named;
        self.round.as_ref().is_some_and(only)
    }

    /// Whether the round sent blocks that can have links.
    pub(crate) fn sent_interior(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.sent_interior)
    }

    /// Whether a filter stays in force where the next message has a bitmap and no filter.
    #[must_use]
    pub fn keeps_filter(&self) -> bool {
        let of_round = |round: &Round| matches!(round.narrowing, Narrowing::Bloom(_));
        let kept = |answered: &Answered| answered.filter.is_some();
        self.trail.is_some()
            && self
                .round
                .as_ref()
                .map_or_else(|| self.answered.as_ref().is_some_and(kept), of_round)
    }

    /// Forgets the filter of the last round, so that it does not stay in force.
    pub(crate) fn forget_filter(&mut self) {
        self.close_trail();
        if let Some(answered) = &mut self.answered {
            answered.filter = None;
        }
    }

    fn close_trail(&mut self) {
        let Some(trail) = &mut self.trail else { return };
        let Some(round) = self.round.as_mut().filter(|round| round.over) else { return };
        let trail = core::mem::take(trail);
        let filter = match core::mem::take(&mut round.narrowing) {
            Narrowing::Bloom(filter) => Some(filter),
            Narrowing::None
            | Narrowing::Known(_)
            | Narrowing::Compared(_)
            | Narrowing::Sketched(_) => None,
        };
        self.answered = trail.check().is_some().then_some(Answered { trail, filter });
    }

    /// Begins a round that answers the sink's extended message. A bitmap has to be over what the last
    /// round sent, whose filter stays in force unless the message has another.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`]; [`Error::UnknownTrail`], after which no round has begun.
    pub fn handle_asked(&mut self, asked: Asked) -> Result<(), Error> {
        self.answer(asked, None)
    }

    /// As [`handle_asked`](Self::handle_asked), of a message whose cells were decoded: of what lies
    /// below what is wanted, the round sends what is `lacking`, as far as a
    /// [`Reconciliation`](crate::sketch::Reconciliation) found out.
    ///
    /// # Errors
    /// As [`handle_asked`](Self::handle_asked).
    pub fn handle_reconciled(&mut self, asked: Asked, lacking: Lacking) -> Result<(), Error> {
        self.answer(asked, Some(lacking))
    }

    fn answer(&mut self, asked: Asked, lacking: Option<Lacking>) -> Result<(), Error> {
        let Asked { root, want, held, have, scope, links, .. } = asked;
        self.check_wanted(want.len())?;
        self.close_trail();
        let before = self.answered.take().unwrap_or_default();
        let mut narrowing = have;
        let naming = match links {
            Some(links) => {
                narrowing = narrowing.or(before.filter);
                Some(Naming::new(before.trail, &links, self.seed)?)
            }
            None => None,
        };
        self.doubt(&want);
        match root.filter(|_| !held.is_empty()) {
            Some(root) => self.begin_comparing(root, want, held, narrowing),
            None => {
                let sketched = lacking.map(Narrowing::Sketched);
                self.begin(want, sketched.unwrap_or_else(|| narrowing.into()), None);
            }
        }
        let unsent = naming.is_some().then(|| CidSet::with_seed(self.seed));
        if let Some(round) = &mut self.round {
            round.unsent = round.unsent.take().or(unsent);
            (round.scope, round.naming) = (scope, naming);
        }
        Ok(())
    }

    /// Begins a round that answers what the sink says of itself.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_status(&mut self, status: Status) -> Result<(), Error> {
        self.check_wanted(status.want.len())?;
        self.hidings += u32::from(self.has_hidden(&status.want));
        self.remember();
        let tells = |have: &Filter| self.hidings < MAX_HIDINGS && !self.is_of_what_was_sent(have);
        let have = status.have.filter(tells);
        let wanted = self.list(&status.want);
        self.begin(wanted, have.into(), None);
        Ok(())
    }

    /// As [`handle_status`](Self::handle_status), with the wants in a list that takes less memory.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_request(&mut self, want: CidList, have: Option<Filter>) -> Result<(), Error> {
        self.check_wanted(want.len())?;
        self.doubt(&want);
        self.begin(want, have.into(), None);
        Ok(())
    }

    /// What was sent and is wanted did not arrive, so nobody knows of the rest.
    fn doubt(&mut self, want: &CidList) {
        if want.iter().any(|cid| self.session.contains(&cid)) {
            self.session.forget();
        }
    }

    /// Whether the filter of the round before hid any of these, which were not wanted by name then.
    fn has_hidden(&self, want: &[Cid]) -> bool {
        self.round.as_ref().is_some_and(|round| {
            let hidden = |cid: &Cid| round.narrowing.hides(cid) && !round.wanted.contains(cid);
            round.narrowing.may_err() && want.iter().any(hidden)
        })
    }

    fn check_wanted(&self, wanted: usize) -> Result<(), Error> {
        let (wanted, max) = (wanted as u64, self.limits.max_wanted as u64);
        if wanted > max { Err(Error::TooManyWanted { wanted, max }) } else { Ok(()) }
    }

    /// A sink that takes its source for forgetful tells of what came. After a cold call that is a
    /// filter of one CID in two bytes, which would hide a block in a thousand by chance.
    fn is_of_what_was_sent(&self, have: &Filter) -> bool {
        let bytes = have.as_bytes().len();
        let few = self.session.len() <= RECOGNISED;
        let params = Params::new(bytes, have.k()).ok().filter(|_| few);
        params.is_some_and(|params| {
            let mut sent = Filter::new(params);
            self.recognised.for_each(|cid| sent.insert(cid));
            sent == *have
        })
    }

    fn list(&self, cids: &[Cid]) -> CidList {
        let mut list = CidList::with_seed(self.seed);
        list.reserve(cids.len());
        cids.iter().for_each(|cid| {
            list.push(cid);
        });
        list
    }

    /// Begins a round on an estimate of our own: everything below `root` that it does not hide.
    pub fn handle_estimate(&mut self, root: Cid, estimate: Narrowing) {
        self.begin(self.list(&[root]), estimate, None);
    }

    /// Begins a round for a sink that holds everything below `held`: what lies below `want` and not
    /// below those, as far as the DAG of `root` shows (the extension's held roots). Where none of
    /// them is held here it goes by `have`. Costs about three look-ups a block that is missing.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_held(
        &mut self,
        root: Cid,
        want: CidList,
        held: impl IntoIterator<Item = Cid>,
        have: Option<Filter>,
    ) -> Result<(), Error> {
        self.check_wanted(want.len())?;
        self.doubt(&want);
        self.begin_comparing(root, want, held, have);
        Ok(())
    }

    fn begin_comparing(
        &mut self,
        root: Cid,
        want: CidList,
        held: impl IntoIterator<Item = Cid>,
        have: Option<Filter>,
    ) {
        self.begin(want, have.into(), None);
        let (limits, capacity) = (&self.limits, self.limits.max_compared);
        let difference = Difference::new([root], held, capacity, limits, self.seed);
        if let Some(round) = &mut self.round {
            round.difference = Some(Box::new(difference));
        }
    }

    /// As [`handle_held`](Self::handle_held), of all that lies below `root`.
    pub fn handle_presumed(&mut self, root: Cid, held: impl IntoIterator<Item = Cid>) {
        self.begin_comparing(root, self.list(&[root]), held, None);
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

    fn begin(&mut self, wanted: CidList, narrowing: Narrowing, cold: Option<ColdCall>) {
        self.remember();
        let window = if cold.is_some() { cold::WINDOW } else { DEFAULT_WINDOW };
        let mut walk = Walk::new([], self.order, &self.limits, self.seed).with_window(window);
        walk.reserve(wanted.len());
        let unsent = self.remembers.then(|| CidSet::with_seed(self.seed));
        self.trail = self.trail.take().map(|_| Trail::default());
        self.round = Some(Round {
            limits: self.limits.clone(),
            walk,
            wanted,
            next: 0,
            narrowing,
            scope: Scope::All,
            naming: None,
            doubts: Doubts::new(&self.limits),
            difference: None,
            unsent,
            cold,
            sent: 0,
            sent_interior: false,
            named: 0,
            over: false,
        });
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
        let Some(round) = &mut self.round else { return };
        if let Some(difference) = &mut round.difference {
            return difference.handle_load(cid, data);
        }
        let data = match &mut round.naming {
            Some(naming) => match naming.answer(cid, data) {
                Ok(()) => return,
                Err(data) => data,
            },
            None => data,
        };
        round.walk.handle_load(cid, data);
    }

    /// The next output; `None` while look-ups are awaited and between rounds. Call again after
    /// every `handle_*`, until `None`.
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse; the round is over then.
    pub fn poll(&mut self) -> Result<Option<SourceOutput>, Error> {
        let output = self.round.as_mut().map_or(Ok(None), |round| round.poll(&self.session));
        if let (Ok(Some(SourceOutput::Transmit(block))), Some(trail)) = (&output, &mut self.trail) {
            trail.push(block.cid(), block.data(), &self.limits);
        }
        output
    }
}
