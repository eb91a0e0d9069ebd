use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Bytes, varint};

/// Chunks that have arrived and were not used.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The first `n` bytes, or as many as there are.
    pub(super) fn peek(&self, n: usize) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().copied()).take(n).collect()
    }

    /// Takes `n` bytes that are there off the front; copied only where they span chunks.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        debug_assert!(n <= self.len, "takes what has arrived");
        let first = self.chunks.front_mut().filter(|chunk| chunk.len() >= n);
        let taken = first.map_or_else(|| None, |chunk| Some(chunk.split_to(n)));
        let taken = taken.unwrap_or_else(|| self.join(n));
        while self.chunks.front().is_some_and(Bytes::is_empty) {
            self.chunks.pop_front();
        }
        self.len -= n;
        taken
    }

    fn join(&mut self, n: usize) -> Bytes {
        let mut joined = Vec::with_capacity(n);
        while joined.len() < n {
            let Some(mut chunk) = self.chunks.pop_front() else { break };
            joined.extend_from_slice(&chunk.split_to(chunk.len().min(n - joined.len())));
            self.chunks.push_front(chunk);
            if self.chunks.front().is_some_and(Bytes::is_empty) {
                self.chunks.pop_front();
            }
        }
        joined.into()
    }

    /// Three numbers at the front and how many bytes they are; `None` while they are incomplete.
    pub(super) fn three_numbers(&self) -> Result<Option<([u64; 3], usize)>, carpool_core::Error> {
        let front = self.peek(3 * varint::MAX_BYTES);
        let (mut numbers, mut at) = ([0; 3], 0);
        for number in &mut numbers {
            let Some((value, n)) = varint::decode(&front[at..])? else { return Ok(None) };
            (*number, at) = (value, at + n);
        }
        Ok(Some((numbers, at)))
    }
}
