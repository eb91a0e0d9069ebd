mod block;

use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Block, Bytes, Cid, CidSet, Limits, Unverified, may_link};

use super::{
    buffer::Buffer,
    cache::Cache,
    counts::Counts,
    links::Links,
    nodes::{Base, Found, Known, Node, Nodes},
    record::{Content, Context, Form, Name, Place, Range, Record, Unreadable},
    waiting::Waiting,
};
use crate::{
    Error,
    cursor::Cursor,
    limits::{
        CONTROL_WINDOW, LITERALS_WINDOW, LOAD_ALLOWANCE, LOAD_RATIO, MAX_CONTROL_BYTES,
        MAX_RECORD_BYTES, SEGMENT_SLACK, VERSION,
    },
    stream::Inflating,
};

/// What a [`Decoder`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look this old block up, among those that the peer may read, and answer with
    /// [`Decoder::handle_load`].
    Load {
        /// The block.
        cid: Cid,
        /// Whether it lies below one of the old roots, or is one: then who may read these may read it.
        below_held: bool,
    },
    /// The next block, parents before children. Its bytes were not hashed against its CID.
    Block(Unverified),
    /// As [`Block`](Self::Block), of one whose CID was computed from its bytes, so that it need not be hashed
    /// again. Whether anybody wants it is another question.
    Hashed(Block),
    /// A block that could not be decoded since an old block is not there: it has to be asked for in
    /// another way.
    Lost {
        /// The block; not known where what names it is lost.
        cid: Option<Cid>,
        /// An old block that is lacking; not known where what names that is lost.
        base: Option<Cid>,
    },
}

/// Reads a delta body from chunks of any size.
///
/// Give it what arrives ([`handle_data`](Self::handle_data)), answer its look-ups, and say when nothing more
/// will arrive; after each call [`poll`](Self::poll) until `None`. Blocks come out as from a CAR, to be
/// verified. What it keeps is bounded: one segment, the old blocks that a block refers to, and those
/// that wait for a parent.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    buffer: Buffer,
    stage: Stage,
    control: Inflating,
    literals: Inflating,
    segment: Segment,
    context: Context,
    /// How many records were read.
    records: u64,
    nodes: Nodes,
    /// The old roots.
    held: Vec<Cid>,
    /// The bases that copies refer to.
    sequence: Vec<Base>,
    current: Option<Current>,
    cache: Cache,
    /// What was asked for and not answered.
    asked: CidSet,
    waiting: Waiting,
    out: VecDeque<Output>,
    /// Bytes of old blocks that were loaded, and of blocks that were decoded.
    loaded: u64,
    decoded: u64,
    counts: Counts,
    eof: bool,
    failed: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    Segments,
    End,
}

/// The segment whose records are read.
#[derive(Debug, Default)]
struct Segment {
    control: Vec<u8>,
    /// Where in `control` the next record begins.
    at: usize,
    literals: Bytes,
    plain: Bytes,
}

/// A record that was read.
#[derive(Debug)]
enum Current {
    Open(Place),
    /// Ranges, of which so many were looked up.
    Bases(Vec<Range>, usize),
    /// A block whose name is still a place.
    Named(Place, Pending),
    /// A block whose bases are awaited.
    Block(Naming, Pending),
}

/// What a record says of a block beside its name.
#[derive(Debug)]
struct Pending {
    node: bool,
    len: usize,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
enum Naming {
    Cid(Option<Cid>),
    Computed(Form),
}

/// What a step came to.
enum Step {
    /// There is more to do.
    On,
    /// A look-up has to be answered first, or more input has to come.
    Wait,
}

/// Why a block cannot be made.
enum Failure {
    Error(Error),
    Lost(Option<Cid>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What an operation refers to.
#[derive(Default)]
struct Made {
    data: Bytes,
    taken: Vec<u64>,
}

impl Decoder {
    /// A decoder at the start of a body. What both sides know, in an order that both know, are the CIDs
    /// that are `wanted`, and the old roots that are `held` with all that lies below them.
    #[must_use]
    pub fn new(
        wanted: impl IntoIterator<Item = Cid>,
        held: impl IntoIterator<Item = Cid>,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let (mut links, mut nodes) = (Links::default(), Nodes::default());
        wanted.into_iter().for_each(|cid| links.push(&cid));
        let first_held = links.len();
        let held: Vec<Cid> = held.into_iter().collect();
        held.iter().for_each(|cid| links.push(cid));
        nodes.push(Node::known(links, first_held));
        Self {
            limits: limits.clone(),
            buffer: Buffer::default(),
            stage: Stage::Version,
            control: Inflating::new(CONTROL_WINDOW),
            literals: Inflating::new(LITERALS_WINDOW),
            segment: Segment::default(),
            context: Context::default(),
            records: 0,
            nodes,
            held,
            sequence: Vec::new(),
            current: None,
            cache: Cache::new(seed),
            asked: CidSet::with_seed(seed),
            waiting: Waiting::default(),
            out: VecDeque::new(),
            loaded: 0,
            decoded: 0,
            counts: Counts::default(),
            eof: false,
            failed: None,
        }
    }

    /// Takes the next bytes of the body.
    pub fn handle_data(&mut self, data: Bytes) {
        self.buffer.push(data);
    }

    /// Says that the body has ended: one without its end mark is [`Error::Truncated`].
    pub const fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// Answers a look-up; `None` where the block is not there, or not for this peer. The bytes have to
    /// be verified. Other answers are not looked at.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if !self.asked.remove(cid) {
            return;
        }
        self.loaded += data.as_ref().map_or(0, |data| data.len() as u64);
        let limits = &self.limits;
        self.nodes.handle_links(cid, || match &data {
            Some(data) => Known::All(Links::of(cid, data, limits)),
            None => Known::Never,
        });
        self.cache.insert(*cid, data);
    }

    /// Bytes of the blocks that were decoded so far, those that were dropped with a lost parent
    /// included: a few bytes of a body can stand for megabytes, so a caller holds this to a limit.
    #[must_use]
    pub const fn decoded(&self) -> u64 {
        self.decoded
    }

    /// The blocks that were decoded so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the end mark was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::End
    }

    /// What comes next; `None` when input or an answer is needed, or, after
    /// [`handle_eof`](Self::handle_eof), at the end.
    ///
    /// # Errors
    /// Any [`Error`]; the same one again at every later call.
    #[must_use = "blocks are lost if they are not looked at"]
    pub fn poll(&mut self) -> Result<Option<Output>, Error> {
        if let Some(output) = self.out.pop_front() {
            return Ok(Some(output));
        }
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let advanced = self.advance();
        if let Err(error) = advanced {
            self.failed = Some(error);
        }
        match (self.out.pop_front(), &self.failed) {
            (Some(output), _) => Ok(Some(output)),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(None),
        }
    }

    /// Goes on until there is something to say.
    fn advance(&mut self) -> Result<(), Error> {
        while self.out.is_empty() {
            let step = match self.current.take() {
                Some(current) => self.go_on(current)?,
                None if self.segment.at < self.segment.control.len() => self.next_record()?,
                None => self.next_segment()?,
            };
            if matches!(step, Step::Wait) {
                break;
            }
        }
        Ok(())
    }

    fn next_segment(&mut self) -> Result<Step, Error> {
        match self.stage {
            Stage::Version if self.buffer.len() == 0 => self.starved(),
            Stage::Version => {
                let version = self.buffer.take(1)[0];
                if version != VERSION {
                    return Err(Error::Version { version });
                }
                self.stage = Stage::Segments;
                Ok(Step::On)
            }
            Stage::Segments => {
                self.end_segment()?;
                self.begin_segment()
            }
            Stage::End if self.buffer.len() > 0 => {
                Err(Error::End { expected: "nothing behind it" })
            }
            Stage::End => Ok(Step::Wait),
        }
    }

    fn starved(&self) -> Result<Step, Error> {
        if self.eof { Err(Error::Truncated { record: self.records }) } else { Ok(Step::Wait) }
    }

    fn begin_segment(&mut self) -> Result<Step, Error> {
        let numbers = self.buffer.three_numbers().map_err(|_| self.expected("three lengths"))?;
        let Some((lens, head)) = numbers else { return self.starved() };
        let parts = self.part_limits();
        let mut sizes = [0; 3];
        for ((size, bytes), (part, max)) in sizes.iter_mut().zip(lens).zip(parts) {
            let too_long = Error::PartTooLong { part, bytes, max: max as u64 };
            *size = usize::try_from(bytes).ok().filter(|n| *n <= max).ok_or(too_long)?;
        }
        if self.buffer.len() < head + sizes.iter().sum::<usize>() {
            return self.starved();
        }
        self.buffer.take(head);
        if sizes == [0; 3] {
            return self.end();
        }
        let [control, literals, plain] = sizes.map(|n| self.buffer.take(n));
        let control = self.read_control(&control)?;
        self.segment = Segment { control, at: 0, literals, plain };
        Ok(Step::On)
    }

    /// The three parts and the most bytes of each.
    const fn part_limits(&self) -> [(&'static str, usize); 3] {
        let block = self.limits.max_block_bytes.saturating_add(SEGMENT_SLACK);
        [("control", MAX_CONTROL_BYTES), ("literals", block), ("plain", block)]
    }

    fn end(&mut self) -> Result<Step, Error> {
        if !self.waiting.is_empty() {
            return Err(Error::End { expected: "no block that waits" });
        }
        self.stage = Stage::End;
        Ok(Step::On)
    }

    fn read_control(&mut self, mut compressed: &[u8]) -> Result<Vec<u8>, Error> {
        const STEP: usize = 32 << 10;
        let (mut raw, broken) = (Vec::new(), self.broken("control"));
        while self.control.read(&mut compressed, STEP, &mut raw).map_err(|_| broken.clone())? > 0 {
            if raw.len() > MAX_CONTROL_BYTES {
                let (bytes, max) = (raw.len() as u64, MAX_CONTROL_BYTES as u64);
                return Err(Error::PartTooLong { part: "raw control", bytes, max });
            }
        }
        // A segment of no record would be of no use, and could come for ever.
        if raw.is_empty() { Err(broken) } else { Ok(raw) }
    }

    /// Holds a segment whose records were read to having used all of its parts.
    fn end_segment(&mut self) -> Result<(), Error> {
        let Segment { control, literals, plain, .. } = core::mem::take(&mut self.segment);
        if control.is_empty() {
            return Ok(());
        }
        if !plain.is_empty() {
            return Err(self.broken("plain"));
        }
        let mut rest = &literals[..];
        let read = self.literals.read(&mut rest, 1, &mut Vec::new());
        let used = read == Ok(0) && rest.is_empty();
        if used { Ok(()) } else { Err(self.broken("literals")) }
    }

    const fn broken(&self, part: &'static str) -> Error {
        Error::Part { part, record: self.records }
    }

    const fn expected(&self, expected: &'static str) -> Error {
        Error::Record { record: self.records, cid: None, expected }
    }

    fn next_record(&mut self) -> Result<Step, Error> {
        let rest = &self.segment.control[self.segment.at..];
        let mut cursor = Cursor::new(&rest[..rest.len().min(MAX_RECORD_BYTES)]);
        let before = cursor.len();
        let max = self.limits.max_block_bytes;
        let record = Record::read(&mut cursor, &mut self.context, max);
        self.segment.at += before - cursor.len();
        self.current = Some(match record.map_err(|why| self.unreadable(why))? {
            Record::Open(place) => Current::Open(place),
            Record::Bases(ranges) => {
                self.sequence.clear();
                Current::Bases(ranges, 0)
            }
            Record::Block { name: Name::Place(place), node, len, content } => {
                Current::Named(place, Pending { node, len, content })
            }
            Record::Block { name: Name::Computed(form), node, len, content } => {
                if !self.waiting.has_room(len) {
                    return Err(self.expected("room for blocks that wait"));
                }
                Current::Block(Naming::Computed(form), Pending { node, len, content })
            }
        });
        Ok(Step::On)
    }

    const fn unreadable(&self, why: Unreadable) -> Error {
        match why {
            Unreadable::Expected(expected) => self.expected(expected),
            Unreadable::TooLong { bytes } => {
                let max = self.limits.max_block_bytes as u64;
                Error::BlockTooLong { record: self.records, bytes, max }
            }
        }
    }

    /// Goes on with a record, which is put back where it has to wait.
    fn go_on(&mut self, current: Current) -> Result<Step, Error> {
        match current {
            Current::Open(place) => match self.find(&place)? {
                Found::Needs(base) => Ok(self.wait(Current::Open(place), base)),
                Found::Is(base) => {
                    self.open(base);
                    Ok(self.done())
                }
            },
            Current::Bases(ranges, next) => self.go_on_with_bases(ranges, next),
            Current::Named(place, pending) => match self.find(&place)? {
                Found::Needs(base) => Ok(self.wait(Current::Named(place, pending), base)),
                Found::Is(Base { cid, .. }) => {
                    self.current = Some(Current::Block(Naming::Cid(cid), pending));
                    Ok(Step::On)
                }
            },
            Current::Block(naming, pending) => self.go_on_with_block(naming, pending),
        }
    }

    const fn done(&mut self) -> Step {
        self.records += 1;
        Step::On
    }

    fn wait(&mut self, current: Current, base: Base) -> Step {
        self.current = Some(current);
        self.ask(base);
        Step::Wait
    }

    fn ask(&mut self, Base { cid, below_held }: Base) {
        let Some(cid) = cid.filter(|cid| self.asked.insert(cid)) else { return };
        self.loaded += LOOK_UP;
        self.out.push_back(Output::Load { cid, below_held });
    }

    /// Whether old blocks may be looked up still, for what was decoded so far.
    const fn may_load(&self) -> bool {
        self.loaded <= LOAD_ALLOWANCE + LOAD_RATIO * self.decoded
    }

    fn open(&mut self, Base { cid, below_held }: Base) {
        let links = match &cid {
            Some(cid) if may_link(cid) => Known::NotYet,
            Some(_) | None => Known::Never,
        };
        self.nodes.push(Node::opened(cid, links, below_held));
    }

    fn find(&mut self, place: &Place) -> Result<Found, Error> {
        let (position, link) = match place {
            Place::Cid(cid) => return Ok(Found::Is(self.by_cid(*cid))),
            Place::Of { position, link } => (*position, *link),
        };
        if let Some(base) = self.look_up_node(position) {
            return Ok(Found::Needs(base));
        }
        let found = self.nodes.links(position, link, 1);
        let found = found.and_then(|found| found.first().copied());
        Ok(Found::Is(found.ok_or_else(|| self.expected("a link of a node"))?))
    }

    /// A block that was named by its CID.
    fn by_cid(&self, cid: Cid) -> Base {
        Base { cid: Some(cid), below_held: self.held.contains(&cid) }
    }

    /// The node at a position that has to be looked up, unless its links are at hand.
    fn look_up_node(&mut self, position: usize) -> Option<Base> {
        let base = self.nodes.needs(position)?;
        let cid = base.cid?;
        let known = match self.cache.get(&cid) {
            Some(known) => known.cloned(),
            None if self.may_load() => return Some(base),
            None => None,
        };
        let limits = &self.limits;
        self.nodes.handle_links(&cid, || match &known {
            Some(data) => Known::All(Links::of(&cid, data, limits)),
            None => Known::Never,
        });
        None
    }

    fn go_on_with_bases(&mut self, ranges: Vec<Range>, next: usize) -> Result<Step, Error> {
        for (n, range) in ranges.iter().enumerate().skip(next) {
            match *range {
                Range::Cid(cid) => self.sequence.push(self.by_cid(cid)),
                Range::Node { position } => {
                    let base = self.nodes.itself(position);
                    self.sequence.push(base.ok_or_else(|| self.expected("a node"))?);
                }
                Range::Links { position, link, count } => {
                    if let Some(base) = self.look_up_node(position) {
                        return Ok(self.wait(Current::Bases(ranges, n), base));
                    }
                    let found = self.nodes.links(position, link, count);
                    let found = found.ok_or_else(|| self.expected("links of a node"))?;
                    self.sequence.extend(found);
                }
            }
        }
        Ok(self.done())
    }
}

/// What a look-up costs beside the bytes of the block.
const LOOK_UP: u64 = 1 << 10;
