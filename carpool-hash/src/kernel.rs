#[cfg(target_arch = "x86_64")]
use crate::x86_64::ShaNi;
use crate::{Digest, lanes, portable::Portable, queue::Queue, sha2_256};

/// Messages that are stepped together. Two fill the SHA unit in theory, four do in practice,
/// although part of their words is kept in memory.
const LANES: usize = 4;

/// A block of the compression function: 64 bytes.
pub(crate) type Words = [u8; 64];

/// What steps the states of several messages through their blocks.
pub(crate) trait Kernel: Copy {
    /// The eight words of a message's state, as it suits the machine.
    type State: Copy;

    /// The state before the first block.
    fn initial(self) -> Self::State;

    /// Steps each of `N` states over its blocks. All have as many.
    fn step<const N: usize>(self, states: &mut [Self::State; N], blocks: [&[Words]; N]);

    /// Says that a message will be hashed soon.
    #[inline]
    fn prefetch(self, _message: &[u8]) {}

    /// The digest that a state stands for after the last block.
    fn digest(self, state: &Self::State) -> Digest;
}

/// What computes on this machine. Tests and benchmarks compare them; whoever wants digests calls
/// [`sha2_256_each`](crate::sha2_256_each).
#[derive(Clone, Copy, Debug)]
pub struct Backend(Chosen);

#[derive(Clone, Copy, Debug)]
enum Chosen {
    Portable,
    #[cfg(target_arch = "x86_64")]
    ShaNi(ShaNi),
}

impl Backend {
    /// Compression through `sha2`, a lane at a time: the same lanes, for tests everywhere.
    pub const PORTABLE: Self = Self(Chosen::Portable);

    /// The fastest one that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = ShaNi::detect() {
            return Self(Chosen::ShaNi(kernel));
        }
        Self::PORTABLE
    }

    /// Its name: `sha-ni` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Chosen::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Chosen::ShaNi(_) => "sha-ni",
        }
    }

    /// SHA-256 of each message, into the digest of the same position.
    ///
    /// # Panics
    /// When there are not as many digests as messages.
    pub fn sha2_256_into<B: AsRef<[u8]>>(self, messages: &[B], digests: &mut [Digest]) {
        assert_eq!(messages.len(), digests.len(), "a digest for each message");
        if let ([message], [digest]) = (messages, &mut *digests) {
            *digest = sha2_256(message.as_ref());
            return;
        }
        match self.0 {
            Chosen::Portable => lanes::hash::<LANES, _, _>(Portable, Queue::new(messages), digests),
            #[cfg(target_arch = "x86_64")]
            Chosen::ShaNi(kernel) => {
                lanes::hash::<LANES, _, _>(kernel, Queue::new(messages), digests)
            }
        }
    }
}
