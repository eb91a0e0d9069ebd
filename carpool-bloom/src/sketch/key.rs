use core::hash::Hasher;
use siphasher::sip::SipHasher24;

/// A secret of the decoding side. Without it nobody can choose blocks whose symbols collide or
/// never peel, so the side that decodes draws it and never uses one that a peer drew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

/// What a sketch holds in place of a CID: the low 48 bits of its SipHash-2-4 under the sketch's
/// [`Key`]. That one of a thousand differences shares its symbol with one of a million held CIDs
/// comes once in 280,000 sketches, and what it costs is a block that is asked for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u64);

impl Symbol {
    /// Bytes of a symbol on the wire.
    pub(super) const BYTES: usize = 6;

    /// The symbol of this number, of which the low 48 bits count.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number & (u64::MAX >> 16))
    }

    /// The number, below 2^48.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Key {
    /// The key of these bytes, which have to be random.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes that the encoding side is told.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The symbol of a binary CID.
    #[must_use]
    pub fn symbol(&self, cid: &[u8]) -> Symbol {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(cid);
        Symbol::new(hasher.finish())
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_siphash_2_4() {
        // The vectors of the SipHash paper: key 00..0f, messages 00..n.
        let key = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let (message, key) = (&key[..15], Key::new(key));
        assert_eq!(key.symbol(message), Symbol::new(0xa129_ca61_49be_45e5));
        assert_eq!(key.symbol(&[]), Symbol::new(0x726f_db47_dd0e_0e31));
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(alloc::format!("{:?}", Key::new([7; 16])), "Key(..)");
    }
}
