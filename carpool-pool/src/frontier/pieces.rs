use alloc::{boxed::Box, vec::Vec};
use core::ops::{Index, IndexMut};

const PIECE: usize = 4096;

/// A list that grows by a piece at a time, so that none of it is ever copied, nor taken twice over.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    pieces: Vec<Box<[T]>>,
    len: usize,
}

impl<T: Copy + Default> Pieces<T> {
    pub(crate) const fn new() -> Self {
        Self { pieces: Vec::new(), len: 0 }
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.len == self.pieces.len() * PIECE {
            self.pieces.push(alloc::vec![T::default(); PIECE].into_boxed_slice());
        }
        self.pieces[self.len / PIECE][self.len % PIECE] = value;
        self.len += 1;
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.pieces.len() * PIECE * size_of::<T>()
    }
}

impl<T> Index<u32> for Pieces<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        &self.pieces[at as usize / PIECE][at as usize % PIECE]
    }
}

impl<T> IndexMut<u32> for Pieces<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.pieces[at as usize / PIECE][at as usize % PIECE]
    }
}
