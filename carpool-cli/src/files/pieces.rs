//! Memory that files are read into, used again: fresh memory costs nearly as much as the reading.

use carpool_core::Bytes;
use std::{
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

/// Buffers that are kept at most: more than can be on their way at once.
const MAX_KEPT: usize = 64;

/// Buffers of one size that wait for the next piece.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    bytes: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pieces {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, free: Arc::default() }
    }

    /// Reads up to `bytes` bytes, fewer at the end alone. What takes less than half of a buffer has
    /// memory of its own, so that small files do not hold large buffers.
    pub(super) fn read(&self, from: &mut impl Read, bytes: usize) -> io::Result<Bytes> {
        if bytes > self.bytes || bytes < self.bytes / 2 {
            let mut piece = Vec::with_capacity(bytes);
            from.take(bytes as u64).read_to_end(&mut piece)?;
            return Ok(piece.into());
        }
        self.filled(|buffer| fill(from, &mut buffer[..bytes]))
    }

    /// A buffer that `fill` has put so many bytes into.
    pub(super) fn filled(
        &self,
        fill: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Bytes> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = free.unwrap_or_else(|| vec![0; self.bytes]);
        let read = fill(&mut buffer);
        let piece = Bytes::from_owner(Piece { buffer, home: self.clone() });
        Ok(piece.slice(..read?))
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// A buffer in use. It goes home with the last block in it.
struct Piece {
    buffer: Vec<u8>,
    home: Pieces,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_KEPT {
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pieces: &Pieces) -> usize {
        pieces.free.lock().unwrap().len()
    }

    #[test]
    fn a_buffer_comes_back_with_its_last_slice_and_is_used_again() {
        let pieces = Pieces::new(100);
        let first = pieces.read(&mut &[1; 100][..], 100).unwrap();
        let (a, b) = (first.slice(..50), first.slice(50..));
        drop(first);
        drop(a);
        assert_eq!(kept(&pieces), 0);
        drop(b);
        assert_eq!(kept(&pieces), 1);
        let second = pieces.read(&mut &[2; 70][..], 80).unwrap();
        assert_eq!((kept(&pieces), &second[..]), (0, &[2; 70][..]));
    }

    #[test]
    fn small_ones_have_memory_of_their_own() {
        let pieces = Pieces::new(100);
        assert_eq!(pieces.read(&mut &[1; 100][..], 49).unwrap(), &[1; 49][..]);
        assert_eq!(pieces.read(&mut &[][..], 49).unwrap(), &[][..]);
        assert_eq!(kept(&pieces), 0);
    }

    #[test]
    fn only_so_many_are_kept() {
        let pieces = Pieces::new(2);
        let all: Vec<_> = (0..MAX_KEPT + 3).map(|_| pieces.read(&mut &[1; 2][..], 2)).collect();
        drop(all);
        assert_eq!(kept(&pieces), MAX_KEPT);
    }
}
