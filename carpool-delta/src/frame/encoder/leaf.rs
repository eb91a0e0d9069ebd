//! Leaves: windows of old leaves, frames with a prefix, and blocks without a base.

use alloc::vec::Vec;
use carpool_core::Bytes;

use super::{
    Encoded, Encoder, Job, Sequence,
    node::{has_copies, is_too_long},
};
use crate::{
    Index, Operation, Scanner, compress_with,
    frame::{
        held::{Taste, Waits, Window},
        record::Content,
    },
    limits::MAX_REFERRED_BYTES,
};

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
    pub(super) fn send_leaf(&mut self, mut job: Job) {
        let depth = self.stack.len();
        let above = self.stack.last();
        let link = above.and_then(|held| held.pair_of(job.block.cid(), job.hint()));
        if let Some(first) = job.first {
            let bases = job.bases();
            self.open_window(first, bases);
        }
        let (cid, len) = (*job.block.cid(), job.block.data().len());
        let form = self.form(&cid, len, depth);
        let before = self.segments.written();
        let encoded = match link {
            Some(link) => self.encode_in_window(job.block.data(), link),
            None => self.encode_against(&mut job),
        };
        self.send(&job.block, form, &encoded, depth);
        if form.is_some() {
            let written = self.segments.written() - before;
            let own = Waits { blocks: 1, bytes: len, written };
            self.note_waiting(&cid, own, Waits::default(), depth);
        }
    }

    /// Encodes a leaf against one old block, if any.
    fn encode_against(&mut self, job: &mut Job) -> Encoded {
        let Some((cid, base)) = job.wanted() else { return self.alone(job.block.data()) };
        let mut window = Window::new(0, Vec::from([base]));
        let encoded = self.encode(job.block.data(), &mut window, 0);
        if has_copies(&encoded.content) {
            let path = job.path(&self.limits);
            self.open_path(&path, &cid);
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
        let old = self.stack.last_mut().and_then(|held| held.old.as_mut());
        let Some(mut window) = old.and_then(|old| old.window.take()) else {
            return self.alone(data);
        };
        let encoded = self.encode(data, &mut window, link);
        let depth = self.stack.len() - 1;
        if has_copies(&encoded.content)
            && let Some((_, node)) = self.open_old(depth)
        {
            let (first, count) = (window.first, window.index.bases().len());
            self.refer(Sequence::Links { node, first, count }, None);
        }
        if let Some(old) = &mut self.stack[depth].old {
            old.window = Some(window);
        }
        encoded
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
        if data.len() >= self.options.min_sampled && !self.sampler.is_compressible(data) {
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
