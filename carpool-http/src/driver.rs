//! The one loop: it answers the machines' look-ups from a store, in batches, and moves blocks
//! between them and CAR bodies. It blocks, so it runs on a thread of its own; bodies come and go
//! through bounded channels, which is where a slow reader or a slow disk is felt.

use bytes::{Bytes, BytesMut};
use carpool_car::{Decoder, Item, Section, header, section_prefix};
use carpool_core::{Block, Cid, CidSet, Limits, Unverified, may_link, verify};
use carpool_mirror::{
    Holding, Known, Outcome, Received, Sink, SinkOutput, Source, SourceOutput, Status,
    extension::Request,
};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::sync::mpsc;

use crate::{Error, Progress, Result, body::Outgoing};

/// Chunks of a body that wait between network and machine.
pub(crate) const CHANNEL_CHUNKS: usize = 8;
/// Small sections are put together up to this many bytes before they go to the network.
const SEND_BYTES: usize = 64 << 10;
/// Blocks from this size on are sent as they are; smaller ones are copied together.
const OWN_CHUNK_BYTES: usize = 16 << 10;
/// Blocks are written to the store in batches of about this many bytes.
const STORE_BYTES: usize = 4 << 20;
/// Blocks with links are read from the store this many at a time.
const READ_BLOCKS: usize = 32;
/// Chunks are decoded, and their blocks hashed, together up to this many bytes.
const RECEIVE_BYTES: usize = 1 << 20;

/// Chunks of a body as they arrive: an error, or silence, is a cut.
pub(crate) type Incoming = mpsc::Receiver<std::result::Result<Bytes, Error>>;

/// A sink, the store that it fills, and what waits to be stored.
pub(crate) struct SinkDriver<S> {
    sink: Sink,
    store: S,
    limits: Limits,
    progress: Arc<Progress>,
    pending: Vec<Block>,
    pending_bytes: usize,
    /// Bytes of held blocks that may come before the sender is interrupted.
    duplicate_bytes_left: u64,
    summarise: Option<Summarise>,
}

/// Says what is held beside the DAG that is asked for.
pub(crate) type Summarise = Box<dyn Fn() -> Result<Option<Known>> + Send>;

impl<S: BlockStore> SinkDriver<S> {
    pub(crate) fn new(sink: Sink, store: S, limits: &Limits, progress: Arc<Progress>) -> Self {
        let limits = limits.clone();
        Self {
            sink,
            store,
            limits,
            progress,
            pending: Vec::new(),
            pending_bytes: 0,
            duplicate_bytes_left: u64::MAX,
            summarise: None,
        }
    }

    /// Ends [`receive`](Self::receive) early once so many bytes of held blocks have come: the
    /// sender has to be told what it does not know.
    pub(crate) const fn interrupt_after(&mut self, duplicate_bytes: u64) {
        self.duplicate_bytes_left = duplicate_bytes;
    }

    /// Answers a sink that is [`with_summary`](Sink::with_summary).
    pub(crate) fn summarise(&mut self, summarise: Summarise) {
        self.summarise = Some(summarise);
    }

    pub(crate) fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// Answers look-ups until the sink waits for the peer (`None`) or has something for it. Blocks
    /// are read a few at a time, however many are asked for: they can be large.
    pub(crate) fn settle(&mut self) -> Result<Option<SinkOutput>> {
        let (mut loads, mut leaves) = (VecDeque::new(), Vec::new());
        loop {
            while let Some(output) = self.sink.poll()? {
                match output {
                    SinkOutput::Load(cid) => loads.push_back(cid),
                    SinkOutput::Has(cid) => leaves.push(cid),
                    SinkOutput::Store(block) => self.keep(block)?,
                    SinkOutput::Summary => {
                        let known = self.summarise.as_ref().map_or(Ok(None), |known| known())?;
                        self.sink.handle_summary(known);
                    }
                    SinkOutput::Plan(_)
                    | SinkOutput::Transmit(_)
                    | SinkOutput::Ask(_)
                    | SinkOutput::Done(_) => {
                        self.store_pending()?;
                        return Ok(Some(output));
                    }
                }
            }
            if loads.is_empty() && leaves.is_empty() {
                return Ok(None);
            }
            let few: Vec<Cid> = loads.drain(..loads.len().min(READ_BLOCKS)).collect();
            self.answer(&few, &leaves)?;
            leaves.clear();
        }
    }

    fn answer(&mut self, loads: &[Cid], leaves: &[Cid]) -> Result<()> {
        for (cid, data) in loads.iter().zip(self.store.get_many(loads)?) {
            self.sink.handle_load(cid, data);
        }
        for (cid, held) in leaves.iter().zip(self.store.has_many(leaves)?) {
            self.sink.handle_has(cid, held);
        }
        Ok(())
    }

    fn keep(&mut self, block: Block) -> Result<()> {
        self.progress.count(|of| &of.blocks_received, 1);
        self.progress.count(|of| &of.block_bytes, block.data().len() as u64);
        self.pending_bytes += block.data().len() + block.cid().encoded_len();
        self.pending.push(block);
        if self.pending_bytes >= STORE_BYTES { self.store_pending() } else { Ok(()) }
    }

    fn store_pending(&mut self) -> Result<()> {
        self.progress.missing.store(self.sink.missing() as u64, Relaxed);
        if !self.pending.is_empty() {
            self.store.put_many(&self.pending)?;
        }
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// Takes one CAR body to its end. Blocks that came before a fault are kept.
    pub(crate) fn receive(&mut self, body: &mut Body) -> Result<()> {
        let taken = self.receive_sections(body);
        let stored = self.store_pending();
        taken.and(stored)
    }

    fn receive_sections(&mut self, body: &mut Body) -> Result<()> {
        while let Some(batch) = body.next_sections()? {
            for block in verify(batch) {
                self.receive_block(block?)?;
            }
            if self.duplicate_bytes_left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn receive_block(&mut self, block: Block) -> Result<()> {
        let bytes = block.data().len() as u64 + 1;
        if self.sink.handle_block(block)? == Received::Duplicate {
            self.progress.count(|of| &of.duplicate, 1);
            self.duplicate_bytes_left = self.duplicate_bytes_left.saturating_sub(bytes);
        }
        self.settle().map(drop)
    }

    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.store.flush()?)
    }

    /// The limits that bodies are held to.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A CAR body on its way in.
pub(crate) struct Body {
    incoming: Incoming,
    decoder: Decoder,
    roots: Option<Vec<Cid>>,
    left: u64,
    max: u64,
    ended: bool,
    /// What broke the body off behind the chunks that were taken.
    fault: Option<Error>,
    /// What is wrong with the CAR behind the sections that were given out.
    decoding: Option<carpool_car::Error>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, limits: &Limits) -> Self {
        let (left, max) = (limits.max_car_bytes, limits.max_car_bytes);
        let decoder = Decoder::new(limits);
        Self {
            incoming,
            decoder,
            roots: None,
            left,
            max,
            ended: false,
            fault: None,
            decoding: None,
        }
    }

    /// The roots of the header, which has to come first.
    pub(crate) fn roots(&mut self) -> Result<Vec<Cid>> {
        while self.roots.is_none() {
            match self.decoder.poll()? {
                Some(Item::Header(header)) => self.roots = Some(header.roots),
                Some(Item::Section(_) | Item::Behind(_)) => {
                    unreachable!("the header comes first")
                }
                None => self.read()?,
            }
        }
        Ok(self.roots.clone().unwrap_or_default())
    }

    /// All whole sections of what has arrived, at least one; `None` at the end of the CAR.
    fn next_sections(&mut self) -> Result<Option<Vec<Unverified>>> {
        self.roots()?;
        if let Some(fault) = self.decoding.take() {
            return Err(fault.into());
        }
        let mut batch = Vec::new();
        loop {
            let decoded = self.decode(&mut batch);
            match decoded {
                Err(fault) if batch.is_empty() => return Err(fault.into()),
                // Whole sections in front of the fault count.
                decoded => self.decoding = decoded.err(),
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// Whole sections of what has arrived, and the fault behind them.
    fn decode(&mut self, batch: &mut Vec<Unverified>) -> Result<(), carpool_car::Error> {
        while let Some(item) = self.decoder.poll()? {
            if let Item::Section(Section { cid, data, .. }) = item {
                batch.push(Unverified { cid, data });
            }
        }
        Ok(())
    }

    /// Waits for a chunk, and takes those that wait behind it. A fault behind them is told once
    /// they were looked at.
    fn read(&mut self) -> Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut next = self.incoming.blocking_recv();
        let mut taken = 0;
        while let Some(chunk) = next {
            match chunk.and_then(|chunk| self.take(chunk)) {
                Ok(bytes) => taken += bytes,
                Err(fault) if taken == 0 => return Err(fault),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Ok(());
                }
            }
            if taken >= RECEIVE_BYTES {
                return Ok(());
            }
            next = match self.incoming.try_recv() {
                Ok(chunk) => Some(chunk),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            };
        }
        self.ended = true;
        self.decoder.handle_eof();
        Ok(())
    }

    fn take(&mut self, chunk: Bytes) -> Result<usize> {
        let len = chunk.len();
        self.left = self.left.checked_sub(len as u64).ok_or(Error::TooLarge { max: self.max })?;
        self.decoder.handle_data(chunk);
        Ok(len)
    }
}

/// A source and the store that it reads.
pub(crate) struct SourceDriver<S> {
    source: Source,
    store: S,
    progress: Arc<Progress>,
    /// Whether the next round sends nothing.
    rests: bool,
}

/// What a round of sending came to.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Blocks handed to the network.
    pub(crate) blocks: u64,
    /// A block that was to be sent and is not held.
    pub(crate) lacks: Option<Cid>,
    /// Whether the peer answered before it had read everything.
    pub(crate) interrupted: bool,
}

impl<S: BlockStore> SourceDriver<S> {
    pub(crate) fn new(source: Source, store: S, progress: Arc<Progress>) -> Self {
        Self { source, store, progress, rests: false }
    }

    /// Sends no block in the next round, and leaves the source as it is.
    pub(crate) const fn rest(&mut self) {
        self.rests = true;
    }

    pub(crate) fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    pub(crate) fn into_source(self) -> Source {
        self.source
    }

    /// Sends one round as a CAR body. `root` is what its header names; `None` names the first
    /// block, and then a round without blocks sends nothing at all.
    pub(crate) fn send(&mut self, root: Option<Cid>, outgoing: &mut Outgoing) -> Result<Sent> {
        let mut body = Frames { outgoing, small: BytesMut::new() };
        let mut sent = Sent::default();
        if let Some(root) = root {
            body.push(&header(&[root]))?;
        }
        if std::mem::take(&mut self.rests) {
            body.flush()?;
            return Ok(sent);
        }
        let mut loads = Vec::new();
        loop {
            match self.source.poll()? {
                Some(SourceOutput::Load(cid)) => loads.push(cid),
                Some(SourceOutput::Missing(cid)) => sent.lacks = sent.lacks.or(Some(cid)),
                Some(SourceOutput::Transmit(block)) => {
                    if sent.blocks == 0 && root.is_none() {
                        body.push(&header(&[*block.cid()]))?;
                    }
                    self.transmit(&mut body, &block)?;
                    sent.blocks += 1;
                }
                Some(SourceOutput::EndRound) => break,
                None => self.answer(&mut loads)?,
            }
        }
        body.flush()?;
        Ok(sent)
    }

    fn transmit(&self, body: &mut Frames<'_>, block: &Block) -> Result<()> {
        self.progress.count(|of| &of.blocks_sent, 1);
        self.progress.count(|of| &of.block_bytes, block.data().len() as u64);
        body.block(block)
    }

    fn answer(&mut self, loads: &mut Vec<Cid>) -> Result<()> {
        for (cid, data) in loads.iter().zip(self.store.get_many(loads)?) {
            self.source.handle_load(cid, data);
        }
        loads.clear();
        Ok(())
    }
}

/// Sections on their way out.
struct Frames<'a> {
    outgoing: &'a mut Outgoing,
    small: BytesMut,
}

impl Frames<'_> {
    fn block(&mut self, block: &Block) -> Result<()> {
        self.push(section_prefix(block.cid(), block.data().len()).as_ref())?;
        if block.data().len() < OWN_CHUNK_BYTES {
            return self.push(block.data());
        }
        self.flush()?;
        self.send(block.data().clone())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.small.extend_from_slice(bytes);
        if self.small.len() >= SEND_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.small.is_empty() {
            return Ok(());
        }
        let full = self.small.split().freeze();
        self.send(full)
    }

    fn send(&mut self, chunk: Bytes) -> Result<()> {
        self.outgoing.send(chunk)
    }
}

/// What [`gather`] found below some roots.
#[derive(Debug)]
pub struct Gathered {
    /// Every CID that is held.
    pub held: CidSet,
    /// Whether nothing was missing.
    pub complete: bool,
}

/// Walks the DAGs below `roots` in `store` and lists what is held; leaves are looked up and not
/// read.
///
/// # Errors
/// When the store fails or a held block does not parse.
pub fn gather<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
) -> Result<Gathered> {
    gather_within(store, roots, limits, seed, |_, _| true)
}

/// As [`gather`], leaving out what `enter` does not want, which is told how many were found, and
/// what lies below it.
pub(crate) fn gather_within<S: BlockStore + ?Sized>(
    store: &S,
    roots: &[Cid],
    limits: &Limits,
    seed: u64,
    enter: impl Fn(&Cid, usize) -> bool,
) -> Result<Gathered> {
    let mut walk =
        Walk::new(roots.iter().copied(), Order::BreadthFirst, limits, seed).with_window(256);
    let mut found = Gathered { held: CidSet::with_seed(seed), complete: true };
    let (mut loads, mut leaves) = (VecDeque::new(), Vec::new());
    loop {
        while let Some(step) = walk.poll(|cid| enter(cid, found.held.len()))? {
            match step {
                Step::Load(cid) if may_link(&cid) => loads.push_back(cid),
                Step::Load(cid) => leaves.push(cid),
                Step::Visit(block) => {
                    found.held.insert(block.cid());
                }
                Step::Missing { .. } => found.complete = false,
            }
        }
        if loads.is_empty() && leaves.is_empty() {
            return Ok(found);
        }
        let few: Vec<Cid> = loads.drain(..loads.len().min(READ_BLOCKS)).collect();
        for (cid, data) in few.iter().zip(store.get_many(&few)?) {
            walk.handle_load(cid, data);
        }
        for (cid, held) in leaves.iter().zip(store.has_many(&leaves)?) {
            walk.handle_load(cid, held.then(Bytes::new));
        }
        leaves.clear();
    }
}

/// A block below `root` of more than `max` bytes, and its size; what is not held is left out.
///
/// # Errors
/// As [`gather`].
pub(crate) fn larger_than<S: BlockStore + ?Sized>(
    store: &S,
    root: Cid,
    max: u64,
    limits: &Limits,
    seed: u64,
) -> Result<Option<(Cid, u64)>> {
    let found = gather(store, &[root], limits, seed)?;
    let mut cids = Vec::new();
    found.held.for_each(|cid| cids.extend(carpool_core::cid_exact(cid)));
    for some in cids.chunks(1024) {
        let sizes = some.iter().zip(store.size_many(some)?);
        let mut known = sizes.filter_map(|(cid, size)| Some((*cid, size?)));
        if let Some(large) = known.find(|(_, size)| *size > max) {
            return Ok(Some(large));
        }
    }
    Ok(None)
}

/// Whether `store` holds all of the DAG below `root`.
///
/// # Errors
/// As [`gather`].
pub fn complete<S: BlockStore + ?Sized>(store: &S, root: Cid, limits: &Limits) -> Result<bool> {
    Ok(gather(store, &[root], limits, 0)?.complete)
}

/// What a settled sink says to its peer.
pub(crate) enum Next {
    /// Only of a sink that is [`with_plan`](Sink::with_plan): what it holds, and the mean size of a
    /// leaf of it, in bytes.
    Plan(Holding, u64),
    Request(Status),
    /// As `Request`, in the extension's form.
    Ask(Box<Request>),
    Done(Outcome),
}

/// What a leaf is taken to have where none is known.
const LEAF_BYTES: u64 = 256 << 10;

impl<S: BlockStore> SinkDriver<S> {
    /// Settles a sink whose round is closed.
    pub(crate) fn next(&mut self) -> Result<Next> {
        match self.settle()? {
            Some(SinkOutput::Plan(holding)) => {
                let bytes = self.leaf_bytes(&holding.leaves)?;
                Ok(Next::Plan(holding, bytes))
            }
            Some(SinkOutput::Transmit(status)) => Ok(Next::Request(status)),
            Some(SinkOutput::Ask(request)) => Ok(Next::Ask(request)),
            Some(SinkOutput::Done(outcome)) => Ok(Next::Done(outcome)),
            _ => unreachable!("a settled sink without a round speaks"),
        }
    }

    fn leaf_bytes(&self, leaves: &[Cid]) -> Result<u64> {
        let sizes: Vec<u64> = self.store.size_many(leaves)?.into_iter().flatten().collect();
        let mean = sizes.iter().sum::<u64>().checked_div(sizes.len() as u64);
        Ok(mean.unwrap_or(LEAF_BYTES))
    }
}
