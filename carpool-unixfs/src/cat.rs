//! Reading a file.

use core::ops::Range;

use carpool_core::{Bytes, Cid, Limits};

use crate::{
    Error, File, Node,
    frontier::{Frontier, Visit},
};

/// What [`Cat::poll`] asks for or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look the block up and answer with [`Cat::handle_load`]. Several may be open.
    Load(Cid),
    /// The next bytes of the file; never empty.
    Data(Bytes),
    /// All bytes have been given.
    Done,
}

/// The bytes of a file, or of a range of it, in order.
///
/// Bytes are slices of the blocks they came in. Every block has to have as many bytes of the file
/// as the node above claims. What waits is bounded, whatever the DAG: up to 16 blocks are asked for
/// ahead, none while 64 are open or unused or 32 MiB of answers wait; links that wait are at most
/// four times [`Limits::max_links`].
#[derive(Debug)]
pub struct Cat {
    frontier: Frontier<Part>,
    range: Range<u64>,
    limits: Limits,
    done: bool,
}

/// A part of the file whose block has not been read.
#[derive(Debug)]
struct Part {
    /// Where in the file it begins.
    start: u64,
    /// How many bytes it has, as claimed; nobody claims anything about the root.
    size: Option<u64>,
    depth: u32,
}

impl Cat {
    /// Reads all of the file at `root`.
    #[must_use]
    pub fn new(root: Cid, limits: &Limits) -> Self {
        Self::range(root, 0..u64::MAX, limits)
    }

    /// Reads the bytes of `range` (positions in the file, the end exclusive and perhaps behind the
    /// file's) and loads only blocks that lead to them.
    #[must_use]
    pub fn range(root: Cid, range: Range<u64>, limits: &Limits) -> Self {
        let part = Part { start: 0, size: None, depth: 0 };
        let frontier = Frontier::new(root, part, limits);
        Self { frontier, range, limits: limits.clone(), done: false }
    }

    /// Answers a load: the block's bytes, verified, or `None` when the store has it not.
    ///
    /// What was not asked for is ignored, except that the root may be given before the first
    /// [`Self::poll`] by a caller that has it already. [`Self::poll`] afterwards.
    pub fn handle_load(&mut self, cid: &Cid, block: Option<&Bytes>) {
        self.frontier.handle_load(cid, block);
    }

    /// The next step. Call it until it gives `None`, at first and after each
    /// [`Self::handle_load`]; after [`Output::Done`] and after an error there is nothing more.
    ///
    /// # Errors
    /// As [`Node::decode`]; [`Error::Size`] when a block has not the bytes that were claimed for
    /// it; [`Error::Missing`], [`Error::NotAFile`], [`Error::TooDeep`],
    /// [`Error::TooManyPending`]. All bytes before the fault have been given.
    pub fn poll(&mut self) -> Result<Option<Output>, Error> {
        if self.done {
            return Ok(None);
        }
        if let Some(cid) = self.frontier.next_load() {
            return Ok(Some(Output::Load(cid)));
        }
        let step = self.step();
        self.done = matches!(step, Err(_) | Ok(Some(Output::Done)));
        step
    }

    fn step(&mut self) -> Result<Option<Output>, Error> {
        while let Some(visit) = self.frontier.take() {
            let bytes = self.visit(visit)?;
            if !bytes.is_empty() {
                return Ok(Some(Output::Data(bytes)));
            }
            if let Some(cid) = self.frontier.next_load() {
                return Ok(Some(Output::Load(cid)));
            }
        }
        Ok(self.frontier.is_empty().then_some(Output::Done))
    }

    /// Reads one block: its own bytes come back, its parts go to the front.
    fn visit(&mut self, visit: Visit<Part>) -> Result<Bytes, Error> {
        let Visit { cid, item: part, block } = visit;
        let block = block.ok_or(Error::Missing { cid })?;
        let file = match Node::decode(&cid, &block, &self.limits)? {
            Node::Raw(data) => File::of_bytes(data),
            Node::File(file) => file,
            Node::Directory(_) | Node::Shard(_) | Node::Symlink(_) => {
                return Err(Error::NotAFile { cid });
            }
        };
        if let Some(claimed) = part.size.filter(|claimed| *claimed != file.size) {
            return Err(Error::Size { cid, claimed, actual: file.size });
        }
        self.push_parts(&cid, &part, &file)?;
        Ok(self.cut(part.start, &file.data))
    }

    fn push_parts(&mut self, cid: &Cid, above: &Part, file: &File) -> Result<(), Error> {
        let max = self.limits.max_depth;
        if above.depth == max && !file.links.is_empty() {
            return Err(Error::TooDeep { cid: *cid, max });
        }
        let mut start = above.start + file.data.len() as u64;
        let (depth, range) = (above.depth + 1, self.range.clone());
        let mut wanted = alloc::vec::Vec::with_capacity(file.links.len());
        for link in &file.links {
            if start < range.end && start + link.size > range.start {
                wanted.push((link.cid, Part { start, size: Some(link.size), depth }, true));
            }
            start += link.size;
        }
        self.frontier.push_front(cid, wanted.into_iter())
    }

    /// What of `bytes`, which begin at `start` in the file, lies in the range.
    fn cut(&self, start: u64, bytes: &Bytes) -> Bytes {
        let within = |position: u64| {
            let offset = position.saturating_sub(start);
            usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()))
        };
        let from = within(self.range.start);
        bytes.slice(from..within(self.range.end).max(from))
    }
}

impl File {
    fn of_bytes(data: Bytes) -> Self {
        let size = data.len() as u64;
        Self { data, links: alloc::vec::Vec::new(), size, metadata: crate::Metadata::NONE }
    }
}
