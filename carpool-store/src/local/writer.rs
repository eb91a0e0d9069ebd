use carpool_car::section_len;
use carpool_core::{Block, Cid, is_identity};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    LocalOptions, Recovery,
    index::{Durability, Index, Mark},
    layout::Layout,
    pending::Pending,
    recover::recover,
    run::Run,
    segment::{HEADER, Segment},
};
use crate::{Result, key};

/// Rows that wait for the index at most.
const MAX_PENDING: usize = 1 << 15;
/// How long rows wait at most while blocks keep coming.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The one who appends, for all threads of this process.
#[derive(Debug)]
pub(crate) struct Writer {
    layout: Layout,
    segment_bytes: u64,
    pub(crate) index: Index,
    pending: Arc<Pending>,
    /// All pending rows point into it.
    segment: Option<Segment>,
    /// Bytes of `segment` that were synced and marked so.
    synced: u64,
    oldest: Option<Instant>,
    scratch: Vec<u8>,
    pub(crate) repairs: Recovery,
}

impl Writer {
    pub(crate) fn new(
        layout: Layout,
        options: &LocalOptions,
        index: Index,
        pending: Arc<Pending>,
        repairs: Recovery,
    ) -> Self {
        Self {
            layout,
            segment_bytes: options.segment_bytes,
            index,
            pending,
            segment: None,
            synced: 0,
            oldest: None,
            scratch: Vec::new(),
            repairs,
        }
    }

    /// Appends the blocks that are not held yet.
    pub(crate) fn put(&mut self, blocks: &[Block]) -> Result<()> {
        let fresh = self.fresh(blocks)?;
        let mut rest = &fresh[..];
        while let Some(first) = rest.first() {
            self.make_room(section_len(first.cid(), first.data().len()) as u64)?;
            let taken = self.append(rest)?;
            rest = &rest[taken..];
        }
        let waited = self.oldest.is_some_and(|oldest| oldest.elapsed() > MAX_WAIT);
        if waited || self.pending.len() >= MAX_PENDING { self.commit() } else { Ok(()) }
    }

    /// The blocks that neither the index, nor the pending rows, nor an earlier place in the batch
    /// has.
    fn fresh<'a>(&self, blocks: &'a [Block]) -> Result<Vec<&'a Block>> {
        let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
        let mut held: Vec<bool> = self.pending.find(&cids).iter().map(Option::is_some).collect();
        let unknown: Vec<usize> =
            (0..cids.len()).filter(|&at| !held[at] && !is_identity(&cids[at])).collect();
        self.index.find(&cids, unknown.into_iter(), |at, _| held[at] = true)?;
        let mut seen = key::map();
        let first = |at: &usize| seen.insert(&key::canonical(&cids[*at]), ()).is_none();
        let missing = (0..cids.len()).filter(|&at| !held[at] && !is_identity(&cids[at]));
        Ok(missing.filter(first).map(|at| &blocks[at]).collect())
    }

    fn append(&mut self, blocks: &[&Block]) -> Result<usize> {
        let segment = self.segment.as_mut().expect("make_room has taken one");
        let mut run = Run::new(&mut self.scratch, segment.id, segment.len);
        let taken = run.fill(blocks, self.segment_bytes);
        segment.append(&mut run.slices())?;
        self.pending.insert(&run.rows);
        self.oldest.get_or_insert_with(Instant::now);
        Ok(taken)
    }

    /// Sees to it that there is a segment which `bytes` more do not make too long.
    fn make_room(&mut self, bytes: u64) -> Result<()> {
        if self.segment.as_ref().is_some_and(|segment| !self.takes(segment.len, bytes)) {
            self.flush()?;
            self.segment = None;
        }
        if self.segment.is_none() {
            let segment = self.take_segment(bytes)?;
            self.synced = segment.len;
            self.segment = Some(segment);
        }
        Ok(())
    }

    /// Whether a segment of `len` bytes takes `bytes` more; an empty one takes anything.
    fn takes(&self, len: u64, bytes: u64) -> bool {
        len <= HEADER.len() as u64 || len.saturating_add(bytes) <= self.segment_bytes
    }

    /// Locks a segment that has room and that nobody else appends to, or begins one.
    fn take_segment(&mut self, bytes: u64) -> Result<Segment> {
        let mut segments = self.layout.segments()?;
        segments.retain(|&(_, len)| self.takes(len, bytes));
        for (id, _) in segments {
            if let Some(segment) = self.adopt(id)?.filter(|s| self.takes(s.len, bytes)) {
                return Ok(segment);
            }
        }
        loop {
            let last = self.layout.segments()?.last().map_or(0, |(id, _)| *id);
            if Segment::make(&self.layout, last + 1)?
                && let Some(segment) = self.adopt(last + 1)?
            {
                return Ok(segment);
            }
        }
    }

    /// Locks a segment, and repairs it if its last writer did not close it in order.
    fn adopt(&mut self, id: u32) -> Result<Option<Segment>> {
        let Some(mut segment) = Segment::lock(&self.layout, id)? else { return Ok(None) };
        recover(&self.layout, &self.index, &mut segment, &mut self.repairs)?;
        Ok(Some(segment))
    }

    /// Moves the pending rows into the index, where other processes see them.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if self.pending.len() == 0 {
            return Ok(());
        }
        let mark = |s: &Segment| (s.id, Mark { synced: self.synced, committed: s.len });
        let marks: Vec<_> = self.segment.iter().map(mark).collect();
        self.commit_with(&marks, Durability::Process)
    }

    fn commit_with(&mut self, marks: &[(u32, Mark)], durability: Durability) -> Result<()> {
        self.index.commit(&self.pending.sorted(), marks, durability)?;
        self.pending.clear();
        self.oldest = None;
        Ok(())
    }

    /// Makes all that the index and this process know survive a power loss.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.sync_others()?;
        let mut marks = Vec::new();
        if let Some(segment) = &self.segment
            && segment.len > self.synced
        {
            segment.sync()?;
            marks.push((segment.id, Mark::all(segment.len)));
        }
        if marks.is_empty() && self.pending.len() == 0 {
            return Ok(());
        }
        self.commit_with(&marks, Durability::PowerLoss)?;
        self.synced = self.segment.as_ref().map_or(0, |segment| segment.len);
        Ok(())
    }

    /// Syncs what other processes committed and did not sync: this one may have left out blocks
    /// because they have them.
    fn sync_others(&self) -> Result<()> {
        let own = self.segment.as_ref().map(|segment| segment.id);
        let mut marks = self.index.marks()?;
        marks.retain(|(id, mark)| mark.committed > mark.synced && Some(*id) != own);
        for (id, mark) in marks {
            self.layout.sync_segment(id)?;
            self.index.note_synced(id, mark.committed)?;
        }
        Ok(())
    }
}
