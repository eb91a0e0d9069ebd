//! What the hashes are held to: `sha2`, one message at a time.

use carpool_hash::{Backend, Digest};
use sha2::Digest as _;

/// What this machine has; the same one twice where there is no other.
pub(crate) fn backends() -> [Backend; 2] {
    [Backend::PORTABLE, Backend::detect()]
}

/// The digests of `messages`, the slow way.
pub(crate) fn reference<B: AsRef<[u8]>>(messages: &[B]) -> Vec<Digest> {
    messages.iter().map(|message| sha2::Sha256::digest(message).into()).collect()
}

/// Holds every backend, and what chooses among them, to the reference.
pub(crate) fn check<B: AsRef<[u8]>>(messages: &[B]) {
    let expected = reference(messages);
    for backend in backends() {
        let mut digests = vec![[0xff; 32]; messages.len()];
        backend.sha2_256_into(messages, &mut digests);
        assert_eq!(digests, expected, "{}, lengths {:?}", backend.name(), lengths(messages));
    }
    assert_eq!(carpool_hash::sha2_256_each(messages), expected);
}

fn lengths<B: AsRef<[u8]>>(messages: &[B]) -> Vec<usize> {
    messages.iter().map(|message| message.as_ref().len()).collect()
}

/// `n` bytes that differ by `seed`.
pub(crate) fn bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..n).map(|_| next()).collect()
}
