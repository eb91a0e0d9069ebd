use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Block, Bytes, Cid, CidMap, Limits, may_link};

use super::{
    held::{Held, Old, Taste, Window},
    links::Links,
    places::{NodeId, Places},
    record::{Content, Form, Name, Range, Record},
    segments::{Payload, Segments},
};
use crate::{
    Index, Operation, Scanner, compress_with,
    limits::{MAX_RECORD_BYTES, MAX_REFERRED_BYTES, MAX_WAITING, MAX_WAITING_BYTES},
    sample::Sampler,
};

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
}

impl Default for Options {
    fn default() -> Self {
        Self { level: 3, prefix: true, max_window_bytes: MAX_REFERRED_BYTES }
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

/// How many blocks went out in which encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Blocks as they are.
    pub plain: u64,
    /// Blocks that were compressed, without a base.
    pub compressed: u64,
    /// Blocks with copies of bases.
    pub copies: u64,
    /// Frames with bases as a prefix.
    pub prefix: u64,
    /// Names that did not travel, since they could be computed.
    pub computed: u64,
    /// Bytes of all blocks.
    pub bytes: u64,
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
    /// What waits at the other end: bytes, and blocks.
    waiting: (usize, usize),
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
    hint: Option<Cid>,
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

/// A stack deeper than that is sent, and its lower half forgotten.
const MAX_STACK: usize = 512;
/// Bytes of blocks with links that are held at most.
const MAX_HELD_BYTES: usize = 4 << 20;
/// Bytes of windows beside that of the innermost node.
const MAX_OUTER_BYTES: usize = 4 << 20;
/// A prefix is tried where copies make a block no smaller than one in so many, and the block is worth it.
const PREFIX_SHARE: usize = 8;
const MIN_TRIED: usize = 16 << 10;
/// Bytes of the piece that it is tried with.
const TRIED: usize = 24 << 10;
/// Bytes of a prefix.
const MAX_PREFIX: usize = 6 << 20;
/// For how many blocks a trial is believed; one that failed, twice as many each time.
const BELIEVED: u32 = 16;

impl Encoder {
    /// An encoder at the start of a body. `known` are the CIDs that both sides know, in an order that
    /// both know: what is wanted, then the old roots.
    #[must_use]
    pub fn new(
        known: impl IntoIterator<Item = Cid>,
        limits: &Limits,
        options: Options,
        seed: u64,
    ) -> Self {
        let mut places = Places::new(seed);
        places.push(known.into_iter());
        Self {
            limits: limits.clone(),
            segments: Segments::new(options.level),
            options,
            seed,
            places,
            sequence: None,
            stack: Vec::new(),
            waiting: (0, 0),
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

    /// Takes the next block. `old` is what the peer holds at the same place, where the caller knows;
    /// else it is found between the same neighbours below what its parent was held against.
    ///
    /// Only when it [is ready](Self::is_ready): a block that comes before is lost.
    pub fn handle_block(&mut self, block: Block, old: Option<Cid>) {
        debug_assert!(self.is_ready(), "takes a block when it is ready");
        self.settle(block.cid());
        let (wants, first) = self.wants(&block, old.as_ref());
        let answers = CidMap::with_seed(self.seed);
        let mut job = Job { block, hint: old, wants, first, answers, open: 0 };
        for cid in job.wants.iter().flatten() {
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
        while let Some(held) = self.stack.pop() {
            self.send_popped(held);
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
        while let Some(held) = self.stack.pop_if(|held| !held.links_to(cid)) {
            self.send_popped(held);
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

    /// Holds a block with links until what is below it was sent.
    fn hold(&mut self, mut job: Job) {
        let old = job.wants.first().copied().flatten();
        let old = old.and_then(|cid| Some((cid, job.answers.get_mut(&cid)?.take()?)));
        let old = old.map(|(cid, data)| Old::new(cid, data, &self.limits));
        if self.stack.len() >= MAX_STACK || self.held_bytes() > MAX_HELD_BYTES {
            self.send_held();
            let half = self.stack.len() / 2;
            self.stack.drain(..half);
        }
        self.stack.push(Held::new(job.block, old, &self.limits, self.seed));
    }

    fn held_bytes(&self) -> usize {
        let held = self.stack.iter().filter(|held| !held.sent);
        held.map(|held| held.block.data().len()).sum()
    }

    /// Sends all blocks that are held, the outermost first: what waits below them goes with them.
    fn send_held(&mut self) {
        let mut stack = core::mem::take(&mut self.stack);
        for held in stack.iter_mut().filter(|held| !held.sent) {
            self.send_node(held, None);
        }
        self.stack = stack;
    }

    /// Sends a block that was held, below which no more will come.
    fn send_popped(&mut self, mut held: Held) {
        if held.sent {
            return;
        }
        let form = self.form(&held.block);
        self.send_node(&mut held, form);
        if form.is_some() {
            self.note_waiting(held.block.cid(), held.block.data().len(), held.waiting);
        }
    }

    /// How a block is named whose parent can take its hash, and which has room to wait.
    fn form(&mut self, block: &Block) -> Option<Form> {
        let parent = self.stack.last().filter(|held| held.can_take(block.cid()));
        let form = parent.and_then(|_| Form::of(block.cid()))?;
        let (bytes, count) = self.waiting;
        if bytes + block.data().len() > MAX_WAITING_BYTES || count >= MAX_WAITING {
            self.send_held();
            return None;
        }
        Some(form)
    }

    /// Notes that the block whose record was written last waits for the innermost node that is held.
    fn note_waiting(&mut self, cid: &Cid, len: usize, below: (usize, usize)) {
        self.counts.computed += 1;
        self.waiting = (self.waiting.0 + len, self.waiting.1 + 1);
        let Some(parent) = self.stack.last_mut() else { return };
        parent.waits.insert(cid, self.segments.context.next - 1);
        parent.waiting.0 += len + below.0;
        parent.waiting.1 += 1 + below.1;
    }

    /// Sends a block with links.
    fn send_node(&mut self, held: &mut Held, form: Option<Form>) {
        held.sent = true;
        if form.is_none() {
            self.waiting.0 -= held.waiting.0;
            self.waiting.1 -= held.waiting.1;
        }
        let mut encoded = encode_node(held, held.old.as_ref());
        if is_too_long(&encoded.content) {
            encoded = encode_node(held, None);
        }
        match &mut held.old {
            Some(old) if has_copies(&encoded.content) => {
                self.open(old);
                self.refer(Sequence::Block(old.cid), old.id);
            }
            _ => {}
        }
        let links = Links::of(held.block.cid(), held.block.data(), &self.limits);
        self.send(&held.block, form, &encoded);
        self.places.push(links.iter());
    }

    /// Makes sure that the links of an old node can be named.
    fn open(&mut self, old: &mut Old) {
        if old.id.is_some_and(|id| self.places.contains(id)) {
            return;
        }
        let place = self.places.place(&old.cid);
        self.segments.push(&Record::Open(place), Payload::default());
        old.id = Some(self.places.push(old.links.iter()));
    }

    /// Makes sure that copies refer to a sequence.
    fn refer(&mut self, sequence: Sequence, node: Option<NodeId>) {
        if self.sequence == Some(sequence) {
            return;
        }
        let range = match sequence {
            Sequence::Links { node, first, count } => self
                .places
                .link(node, first, count)
                .map(|(position, link)| Range::Links { position, link, count }),
            Sequence::Block(cid) => node
                .and_then(|id| self.places.position(id))
                .map_or(Some(Range::Cid(cid)), |position| Some(Range::Node { position })),
        };
        let range = range.expect("the node was opened just now");
        self.segments.push(&Record::Bases([range].into()), Payload::default());
        self.sequence = Some(sequence);
    }

    fn send_leaf(&mut self, job: Job) {
        let link =
            self.stack.last().and_then(|held| held.pair_of(job.block.cid(), job.hint.as_ref()));
        let Job { block, wants, first, mut answers, .. } = job;
        let answer = |cid: &Option<Cid>| cid.and_then(|cid| answers.get_mut(&cid)?.clone());
        let mut bases: Vec<Bytes> =
            wants.iter().map(answer).map(Option::unwrap_or_default).collect();
        if let Some(first) = first {
            self.open_window(first, core::mem::take(&mut bases));
        }
        let form = self.form(&block);
        let encoded = match link {
            Some(link) => self.encode_in_window(block.data(), link),
            None => {
                self.encode_against(block.data(), bases.pop().zip(wants.first().copied().flatten()))
            }
        };
        self.send(&block, form, &encoded);
        if form.is_some() {
            self.note_waiting(block.cid(), block.data().len(), (0, 0));
        }
    }

    /// Encodes a leaf against one old block, if any.
    fn encode_against(&mut self, data: &Bytes, old: Option<(Bytes, Cid)>) -> Encoded {
        let Some((base, cid)) = old else { return self.alone(data) };
        let mut window = Window::new(0, Vec::from([base]));
        let encoded = self.encode(data, &mut window, 0);
        if has_copies(&encoded.content) {
            self.refer(Sequence::Block(cid), None);
        }
        encoded
    }

    /// Indexes old blocks below the innermost node; what was indexed further out is kept while it is little.
    fn open_window(&mut self, first: usize, mut bases: Vec<Bytes>) {
        let mut left = self.options.max_window_bytes.min(MAX_REFERRED_BYTES);
        for base in &mut bases {
            match left.checked_sub(base.len()) {
                Some(rest) => left = rest,
                None => *base = Bytes::new(),
            }
        }
        let mut outer = MAX_OUTER_BYTES;
        for old in self.stack.iter_mut().rev().skip(1).filter_map(|held| held.old.as_mut()) {
            let memory = old.window.as_ref().map_or(0, Window::memory);
            match outer.checked_sub(memory) {
                Some(rest) => outer = rest,
                None => old.window = None,
            }
        }
        if let Some(old) = self.stack.last_mut().and_then(|held| held.old.as_mut()) {
            old.window = None;
            old.window = Some(Window::new(first, bases));
        }
    }

    fn encode_in_window(&mut self, data: &Bytes, link: usize) -> Encoded {
        let mut stack = core::mem::take(&mut self.stack);
        let old = stack.last_mut().and_then(|held| held.old.as_mut());
        let encoded = old.and_then(|old| {
            let mut window = old.window.take()?;
            let encoded = self.encode(data, &mut window, link);
            if has_copies(&encoded.content) {
                self.open(old);
                let (first, count) = (window.first, window.index.bases().len());
                let node = old.id.expect("it was opened just now");
                self.refer(Sequence::Links { node, first, count }, None);
            }
            old.window = Some(window);
            Some(encoded)
        });
        self.stack = stack;
        encoded.unwrap_or_else(|| self.alone(data))
    }

    /// The smallest encoding of a leaf against a window.
    fn encode(&mut self, data: &Bytes, window: &mut Window, link: usize) -> Encoded {
        let (mut operations, mut literals) = (Vec::new(), Vec::new());
        window.scanner.scan(&window.index, data, &mut operations, &mut literals);
        let (copied, cost) = (literals.len() < data.len(), literals.len() + 3 * operations.len());
        let content = Content::Copies(operations);
        let poor = cost > data.len() / PREFIX_SHARE && data.len() >= MIN_TRIED;
        if self.options.prefix
            && poor
            && let Some(encoded) = self.with_prefix(data, window, link)
        {
            return encoded;
        }
        if !copied || is_too_long(&content) {
            return self.alone(data);
        }
        Encoded { content, literals, plain: Bytes::new() }
    }

    /// A block without bases: compressed, or plain.
    fn alone(&mut self, data: &Bytes) -> Encoded {
        if !self.sampler.is_compressible(data) {
            return Encoded { content: Content::Plain, literals: Vec::new(), plain: data.clone() };
        }
        let operations = Some(Operation::Insert(data.len())).filter(|op| !op.is_empty());
        let content = Content::Copies(operations.into_iter().collect());
        Encoded { content, literals: data.to_vec(), plain: Bytes::new() }
    }

    /// A frame with the old blocks around `link` as its prefix, where a trial nearby said that it is smaller.
    fn with_prefix(&mut self, data: &Bytes, window: &mut Window, link: usize) -> Option<Encoded> {
        match window.taste.believed.checked_sub(1) {
            Some(left) => window.taste.believed = left,
            None => {
                let prefix = self.prefix_is_smaller(data, window, link);
                let failed = if prefix { 0 } else { window.taste.failed + 1 };
                let believed = BELIEVED << failed.min(6);
                window.taste = Taste { prefix, failed, believed };
            }
        }
        if !window.taste.prefix {
            return None;
        }
        let (first, count, prefix) = window.around(link)?;
        let frame = compress_with(&prefix, data).filter(|frame| frame.len() < data.len())?;
        let content = Content::Prefix { first, count, frame: frame.len() };
        Some(Encoded { content, literals: Vec::new(), plain: frame.into() })
    }

    /// Tries a piece of a block with the piece of the old one around the same place as its prefix, and with
    /// copies.
    fn prefix_is_smaller(&mut self, data: &Bytes, window: &Window, link: usize) -> bool {
        let start = (data.len() / 2).saturating_sub(TRIED / 2);
        let piece = data.slice(start..data.len().min(start + TRIED));
        let Some(old) = window.base(link) else { return false };
        let from = start.saturating_sub(TRIED).min(old.len());
        let around = &old[from..old.len().min(start + 2 * TRIED)];
        let Some(frame) = compress_with(around, &piece) else { return false };
        let (mut operations, mut literals) = (Vec::new(), Vec::new());
        let mut scanner = window.scanner;
        scanner.scan(&window.index, &piece, &mut operations, &mut literals);
        // Copies share their entropy with the blocks around, which the estimate does not know.
        4 * frame.len() < 3 * self.sampler.estimate(&operations, &literals)
    }

    fn send(&mut self, block: &Block, form: Option<Form>, encoded: &Encoded) {
        let name = form.map_or_else(|| Name::Place(self.places.place(block.cid())), Name::Computed);
        let (node, len) = (may_link(block.cid()), block.data().len());
        self.count(encoded, len);
        let content = encoded.content.clone();
        let payload = Payload { literals: &encoded.literals, plain: encoded.plain.clone() };
        self.segments.push(&Record::Block { name, node, len, content }, payload);
    }

    const fn count(&mut self, encoded: &Encoded, len: usize) {
        let counter = match &encoded.content {
            Content::Plain => &mut self.counts.plain,
            Content::Prefix { .. } => &mut self.counts.prefix,
            Content::Copies(_) if encoded.literals.len() == len => &mut self.counts.compressed,
            Content::Copies(_) => &mut self.counts.copies,
        };
        *counter += 1;
        self.counts.bytes += len as u64;
    }
}

impl Window {
    fn new(first: usize, bases: Vec<Bytes>) -> Self {
        let index = Index::new(bases);
        Self { first, index, scanner: Scanner::default(), taste: Taste::default() }
    }

    /// The base at a link, or the one next to it.
    fn base(&self, link: usize) -> Option<&Bytes> {
        let bases = self.index.bases();
        bases.get(link.checked_sub(self.first)?.min(bases.len().checked_sub(1)?))
    }

    /// The leaves next to a link: the first, how many, and their bytes.
    fn around(&self, link: usize) -> Option<(usize, usize, Vec<u8>)> {
        let bases = self.index.bases();
        let middle = link.checked_sub(self.first)?.min(bases.len().checked_sub(1)?);
        // What is empty here is no leaf, or was too much.
        let is_leaf = |n: &usize| bases.get(*n).is_some_and(|base| !base.is_empty());
        let first = middle.checked_sub(1).filter(is_leaf).unwrap_or(middle);
        let last = Some(middle + 1).filter(is_leaf).unwrap_or(middle);
        let prefix = bases[first..=last].concat();
        let fits = is_leaf(&middle) && prefix.len() <= MAX_PREFIX;
        fits.then_some((first, last + 1 - first, prefix))
    }
}

fn has_copies(content: &Content) -> bool {
    match content {
        Content::Plain => false,
        Content::Prefix { .. } => true,
        Content::Copies(operations) => {
            operations.iter().any(|op| matches!(op, Operation::Copy { .. }))
        }
    }
}

/// Whether operations may not fit into a record: each has at most twelve bytes.
const fn is_too_long(content: &Content) -> bool {
    match content {
        Content::Plain | Content::Prefix { .. } => false,
        Content::Copies(operations) => operations.len() > MAX_RECORD_BYTES / 12 - 64,
    }
}

/// A block with links: hashes of what waits for it are taken, and the rest is held against the old node.
fn encode_node(held: &Held, old: Option<&Old>) -> Encoded {
    let data = held.block.data();
    let index = Index::new(old.map(|old| old.data.clone()).into_iter().collect());
    let (mut operations, mut literals) = (Vec::new(), Vec::new());
    let (mut scanner, mut at) = (Scanner::default(), 0);
    for (digest, number) in held.takes() {
        scanner.scan(&index, &data[at..digest], &mut operations, &mut literals);
        scanner.take(number, &mut operations);
        at = digest + 32;
    }
    scanner.scan(&index, &data[at..], &mut operations, &mut literals);
    Encoded { content: Content::Copies(operations), literals, plain: Bytes::new() }
}
