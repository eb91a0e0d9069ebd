use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Block, Bytes, Cid, CidMap, Limits, may_link};

mod leaf;
mod naming;
mod node;

use super::{
    counts::Counts,
    held::{Held, Waits},
    links::Links,
    places::{NodeId, Places},
    record::Content,
    segments::Segments,
};
use crate::{limits::MAX_REFERRED_BYTES, sample::Sampler};

/// How an [`Encoder`] goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The level of zstd for the two streams. Default 3.
    pub level: i32,
    /// Whether frames with a prefix are tried where copies find little. Default yes: at a tenth of
    /// the rate they are better on executables.
    pub prefix: bool,
    /// Bytes of old blocks that are indexed together. Default 32 MiB, which is also the most.
    pub max_window_bytes: usize,
    /// Blocks from so many bytes on go as they are where samples do not compress. Shorter ones go with the
    /// others: they may be like what went before, if not like themselves. Default 128 KiB.
    pub min_sampled: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: 3,
            prefix: true,
            max_window_bytes: MAX_REFERRED_BYTES,
            min_sampled: 128 << 10,
        }
    }
}

/// What an [`Encoder`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Look this old block up, among those that the peer is known to hold, and answer with
    /// [`Encoder::handle_load`].
    Load(Cid),
    /// The next bytes of the body.
    Data(Bytes),
}

/// Writes a delta body.
///
/// Give it blocks in the order of a walk, parents before children and best depth first, when it
/// [is ready](Self::is_ready), and answer its look-ups; after each call [`poll`](Self::poll) until `None`. What comes
/// out of the decoder at the other end is in the same order where that is depth first.
#[derive(Debug)]
pub struct Encoder {
    limits: Limits,
    options: Options,
    seed: u64,
    segments: Segments,
    places: Places,
    /// What the next copies refer to.
    sequence: Option<Sequence>,
    /// From the first root down to the block that came last.
    stack: Vec<Held>,
    /// What waits at the other end.
    waits: Waits,
    job: Option<Job>,
    loads: VecDeque<Cid>,
    sampler: Sampler,
    counts: Counts,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    Links { node: NodeId, first: usize, count: usize },
    Block(Cid),
}

/// The block that is being encoded.
#[derive(Debug)]
struct Job {
    block: Block,
    /// Whether the peer has it, so that it is not to be sent.
    known: bool,
    /// The way down to the old block that the caller named, which is the last.
    named: Vec<Cid>,
    /// Old blocks that it is held against.
    wants: Vec<Option<Cid>>,
    /// The old link of the first of them, where they are to be indexed.
    first: Option<usize>,
    answers: CidMap<Option<Bytes>>,
    open: usize,
}

/// A block as it goes out.
struct Encoded {
    content: Content,
    literals: Vec<u8>,
    plain: Bytes,
}

impl Encoder {
    /// An encoder at the start of a body. What both sides know, in an order that both know, are the CIDs
    /// that are `wanted`, and the old roots that the peer holds with all that lies below them.
    #[must_use]
    pub fn new(
        wanted: impl IntoIterator<Item = Cid>,
        held: impl IntoIterator<Item = Cid>,
        limits: &Limits,
        options: Options,
        seed: u64,
    ) -> Self {
        let held: Vec<Cid> = held.into_iter().collect();
        let mut places = Places::new(held.clone(), seed);
        let wanted: Vec<Cid> = wanted.into_iter().collect();
        let first_old = wanted.len();
        places.push_with(wanted.into_iter().chain(held), first_old);
        Self {
            limits: limits.clone(),
            segments: Segments::new(options.level),
            options,
            seed,
            places,
            sequence: None,
            stack: Vec::new(),
            waits: Waits::default(),
            job: None,
            loads: VecDeque::new(),
            sampler: Sampler::new(),
            counts: Counts::default(),
            ended: false,
        }
    }

    /// Whether it takes the next block.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.job.is_none() && !self.ended
    }

    /// Takes the next block. `old` is the way down to what the peer holds in its place, where the caller
    /// knows better than the encoder: from an old root, or whatever can be named, to the old block itself. Where it is
    /// empty the encoder takes what stands between the same neighbours below what the block's parent was held
    /// against.
    ///
    /// Only when it [is ready](Self::is_ready): a block that comes before is lost.
    pub fn handle_block(&mut self, block: Block, old: &[Cid]) {
        self.begin(block, old, false);
    }

    /// Takes a block with links that the peer has already and that is not sent: those that come next lie
    /// below it. From the root down, since what is below it is named by its place. `old` is as in
    /// [`handle_block`](Self::handle_block).
    pub fn handle_known(&mut self, block: Block, old: &[Cid]) {
        self.begin(block, old, true);
    }

    fn begin(&mut self, block: Block, old: &[Cid], known: bool) {
        debug_assert!(self.is_ready(), "takes a block when it is ready");
        self.settle(block.cid());
        let (wants, first) = self.wants(&block, old.last());
        let answers = CidMap::with_seed(self.seed);
        let mut job = Job { block, known, named: old.to_vec(), wants, first, answers, open: 0 };
        for cid in job.wants.iter().flatten().chain(&job.named) {
            if job.answers.insert_absent(cid, || None) {
                job.open += 1;
                self.loads.push_back(*cid);
            }
        }
        self.job = Some(job);
        self.go_on();
    }

    /// Answers a look-up; `None` where the block is not there, or may not be told of to this peer.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        let Some(job) = &mut self.job else { return };
        let Some(answer) = job.answers.get_mut(cid) else { return };
        (*answer, job.open) = (data, job.open.saturating_sub(1));
        self.go_on();
    }

    /// Ends the segment, so that what was taken goes out but for parents that wait for more below them.
    pub fn flush(&mut self) {
        self.segments.end_segment();
    }

    /// Says that all blocks were given.
    pub fn finish(&mut self) {
        if core::mem::replace(&mut self.ended, true) {
            return;
        }
        while !self.stack.is_empty() {
            self.send_innermost();
        }
        self.segments.end();
    }

    /// What comes next; `None` when a block or an answer is needed, or at the end.
    #[must_use = "bytes are lost if they are not sent"]
    pub fn poll(&mut self) -> Option<Sending> {
        let load = self.loads.pop_front().map(Sending::Load);
        load.or_else(|| self.segments.pop().map(Sending::Data))
    }

    /// What was sent so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of memory beside those of blocks.
    #[must_use]
    pub fn memory(&self) -> usize {
        let windows = self.stack.iter().filter_map(|held| held.old.as_ref()?.window.as_ref());
        let tables: usize = windows.map(|window| window.index.table_bytes()).sum();
        self.segments.memory() + tables
    }

    fn go_on(&mut self) {
        let Some(job) = self.job.take_if(|job| job.open == 0) else { return };
        if may_link(job.block.cid()) {
            self.hold(job);
        } else {
            self.send_leaf(job);
        }
    }

    /// Lets go of nodes that do not link to `cid`.
    fn settle(&mut self, cid: &Cid) {
        while self.stack.last().is_some_and(|held| !held.links_to(cid)) {
            self.send_innermost();
        }
    }

    /// The old blocks that a block is to be held against, and which link the first of them is.
    fn wants(&self, block: &Block, hint: Option<&Cid>) -> (Vec<Option<Cid>>, Option<usize>) {
        let parent = self.stack.last();
        let pair = parent.and_then(|held| Some((held, held.pair_of(block.cid(), hint)?)));
        let Some((held, link)) = pair else {
            return (hint.map(|cid| Some(*cid)).into_iter().collect(), None);
        };
        let old = held.old.as_ref();
        if may_link(block.cid()) {
            let paired = hint.copied().or_else(|| old?.links.get(link).filter(may_link));
            return (paired.map(Some).into_iter().collect(), None);
        }
        if old.and_then(|old| old.window.as_ref()).is_some_and(|window| window.covers(link)) {
            return (Vec::new(), None);
        }
        let most = self.options.max_window_bytes.min(MAX_REFERRED_BYTES);
        let (first, end) = held.range(link, block.data().len(), most);
        (held.leaves(first, end), Some(first))
    }
}

impl Job {
    fn hint(&self) -> Option<&Cid> {
        self.named.last()
    }

    /// Old blocks to be indexed; empty where they are not there.
    fn bases(&mut self) -> Vec<Bytes> {
        let Self { wants, answers, .. } = self;
        let answer = |cid: &Option<Cid>| cid.and_then(|cid| answers.get_mut(&cid)?.clone());
        wants.iter().map(answer).map(Option::unwrap_or_default).collect()
    }

    /// The one old block that a leaf is held against.
    fn wanted(&mut self) -> Option<(Cid, Bytes)> {
        let cid = self.wants.first().copied().flatten()?;
        Some((cid, self.answers.get_mut(&cid)?.clone()?))
    }

    /// The old nodes above the one that was named; none where one of them is not there.
    fn path(&mut self, limits: &Limits) -> Vec<(Cid, Links)> {
        let above = self.named.split_last().map_or(&[][..], |(_, above)| above);
        let answers = &self.answers;
        let links = |cid: &Cid| Some((*cid, Links::of(cid, answers.get(cid)?.as_ref()?, limits)));
        above.iter().map(links).collect::<Option<_>>().unwrap_or_default()
    }
}
