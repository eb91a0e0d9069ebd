use alloc::{collections::VecDeque, vec::Vec};

use carpool_core::Bytes;

use crate::{Options, fastcdc::Cutter};

/// The bytes of one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes; empty only for an empty file.
    pub data: Bytes,
    /// Whether it is all of its file.
    pub only: bool,
}

/// Cuts a file's bytes, pushed in pieces of any size, into chunks.
///
/// A chunk that lies inside one piece is a slice of it; one that spans pieces is copied together,
/// so read in multiples of the chunk size. How the bytes are split into pieces changes no chunk. It
/// holds a chunk at most, and what was pushed since it was last polled.
#[derive(Debug)]
pub struct Chunker {
    longest: usize,
    /// Where content decides.
    cutter: Option<Cutter>,
    /// The first piece that the cutter has not seen to its end.
    unseen: usize,
    pieces: VecDeque<Bytes>,
    buffered: usize,
    /// Bytes of the pieces that the cutter has seen to their ends.
    passed: usize,
    cut_before: bool,
    ended: bool,
}

impl Chunker {
    /// A chunker for one file.
    #[must_use]
    pub const fn new(options: &Options) -> Self {
        let chunking = options.chunking();
        Self {
            longest: chunking.longest(),
            cutter: chunking.cutter(),
            unseen: 0,
            pieces: VecDeque::new(),
            buffered: 0,
            passed: 0,
            cut_before: false,
            ended: false,
        }
    }

    /// Takes the next piece of the file. [`Self::poll`] afterwards.
    pub fn handle_data(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.buffered += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Says that the file has ended: the last chunk comes out of [`Self::poll`].
    pub const fn handle_end(&mut self) {
        self.ended = true;
    }

    /// The next chunk. Call it until it gives `None` after each `handle_*`.
    ///
    /// A full chunk is held back until a byte follows it, because only then it is known not to be
    /// the whole file. An empty file is one empty chunk.
    #[must_use]
    pub fn poll(&mut self) -> Option<Chunk> {
        if let Some(len) = self.next_end() {
            self.cut_before = true;
            return Some(Chunk { data: self.take(len), only: false });
        }
        let last = self.ended && (self.buffered > 0 || !self.cut_before);
        last.then(|| {
            let only = !core::mem::replace(&mut self.cut_before, true);
            Chunk { data: self.take(self.buffered), only }
        })
    }

    /// Bytes of the next chunk, where more follow it.
    fn next_end(&mut self) -> Option<usize> {
        let Some(cutter) = &mut self.cutter else {
            return (self.buffered > self.longest).then_some(self.longest);
        };
        while let Some(piece) = self.pieces.get(self.unseen) {
            let end = cutter.look(&piece[cutter.seen() - self.passed..]);
            if end.is_some() {
                cutter.begin();
                (self.unseen, self.passed) = (0, 0);
                return end;
            }
            self.unseen += 1;
            self.passed += piece.len();
        }
        None
    }

    fn take(&mut self, len: usize) -> Bytes {
        self.buffered -= len;
        match self.pieces.front_mut() {
            Some(front) if front.len() > len => front.split_to(len),
            Some(front) if front.len() == len => self.pieces.pop_front().unwrap_or_default(),
            _ => self.join(len),
        }
    }

    fn join(&mut self, len: usize) -> Bytes {
        let mut joined = Vec::with_capacity(len);
        while joined.len() < len {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            let part = piece.split_to(piece.len().min(len - joined.len()));
            joined.extend_from_slice(&part);
            if !piece.is_empty() {
                self.pieces.push_front(piece);
            }
        }
        joined.into()
    }
}
