use alloc::vec::Vec;
use carpool_core::Bytes;
use core::cmp::Ordering;

use super::{
    Output,
    group::{Group, NARROW, Segment, WIDE},
    sort::{compare, prefix},
    tournament::Tournament,
};
use crate::index::{IndexFault, layout::OFFSET_BYTES};

/// The index is written in pieces of about this many bytes.
const WRITE_BYTES: usize = 256 << 10;

/// The most that is read back at once.
const READ_BYTES: usize = 1 << 20;

/// Merges the records of one group.
#[derive(Debug)]
pub(crate) struct Merge {
    sources: Vec<Source>,
    stride: usize,
    digest_len: usize,
    read_bytes: usize,
    write_bytes: usize,
    /// `None` until every source has its first records.
    order: Option<Tournament>,
    /// The source that is read for.
    asked: Option<(usize, usize)>,
}

/// Sorted records: those in memory, and those still in a run.
#[derive(Debug)]
struct Source {
    rest: Segment,
    bytes: Bytes,
    used: usize,
    /// The first record's [`prefix`].
    prefix: u64,
}

impl Merge {
    pub(crate) fn new(mut group: Group, budget: usize) -> Self {
        let (stride, held) = (group.stride(), group.take_sorted());
        let none = Segment { run: 0, start: 0, len: 0 };
        let spilled = group.segments.iter().map(|segment| Source::new(*segment, Bytes::new()));
        let mut sources: Vec<Source> = spilled.collect();
        let share = budget / 4 / sources.len().max(1);
        if !held.is_empty() {
            sources.push(Source::new(none, held));
        }
        Self {
            sources,
            stride,
            digest_len: group.key().len,
            read_bytes: whole(share.min(READ_BYTES), stride),
            write_bytes: whole((budget / 8).min(WRITE_BYTES), stride),
            order: None,
            asked: None,
        }
    }

    /// The next output; `None` when all is written.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let starved = match &self.order {
            None => self.sources.iter().position(Source::is_starved),
            Some(order) => Some(order.winner()).filter(|at| self.sources[*at].is_starved()),
        };
        if let Some(at) = starved {
            return Some(self.ask(at));
        }
        let out = match (self.sources.len(), self.stride) {
            (0, _) => Bytes::new(),
            (1, stride) if stride == self.digest_len + OFFSET_BYTES => self.sorted_piece(),
            (_, NARROW) => self.merge::<NARROW>(),
            _ => self.merge::<WIDE>(),
        };
        Some(Output::Write(out)).filter(|write| *write != Output::Write(Bytes::new()))
    }

    pub(crate) fn handle_spill(&mut self, bytes: Bytes) -> Result<(), IndexFault> {
        let actual = bytes.len() as u64;
        let asked = self.asked.take();
        let (at, len) = asked.ok_or(IndexFault::Spill { expected: 0, actual })?;
        if bytes.len() != len {
            return Err(IndexFault::Spill { expected: len as u64, actual });
        }
        self.sources[at].refill(bytes);
        if let Some(order) = &mut self.order {
            order.replay(|a, b| less(&self.sources, self.stride, a, b));
        }
        Ok(())
    }

    fn ask(&mut self, at: usize) -> Output {
        let Segment { run, start, len } = self.sources[at].rest;
        let len = usize::try_from(len).map_or(self.read_bytes, |len| len.min(self.read_bytes));
        self.asked = Some((at, len));
        Output::SpillRead { run, offset: start, len }
    }

    /// Of a single source, records that are in memory as they are in the index.
    fn sorted_piece(&mut self) -> Bytes {
        let source = &mut self.sources[0];
        source.bytes.split_to(source.bytes.len().min(self.write_bytes))
    }

    fn merge<const N: usize>(&mut self) -> Bytes {
        let sources = &mut self.sources;
        let order = self
            .order
            .get_or_insert_with(|| Tournament::new(sources.len(), |a, b| less(sources, N, a, b)));
        let mut out = Vec::with_capacity(self.write_bytes);
        while out.len() < self.write_bytes {
            let source = &mut sources[order.winner()];
            let Some(record) = source.first(N) else { break };
            out.extend_from_slice(&record[..self.digest_len]);
            out.extend_from_slice(&record[N - OFFSET_BYTES..]);
            source.advance(N);
            if source.is_starved() {
                break;
            }
            order.replay(|a, b| less(sources, N, a, b));
        }
        out.into()
    }
}

impl Source {
    fn new(rest: Segment, bytes: Bytes) -> Self {
        let prefix = prefix(&bytes);
        Self { rest, bytes, used: 0, prefix }
    }

    #[inline]
    fn first(&self, stride: usize) -> Option<&[u8]> {
        self.bytes.get(self.used..self.used + stride)
    }

    #[inline]
    fn advance(&mut self, stride: usize) {
        self.used += stride;
        self.prefix =
            self.bytes.get(self.used..).filter(|b| !b.is_empty()).map_or(u64::MAX, prefix);
    }

    const fn is_starved(&self) -> bool {
        self.used == self.bytes.len() && self.rest.len > 0
    }

    fn refill(&mut self, bytes: Bytes) {
        self.rest.start += bytes.len() as u64;
        self.rest.len -= bytes.len() as u64;
        (self.prefix, self.used) = (prefix(&bytes), 0);
        self.bytes = bytes;
    }
}

/// Whether the first record of source `a` comes before that of source `b`. A source that has no
/// more comes last.
#[inline]
fn less(sources: &[Source], stride: usize, a: usize, b: usize) -> bool {
    match sources[a].prefix.cmp(&sources[b].prefix) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => less_at_length(sources, stride, a, b),
    }
}

#[cold]
fn less_at_length(sources: &[Source], stride: usize, a: usize, b: usize) -> bool {
    match (sources[a].first(stride), sources[b].first(stride)) {
        (Some(x), Some(y)) => compare(x, y).then(a.cmp(&b)) == Ordering::Less,
        (x, y) => x.is_some() && y.is_none(),
    }
}

/// `bytes`, or a little less, as a whole number of records: one at least.
fn whole(bytes: usize, stride: usize) -> usize {
    (bytes / stride).max(1) * stride
}
