use carpool_hash::Backend;
use sha2::{Digest, Sha256};

use crate::choices::Choices;

/// More would only be slower.
const MAX_MESSAGES: usize = 40;

/// Whatever messages lie beside each other in the lanes, their digests are those of `sha2`.
pub fn hash_lanes(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut messages = Vec::new();
    while !choices.is_empty() && messages.len() < MAX_MESSAGES {
        messages.push(message(&mut choices));
    }
    let expected: Vec<[u8; 32]> = messages.iter().map(|m| Sha256::digest(m).into()).collect();
    for backend in [Backend::PORTABLE, Backend::detect()] {
        let mut digests = vec![[0xff; 32]; messages.len()];
        backend.sha2_256_into(&messages, &mut digests);
        assert_eq!(digests, expected, "{}", backend.name());
    }
    assert_eq!(carpool_hash::sha2_256_each(&messages), expected);
}

/// As long as the next bytes say: short, around whole blocks, longer, or bytes of the input.
fn message(choices: &mut Choices<'_>) -> Vec<u8> {
    let len = match choices.below(4) {
        0 => choices.below(256),
        1 => (64 * choices.below(34) + choices.below(20)).saturating_sub(10),
        2 => choices.below(256) << 5 | choices.below(32),
        _ => {
            let len = choices.below(256);
            return choices.bytes(len).to_vec();
        }
    };
    let first = choices.byte();
    (0..=255).cycle().skip(first.into()).step_by(7).take(len).collect()
}
