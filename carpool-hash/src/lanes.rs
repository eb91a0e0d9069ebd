use core::array;

use crate::{Digest, kernel::Kernel, message::Message, queue::Queue};

/// Hashes the messages of `queue`, each into the digest of its own position, with up to `N` of them
/// stepped together.
pub(crate) fn hash<const N: usize, K: Kernel, B: AsRef<[u8]>>(
    kernel: K,
    mut queue: Queue<'_, B>,
    digests: &mut [Digest],
) {
    let mut lanes = Lanes::<_, N>::new(kernel);
    let mut full = (0..N).all(|lane| lanes.begin(lane, &mut queue));
    while full {
        let steps = lanes.step_all();
        for lane in 0..N {
            if lanes.advance(lane, steps, digests) {
                full &= lanes.begin(lane, &mut queue);
            }
        }
    }
    while let Some(two) = lanes.live::<2>() {
        lanes.step(two, digests);
    }
    while let Some(one) = lanes.live::<1>() {
        lanes.step(one, digests);
    }
}

struct Lanes<'a, K: Kernel, const N: usize> {
    kernel: K,
    messages: [Message<'a>; N],
    states: [K::State; N],
}

impl<'a, K: Kernel, const N: usize> Lanes<'a, K, N> {
    fn new(kernel: K) -> Self {
        Self { kernel, messages: [Message::ENDED; N], states: [kernel.initial(); N] }
    }

    /// Gives a lane the next message; whether there was one.
    #[inline]
    fn begin<B: AsRef<[u8]>>(&mut self, lane: usize, queue: &mut Queue<'a, B>) -> bool {
        let Some((at, message)) = queue.next(self.kernel, N) else { return false };
        self.messages[lane].begin(at, message);
        self.states[lane] = self.kernel.initial();
        true
    }

    /// Steps all lanes by as many blocks as the one that has the fewest; how many.
    #[inline]
    fn step_all(&mut self) -> usize {
        let mut blocks = self.messages.each_ref().map(Message::blocks);
        let steps = cut(&mut blocks);
        self.kernel.step(&mut self.states, blocks);
        steps
    }

    /// Steps some of the lanes, when too few are left for all.
    fn step<const M: usize>(&mut self, some: [usize; M], digests: &mut [Digest]) {
        let mut blocks = some.map(|lane| self.messages[lane].blocks());
        let steps = cut(&mut blocks);
        let mut states = some.map(|lane| self.states[lane]);
        self.kernel.step(&mut states, blocks);
        for (lane, state) in some.into_iter().zip(states) {
            self.states[lane] = state;
            self.advance(lane, steps, digests);
        }
    }

    /// Leaves blocks behind; whether that was the end of the message.
    #[inline]
    fn advance(&mut self, lane: usize, steps: usize, digests: &mut [Digest]) -> bool {
        let message = &mut self.messages[lane];
        message.advance(steps);
        let ended = message.blocks().is_empty();
        if ended {
            digests[message.at] = self.kernel.digest(&self.states[lane]);
        }
        ended
    }

    /// `M` lanes whose messages go on; `None` where fewer do.
    fn live<const M: usize>(&self) -> Option<[usize; M]> {
        let mut live = (0..N).filter(|&lane| !self.messages[lane].blocks().is_empty());
        let found = array::from_fn(|_| live.next());
        found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default))
    }
}

/// Cuts all to the shortest; its length.
#[inline]
fn cut<T>(all: &mut [&[T]]) -> usize {
    let shortest = all.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    all.iter_mut().for_each(|blocks| *blocks = &blocks[..shortest]);
    shortest
}
