use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Block, Bytes, Cid, sha2_256_each};

use super::record::Form;
use crate::limits::{MAX_WAITING, MAX_WAITING_BYTES};

/// Blocks that wait for a parent that takes their hash.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The number of the first.
    first: u64,
    blocks: VecDeque<Waiter>,
    bytes: usize,
    count: usize,
}

#[derive(Debug)]
struct Waiter {
    form: Form,
    len: usize,
    /// Not there once it was given out, and where it could not be decoded.
    data: Option<Bytes>,
    digest: Option<[u8; 32]>,
    /// The old block that it is lost for.
    base: Option<Cid>,
    /// Those whose hashes it took.
    taken: Vec<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    Taken,
    Gone,
}

impl Waiting {
    /// Whether one more block of `len` bytes may wait.
    pub(super) const fn has_room(&self, len: usize) -> bool {
        self.count < MAX_WAITING && self.bytes + len <= MAX_WAITING_BYTES
    }

    /// Adds a block that took the hashes of others.
    pub(super) fn push(&mut self, form: Form, data: Bytes, taken: Vec<u64>) {
        let (len, base, state) = (data.len(), None, State::Waits);
        self.add(Waiter { form, len, data: Some(data), digest: None, base, taken, state });
    }

    /// Adds one of `len` bytes that is lost for an old block.
    pub(super) fn push_lost(&mut self, form: Form, len: usize, base: Option<Cid>) {
        let (taken, state) = (Vec::new(), State::Waits);
        self.add(Waiter { form, len, data: None, digest: None, base, taken, state });
    }

    fn add(&mut self, waiter: Waiter) {
        (self.bytes, self.count) = (self.bytes + waiter.len, self.count + 1);
        self.blocks.push_back(waiter);
    }

    fn get(&mut self, number: u64) -> Option<&mut Waiter> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.blocks.get_mut(index).filter(|waiter| waiter.state != State::Gone)
    }

    /// Marks the blocks as taken whose hashes one block takes, and returns those that were not
    /// before. `None` where one of them does not wait.
    pub(super) fn take(&mut self, numbers: impl Iterator<Item = u64>) -> Option<Vec<u64>> {
        let mut first_time = Vec::new();
        for number in numbers {
            let waiter = self.get(number)?;
            if waiter.state == State::Waits {
                waiter.state = State::Taken;
                first_time.push(number);
            }
        }
        Some(first_time)
    }

    /// The hash of a block that waits; `None` where it is lost.
    pub(super) fn digest(&self, number: u64) -> Option<[u8; 32]> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.blocks.get(index)?.digest
    }

    /// The old block that one is lost for, as far as that is known.
    pub(super) fn lost_for(&mut self, number: u64) -> Option<Cid> {
        self.get(number)?.base
    }

    /// Hashes all blocks that were not hashed, together.
    pub(super) fn hash(&mut self) {
        let unhashed = |waiter: &&mut Waiter| waiter.data.is_some() && waiter.digest.is_none();
        let mut waiters: Vec<_> = self.blocks.iter_mut().filter(unhashed).collect();
        let messages: Vec<Bytes> =
            waiters.iter().filter_map(|waiter| waiter.data.clone()).collect();
        for (waiter, digest) in waiters.iter_mut().zip(sha2_256_each(&messages)) {
            waiter.digest = Some(digest);
        }
    }

    /// Lets go of blocks and of those below them, parents first, and gives each that is not lost to
    /// `each`.
    pub(super) fn release(&mut self, numbers: Vec<u64>, mut each: impl FnMut(Block)) {
        let mut stack = numbers;
        stack.reverse();
        while let Some(number) = stack.pop() {
            let Some(waiter) = self.get(number) else { continue };
            waiter.state = State::Gone;
            let (len, below) = (waiter.len, core::mem::take(&mut waiter.taken));
            if let (Some(data), Some(digest)) = (waiter.data.take(), waiter.digest) {
                each(Block::new_unchecked(waiter.form.cid(&digest), data));
            }
            (self.bytes, self.count) = (self.bytes - len, self.count - 1);
            stack.extend(below.into_iter().rev());
        }
        while self.blocks.front().is_some_and(|waiter| waiter.state == State::Gone) {
            self.blocks.pop_front();
            self.first += 1;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
