use sha2::Digest as _;

use crate::Digest;

/// SHA-256 of one message that comes in pieces, such as a file. Blocks are hashed together:
/// [`sha2_256_each`](crate::sha2_256_each).
#[derive(Clone, Debug, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// One that has seen no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: impl AsRef<[u8]>) {
        self.0.update(piece);
    }

    /// The digest of all pieces, one after another.
    #[must_use]
    pub fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha2_256;

    #[test]
    fn pieces_are_one_message() {
        let mut next = 0;
        let message = [0u8; 200].map(|_| {
            next += 1;
            next
        });
        for cut in 0..=message.len() {
            let mut hasher = Hasher::new();
            hasher.update(&message[..cut]);
            hasher.update(&message[cut..]);
            assert_eq!(hasher.finish(), sha2_256(&message), "{cut}");
        }
    }
}
