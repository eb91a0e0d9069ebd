use bytes::Bytes;
use carpool_core::{Block, Cid, Limits, verify};
use carpool_mirror::{
    Holding, Known, Outcome, Received, Sink, SinkOutput, Status, extension::Request,
};
use carpool_store::BlockStore;
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{Body, READ_BLOCKS};
use crate::{Progress, Result};

/// Blocks are written to the store in batches of about this many bytes.
const STORE_BYTES: usize = 4 << 20;

/// What a leaf is taken to have where none is known.
const LEAF_BYTES: u64 = 256 << 10;

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

    pub(super) fn answer(&mut self, loads: &[Cid], leaves: &[Cid]) -> Result<()> {
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

    /// The bytes of a block that is held, stored or not yet.
    pub(super) fn find(&mut self, cid: &Cid) -> Result<Option<Bytes>> {
        let stored = self.store.get(cid)?;
        if stored.is_some() || self.pending.is_empty() {
            return Ok(stored);
        }
        self.store_pending()?;
        Ok(self.store.get(cid)?)
    }

    pub(super) fn store_pending(&mut self) -> Result<()> {
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

    pub(super) fn receive_block(&mut self, block: Block) -> Result<()> {
        let bytes = block.data().len() as u64 + 1;
        if self.sink.handle_block(block)? == Received::Duplicate {
            self.progress.count(|of| &of.duplicate, 1);
            self.duplicate_bytes_left = self.duplicate_bytes_left.saturating_sub(bytes);
        }
        self.settle().map(drop)
    }

    pub(super) fn note_encoded(&self, counts: &carpool_delta::Counts) {
        self.progress.count_encoded(counts);
    }

    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.store.flush()?)
    }

    /// The limits that bodies are held to.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }
}
