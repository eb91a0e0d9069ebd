//! The sink of a pool: it knows what is wanted, who was asked for it, and who is asked next.

mod arrive;
mod claim;
mod gossip;
mod output;
mod scout;
mod share;
mod steal;
mod trouble;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use carpool_core::{Block, Bytes, Cid, CidMap, Limits, may_link};

use crate::{
    Error, MAX_MEMBERS, Options,
    frontier::{Frontier, Id, ListId},
    request::{Form, Request, RequestId, Way},
    source::{Gone, Kind, Source, SourceId, State, Tally},
};
use gossip::Session;
pub use output::{PoolOutcome, PoolOutput};
use share::Sharing;

/// Wanted blocks that can have links and were asked of nobody.
const NODES: ListId = 0;
/// Wanted leaves that were asked of nobody.
const LEAVES: ListId = 1;
/// Wanted blocks that one source turned out not to have, and that are asked of nobody at the moment.
const AGAIN: ListId = 2;
/// Wanted blocks that no source has.
const LOST: ListId = 3;
const LISTS: usize = 4;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// It was wanted.
    Wanted,
    /// It was held.
    Duplicate,
    /// Nothing that links to it has come yet: it waits.
    Waits,
    /// Nobody asked for it.
    Unasked,
}

/// What came of a request in place of all that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The connection broke, or did not come about.
    Broken,
    /// The source says that it does not have what was asked for.
    Refused,
    /// Bytes that hash to something else, or that are no CAR: the source is dropped.
    Lie,
}

/// The sink of a transfer from many sources: sans-IO, and deterministic: the same events make the same decisions.
///
/// Tell it of sources, then poll; do what it says and tell it what comes of it. Time is in microseconds from any
/// beginning, and never runs backwards. A source is any peer that can be asked for blocks; what it can do is
/// its [`Kind`].
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    options: Options,
    frontier: Frontier,
    sources: Vec<Source>,
    requests: BTreeMap<RequestId, Request>,
    /// The request of each list beyond the first few.
    asked: Vec<Option<RequestId>>,
    spare: Vec<ListId>,
    next_request: RequestId,
    sharing: Option<Sharing>,
    /// When a request that nothing came of is to be looked at.
    overdue: Option<u64>,
    /// The time of the last event.
    now: u64,
    /// When the plan is looked at next.
    looks: u64,
    session: Session,
    /// Look-ups that are not answered.
    looking: usize,
    /// Of which entries, in the order in which they were asked for: of nodes, and of leaves.
    looked_up: [VecDeque<Id>; 2],
    /// Blocks that wait for their parents: who brought them, and their bytes.
    waiting: CidMap<(SourceId, u32)>,
    sizes: Sizes,
    outputs: VecDeque<PoolOutput>,
    links: Vec<Cid>,
    /// Whether somebody may have room for more.
    stirred: bool,
    /// Requests in a row that brought one node with one link.
    narrow: u32,
    over: bool,
}

/// Mean sizes of blocks, as far as they came.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    leaves: (u64, u64),
    nodes: (u64, u64),
    /// Whether any leaf, and any node, came.
    seen: [bool; 2],
}

impl Sizes {
    /// One leaf and one node of these sizes are believed in until others come.
    const ASSUMED: Self = Self { leaves: (1, 64 << 10), nodes: (1, 8 << 10), seen: [false; 2] };

    const fn add(&mut self, node: bool, bytes: u64) {
        let of = if node { &mut self.nodes } else { &mut self.leaves };
        let seen = &mut self.seen[node as usize];
        *of = if *seen { (of.0 + 1, of.1 + bytes) } else { (1, bytes) };
        *seen = true;
    }

    const fn of(&self, node: bool) -> u64 {
        let (count, bytes) = if node { self.nodes } else { self.leaves };
        // Its CID and its length travel too.
        bytes / count + 40
    }
}

impl Pool {
    /// A sink that wants the DAGs below `roots`. Blocks and links are held to `limits`.
    #[must_use]
    pub fn new(roots: &[Cid], limits: &Limits, options: Options) -> Self {
        let session = Session::new(&options.session);
        let mut pool = Self {
            limits: limits.clone(),
            frontier: Frontier::new(options.seed, LISTS),
            waiting: CidMap::with_seed(options.seed),
            options,
            sources: Vec::new(),
            requests: BTreeMap::new(),
            asked: alloc::vec![None; LISTS],
            spare: Vec::new(),
            next_request: 0,
            sharing: None,
            overdue: None,
            now: 0,
            looks: 0,
            session,
            looking: 0,
            looked_up: Default::default(),
            sizes: Sizes::ASSUMED,
            outputs: VecDeque::new(),
            links: Vec::new(),
            stirred: true,
            narrow: 0,
            over: false,
        };
        for root in roots {
            if let Some(id) = pool.frontier.meet(root, None) {
                pool.free(id);
                pool.look_up(id, root);
            }
        }
        pool
    }

    /// A source joins, at any time. `rtt` (microseconds) and `rate` (bytes a second) are what is known of the way
    /// to it; 0 is unknown. `None` where there are [`MAX_MEMBERS`] already.
    pub fn handle_source(&mut self, kind: Kind, rtt: u64, rate: u64, now: u64) -> Option<SourceId> {
        let source = SourceId::try_from(self.sources.len()).ok()?;
        if usize::from(source) >= MAX_MEMBERS {
            return None;
        }
        self.sources.push(Source::new(kind, rtt, rate, now));
        self.revive_lost();
        self.stirred = true;
        Some(source)
    }

    /// A source leaves, or its caller wants no more of it.
    pub fn handle_leave(&mut self, source: SourceId) {
        self.drop_source(source, Gone::Left);
    }

    /// Bytes came from a source, of whatever they are; call this before what becomes of them.
    pub fn handle_bytes(&mut self, source: SourceId, bytes: u64, now: u64) {
        if let Some(source) = self.sources.get_mut(usize::from(source)) {
            source.note_bytes(bytes, now);
        }
    }

    /// Answers a [`PoolOutput::Load`].
    ///
    /// # Errors
    /// [`Error::Block`] for a held block that does not parse.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Error> {
        self.looking = self.looking.saturating_sub(1);
        self.stirred = true;
        let next = self.looked_up[0].pop_front();
        match (self.frontier.find_near(next, cid), data) {
            (Some(id), Some(data)) if !self.frontier.is_held(id) => self.take_in(id, cid, &data),
            _ => Ok(()),
        }
    }

    /// Answers a [`PoolOutput::Has`].
    pub fn handle_has(&mut self, cid: &Cid, held: bool) {
        self.looking = self.looking.saturating_sub(1);
        self.stirred = true;
        let next = self.looked_up[1].pop_front();
        if !held {
            return;
        }
        let found = self.frontier.find_near(next, cid);
        if let Some(id) = found.filter(|id| !self.frontier.is_held(*id)) {
            self.settle(id);
        }
    }

    /// A block came, verified, of a request that may be over.
    ///
    /// # Errors
    /// [`Error::Block`] where it is wanted and does not parse, [`Error::Blocks`] where the DAG is larger than
    /// allowed: the transfer cannot go on.
    pub fn handle_block(
        &mut self,
        source: SourceId,
        request: RequestId,
        block: Block,
        now: u64,
    ) -> Result<Took, Error> {
        if self.over {
            return Ok(Took::Unasked);
        }
        self.now = now;
        self.note_begun(request, now);
        let took = self.arrive(source, request, block)?;
        if matches!(took, Took::Wanted | Took::Waits) {
            let of = &mut self.sources[usize::from(source)];
            (of.last_block, of.in_vain) = (now, 0);
        }
        self.stirred = self.stirred || self.has_room(source);
        Ok(took)
    }

    /// Answers a [`PoolOutput::Recall`]; without data the block is asked for after all.
    ///
    /// # Errors
    /// As [`handle_block`](Self::handle_block).
    pub fn handle_recalled(&mut self, cid: &Cid, data: Option<Bytes>) -> Result<(), Error> {
        self.looking = self.looking.saturating_sub(1);
        self.stirred = true;
        match (self.frontier.find(cid), data) {
            (Some(id), Some(data)) if !self.frontier.is_held(id) => {
                self.take_in(id, cid, &data)?;
                self.outputs.push_back(PoolOutput::Store(Block::new_unchecked(*cid, data)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The next output; `None` until the next `handle_*`, or until [`poll_timeout`](Self::poll_timeout). Call
    /// again until `None`, and after every event.
    pub fn poll(&mut self, now: u64) -> Option<PoolOutput> {
        if self.outputs.is_empty() && self.looking == 0 && !self.over {
            self.tend(now);
        }
        self.outputs.pop_front()
    }

    fn tend(&mut self, now: u64) {
        self.now = now;
        self.expire(now);
        if self.stirred {
            self.stirred = false;
            self.assign(now);
            self.conclude();
        }
    }

    /// What a source did, and where it stands.
    #[must_use]
    pub fn tally(&self, source: SourceId) -> Option<(Tally, State)> {
        self.sources.get(usize::from(source)).map(|source| (source.tally, source.state))
    }

    /// Bytes a second of a source, as far as they were measured.
    #[must_use]
    pub fn rate(&self, source: SourceId) -> Option<u64> {
        let source = self.sources.get(usize::from(source))?;
        source.knows_rate().then(|| source.rate())
    }

    /// Blocks that are known to be wanted.
    #[must_use]
    pub const fn missing(&self) -> usize {
        self.frontier.wanted()
    }

    /// Bytes of memory that what is known of the DAG takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frontier.bytes()
    }

    fn look_up(&mut self, id: Id, cid: &Cid) {
        self.looking += 1;
        // Mostly nothing waits, and then nothing is hashed.
        let waits = if self.waiting.is_empty() { None } else { self.waiting.remove(cid) };
        let output = match (waits, may_link(cid)) {
            (Some((source, bytes)), _) => {
                self.note_connected(source, bytes);
                PoolOutput::Recall(*cid)
            }
            (None, true) => {
                self.looked_up[0].push_back(id);
                PoolOutput::Load(*cid)
            }
            (None, false) => {
                self.looked_up[1].push_back(id);
                PoolOutput::Has(*cid)
            }
        };
        self.outputs.push_back(output);
    }

    /// Puts an entry where it waits to be asked for.
    fn free(&mut self, id: Id) {
        let tried = self.frontier.lacking(id) | self.frontier.withheld(id);
        let list = match (tried, self.frontier.is_node(id)) {
            (0, true) => NODES,
            (0, false) => LEAVES,
            _ => AGAIN,
        };
        self.frontier.put(id, list, None);
        self.stirred = true;
    }

    fn request_of(&self, list: ListId) -> Option<(RequestId, Request)> {
        let request = self.asked[list as usize]?;
        Some((request, *self.requests.get(&request)?))
    }

    /// Bytes that a list stands for, about.
    fn weight(&self, list: ListId) -> u64 {
        let (all, nodes) = (self.frontier.len(list) as u64, self.frontier.nodes(list) as u64);
        (all - nodes) * self.sizes.of(false) + nodes * self.sizes.of(true)
    }

    /// Bytes that a source was asked for and has not sent, about.
    fn in_flight(&self, source: SourceId) -> u64 {
        let of = &self.sources[usize::from(source)];
        of.sent_of(of.lists.iter().map(|list| self.weight(*list)).sum())
    }

    fn is_streaming(&self, source: SourceId) -> bool {
        self.sources[usize::from(source)].streams > 0
    }

    fn open(
        &mut self,
        source: SourceId,
        form: &Form,
        named: usize,
        now: u64,
    ) -> (RequestId, ListId) {
        let named = named as u64;
        let list = self.spare.pop().unwrap_or_else(|| {
            self.asked.push(None);
            self.frontier.open()
        });
        let request = self.next_request;
        self.next_request += 1;
        self.asked[list as usize] = Some(request);
        let of = &mut self.sources[usize::from(source)];
        let alone = of.open == 0;
        if alone || of.is_paused() {
            (of.last_sign, of.last_block) = (now, now);
        }
        of.open += 1;
        of.lists.push(list);
        of.tally.requests += 1;
        let way = match form {
            Form::Named => Way::Named,
            Form::Below => Way::Below,
            Form::Share(_) => Way::Share,
        };
        self.sources[usize::from(source)].streams += u32::from(way != Way::Named);
        let opened = Request { source, list, way, asked: now, named, alone, ..Request::NEW };
        self.requests.insert(request, opened);
        (request, list)
    }
}
