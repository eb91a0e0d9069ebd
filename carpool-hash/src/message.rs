use crate::kernel::Words;

/// Bytes of a message's length at the end of its last block.
const LENGTH_BYTES: usize = 8;

/// What is left of a message: whole blocks that lie in its bytes, then its last block or two.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Where its digest goes.
    pub(crate) at: usize,
    left: &'a [Words],
    /// Less than a block, until it has gone into the tail.
    rest: &'a [u8],
    bytes: usize,
    tail: Tail,
}

/// The last block or two: the end of the bytes, the padding and the length (FIPS 180-4 §5.1.1).
#[derive(Clone, Copy)]
struct Tail {
    blocks: [Words; 2],
    /// Blocks that are over; the second one is the last.
    over: usize,
}

impl<'a> Message<'a> {
    /// None at all.
    pub(crate) const ENDED: Self = Self {
        at: 0,
        left: &[],
        rest: &[],
        bytes: 0,
        tail: Tail { blocks: [[0; 64]; 2], over: 2 },
    };

    /// Begins another message.
    #[inline]
    pub(crate) fn begin(&mut self, at: usize, message: &'a [u8]) {
        (self.left, self.rest) = message.as_chunks();
        (self.at, self.bytes) = (at, message.len());
        if self.left.is_empty() {
            self.begin_tail();
        }
    }

    /// The blocks that can be stepped over now; none at the end.
    #[inline]
    pub(crate) fn blocks(&self) -> &[Words] {
        if self.left.is_empty() { &self.tail.blocks[self.tail.over..] } else { self.left }
    }

    /// Leaves `n` of the [`blocks`](Self::blocks) behind.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        if self.left.is_empty() {
            self.tail.over += n;
            return;
        }
        self.left = &self.left[n..];
        if self.left.is_empty() {
            self.begin_tail();
        }
    }

    #[inline]
    fn begin_tail(&mut self) {
        let over = usize::from(self.rest.len() + 1 + LENGTH_BYTES <= 64);
        self.tail.over = over;
        let block = &mut self.tail.blocks[over];
        block[..self.rest.len()].copy_from_slice(self.rest);
        block[self.rest.len()] = 0x80;
        block[self.rest.len() + 1..].fill(0);
        if over == 0 {
            self.tail.blocks[1] = [0; 64];
        }
        let bits = (self.bytes as u64) << 3;
        self.tail.blocks[1][64 - LENGTH_BYTES..].copy_from_slice(&bits.to_be_bytes());
    }
}
