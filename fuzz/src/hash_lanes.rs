use carpool_hash::{Backend, Digest};
use sha2::{Digest as _, Sha256};

use crate::choices::Choices;

/// Ten times as many as there are lanes.
const MAX_MESSAGES: usize = 40;

/// Bytes of all messages of an input: one that is long enough to be hashed before others, and many
/// short ones, or hundreds of blocks.
const MAX_BYTES: usize = 12 << 10;

/// Messages are pieces of this: more than the longest, and no block of it is like another.
static NOISE: [u8; 9 << 10] = noise();

/// Whatever messages lie beside each other in the lanes, their digests are those of `sha2`.
pub fn hash_lanes(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (mut messages, mut bytes) = (Vec::with_capacity(MAX_MESSAGES), 0);
    while !choices.is_empty() && messages.len() < MAX_MESSAGES && bytes < MAX_BYTES {
        let message = message(&mut choices);
        bytes += message.len();
        messages.push(message);
    }
    let expected: Vec<Digest> = messages.iter().map(|m| Sha256::digest(m).into()).collect();
    for backend in [Backend::PORTABLE, Backend::detect()] {
        let mut digests = [[0xff; 32]; MAX_MESSAGES];
        let digests = &mut digests[..messages.len()];
        backend.sha2_256_into(&messages, digests);
        assert_eq!(digests, expected, "{}", backend.name());
    }
    assert_eq!(carpool_hash::sha2_256_each(&messages), expected);
}

/// As long as the next bytes say: short, around the end of one of the first blocks, or of a later
/// one, around a power of two whose sides are hashed one before the other, or bytes of the input.
fn message<'a>(choices: &mut Choices<'a>) -> &'a [u8] {
    let around = |len: usize, by: usize| (len + by).saturating_sub(10);
    let len = match choices.below(8) {
        0 | 1 => choices.below(256),
        2 | 3 => around(64 * choices.below(5), choices.below(20)),
        4 => around(64 * choices.below(34), choices.below(20)),
        5 => around(4096 << choices.below(2), choices.below(20)),
        _ => {
            let len = choices.byte().into();
            return choices.bytes(len);
        }
    };
    &NOISE[choices.byte().into()..][..len]
}

const fn noise() -> [u8; 9 << 10] {
    let (mut out, mut state, mut n) = ([0; 9 << 10], 1_u32, 0);
    while n < out.len() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out[n] = (state >> 24) as u8;
        n += 1;
    }
    out
}
