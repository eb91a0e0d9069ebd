use bytes::{Bytes, BytesMut};
use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid};
use carpool_mirror::{Source, SourceOutput};
use carpool_store::BlockStore;
use std::sync::Arc;

use crate::{Progress, Result, body::Outgoing};

/// Small sections are put together up to this many bytes before they go to the network.
const SEND_BYTES: usize = 64 << 10;

/// Blocks from this size on are sent as they are; smaller ones are copied together.
const OWN_CHUNK_BYTES: usize = 16 << 10;

/// A source and the store that it reads.
pub(crate) struct SourceDriver<S> {
    pub(super) source: Source,
    pub(super) store: S,
    progress: Arc<Progress>,
    /// Whether the next round sends nothing.
    rests: bool,
    /// Who is told of each block that is lacking.
    lacking: Option<Lacking>,
}

/// Hears of blocks that are not held.
pub(crate) type Lacking = Box<dyn FnMut(&Cid) + Send>;

/// What a round of sending came to.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Blocks handed to the network.
    pub(crate) blocks: u64,
    /// A block that was to be sent and is not held.
    pub(crate) lacks: Option<Cid>,
    /// Whether the peer answered before it had read everything.
    pub(crate) interrupted: bool,
    /// Old blocks that the sink says it has not.
    pub(crate) lost: Vec<Cid>,
}

impl<S: BlockStore> SourceDriver<S> {
    pub(crate) fn new(source: Source, store: S, progress: Arc<Progress>) -> Self {
        Self { source, store, progress, rests: false, lacking: None }
    }

    /// Sends no block in the next round, and leaves the source as it is.
    pub(crate) const fn rest(&mut self) {
        self.rests = true;
    }

    pub(crate) fn on_lack(&mut self, lacking: Lacking) {
        self.lacking = Some(lacking);
    }

    pub(crate) const fn store(&self) -> &S {
        &self.store
    }

    /// Sends these blocks behind those of a round, as far as they are held.
    pub(crate) fn send_named(&self, cids: &[Cid], outgoing: &mut Outgoing) -> Result<()> {
        let mut body = Frames { outgoing, small: BytesMut::new() };
        for (cid, data) in cids.iter().zip(self.store.get_many(cids)?) {
            if let Some(data) = data {
                self.transmit(&mut body, &Block::new_unchecked(*cid, data))?;
            }
        }
        body.flush()
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
                Some(SourceOutput::Missing(cid)) => {
                    if let Some(lacking) = &mut self.lacking {
                        lacking(&cid);
                    }
                    sent.lacks = sent.lacks.or(Some(cid));
                }
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
        self.note_sent(block);
        body.block(block)
    }

    pub(super) fn note_sent(&self, block: &Block) {
        self.progress.count(|of| &of.blocks_sent, 1);
        self.progress.count(|of| &of.block_bytes, block.data().len() as u64);
    }

    pub(super) fn note_encoded(&self, counts: &carpool_delta::Counts) {
        self.progress.count_encoded(counts);
    }

    pub(super) fn answer(&mut self, loads: &mut Vec<Cid>) -> Result<()> {
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
    pub(super) fn block(&mut self, block: &Block) -> Result<()> {
        self.push(section_prefix(block.cid(), block.data().len()).as_ref())?;
        if block.data().len() < OWN_CHUNK_BYTES {
            return self.push(block.data());
        }
        self.flush()?;
        self.send(block.data().clone())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.small.extend_from_slice(bytes);
        if self.small.len() >= SEND_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
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
