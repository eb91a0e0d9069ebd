//! SHA-256 ([FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4)) of many messages at once.
//!
//! SHA-256 of one message is one chain of dependent instructions: the processor's SHA unit waits
//! for itself about half of the time. Two independent messages, stepped through the same rounds,
//! fill the gaps. A store of blocks has independent messages at hand always, each block is one.
//!
//! A message has a *lane*. All lanes are stepped together by as many 64-byte blocks as the one
//! that has the fewest left; a lane whose message has ended is given the next. Hence messages of
//! mixed sizes gain as much as equal ones do. Digests come in the order of their messages.
//!
//! The kernel for x86-64 with SHA extensions is chosen at run time. Everywhere else, and where
//! there is one message only, compression is that of [`sha2`], which brings its own detection.
//!
//! ```
//! let digests = carpool_hash::sha2_256_each(&["one block", "and another"]);
//! assert_eq!(digests[0], carpool_hash::sha2_256(b"one block"));
//! ```
#![no_std]
extern crate alloc;

mod hasher;
mod kernel;
mod lanes;
mod message;
mod portable;
mod queue;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use alloc::{vec, vec::Vec};

pub use hasher::Hasher;
pub use kernel::Backend;

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

/// A digest of SHA-256.
pub type Digest = [u8; DIGEST_BYTES];

/// SHA-256 of one message.
#[must_use]
pub fn sha2_256(message: &[u8]) -> Digest {
    use sha2::Digest as _;
    sha2::Sha256::digest(message).into()
}

/// SHA-256 of many messages, in their order. Hand over all that are at hand: two go nearly twice
/// as fast as one after another, and of mixed sizes dozens are better than few.
#[must_use]
pub fn sha2_256_each<B: AsRef<[u8]>>(messages: &[B]) -> Vec<Digest> {
    let mut digests = vec![[0; DIGEST_BYTES]; messages.len()];
    sha2_256_into(messages, &mut digests);
    digests
}

/// As [`sha2_256_each`], into memory of the caller's.
///
/// # Panics
/// When there are not as many digests as messages.
pub fn sha2_256_into<B: AsRef<[u8]>>(messages: &[B], digests: &mut [Digest]) {
    Backend::detect().sha2_256_into(messages, digests);
}
