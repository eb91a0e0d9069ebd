use alloc::collections::VecDeque;
use bytes::Buf;
use carpool_core::Bytes;

/// Chunks that have arrived and were not consumed, in order.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Buffer {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// How many bytes are buffered.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The bytes at the front that lie in one piece.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    /// Makes the first `needed` bytes lie in one piece. Only these are copied, and only where they
    /// span chunks, so that no byte is copied twice.
    pub(crate) fn join(&mut self, needed: usize) {
        debug_assert!(needed <= self.len, "joins what has arrived");
        if self.front().len() >= needed {
            return;
        }
        let mut joined = bytes::BytesMut::with_capacity(needed);
        while joined.len() < needed {
            let mut chunk = self.chunks.pop_front().expect("len counts the chunks");
            joined.extend_from_slice(&chunk.split_to(chunk.len().min(needed - joined.len())));
            if !chunk.is_empty() {
                self.chunks.push_front(chunk);
            }
        }
        self.chunks.push_front(joined.freeze());
    }

    /// Takes at most `max` bytes off the front: as many as lie in one piece.
    pub(crate) fn take_piece(&mut self, max: u64) -> Bytes {
        let len = self.front().len();
        self.take(usize::try_from(max).map_or(len, |max| max.min(len)))
    }

    /// Drops `n` bytes off the front, where they lie in one piece.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        let front = self.chunks.front_mut().expect("skips what has arrived");
        front.advance(n);
        if front.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= n;
    }

    /// Takes `n` bytes off the front, where they lie in one piece.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Bytes {
        if n == 0 {
            return Bytes::new();
        }
        let front = self.chunks.front_mut().expect("takes what has arrived");
        let taken = front.split_to(n);
        if front.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= n;
        taken
    }
}
