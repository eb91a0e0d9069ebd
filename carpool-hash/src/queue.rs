use alloc::{vec, vec::Vec};

use crate::kernel::Kernel;

/// Messages that wait for a lane.
pub(crate) struct Queue<'a, B> {
    messages: &'a [B],
    order: Option<Vec<usize>>,
    next: usize,
}

impl<'a, B: AsRef<[u8]>> Queue<'a, B> {
    pub(crate) fn new(messages: &'a [B]) -> Self {
        Self { messages, order: longest_first(messages), next: 0 }
    }

    /// The next message and its position. The one that is `ahead` of it is fetched meanwhile.
    #[inline]
    pub(crate) fn next(&mut self, kernel: impl Kernel, ahead: usize) -> Option<(usize, &'a [u8])> {
        let next = self.get(self.next)?;
        if let Some((_, later)) = self.get(self.next + ahead) {
            kernel.prefetch(later);
        }
        self.next += 1;
        Some(next)
    }

    #[inline]
    fn get(&self, n: usize) -> Option<(usize, &'a [u8])> {
        let at = match &self.order {
            Some(order) => *order.get(n)?,
            None => n,
        };
        Some((at, self.messages.get(at)?.as_ref()))
    }
}

/// Which message is hashed when, where it matters: longest first, as far as the number of bits of
/// their lengths tells, so that what is left at the end for one lane alone is short. `None` where
/// the given order is as good.
fn longest_first<B: AsRef<[u8]>>(messages: &[B]) -> Option<Vec<usize>> {
    let mut starts = [0_usize; CLASSES];
    messages.iter().for_each(|message| starts[class(message)] += 1);
    if starts.contains(&messages.len()) {
        return None;
    }
    let mut before = 0;
    for start in &mut starts {
        before += core::mem::replace(start, before);
    }
    let mut order = vec![0; messages.len()];
    for (at, message) in messages.iter().enumerate() {
        let place = &mut starts[class(message)];
        order[*place] = at;
        *place += 1;
    }
    Some(order)
}

/// Messages below 4 KiB are one class: they leave little behind.
const SHORT: usize = 12;
const CLASSES: usize = 65 - SHORT;

fn class<B: AsRef<[u8]>>(message: &B) -> usize {
    let bits = usize::BITS - message.as_ref().len().leading_zeros();
    CLASSES - 1 - (bits as usize).saturating_sub(SHORT)
}
