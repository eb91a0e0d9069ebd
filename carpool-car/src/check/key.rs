use carpool_core::{Cid, SHA2_256, Version, is_identity};
use core::hash::{BuildHasher, Hasher};
use foldhash::fast::FixedState;

/// The place of an identity CID, which no index needs unless it says that it has all; of a link,
/// that it is a root.
const NEEDLESS: u64 = 1 << 63;
/// The place of a block whose bytes are wrong: it is there, and it is not the block.
const WRONG: u64 = 1 << 62;
/// What tells hash functions apart.
const TAG: u64 = 0xffff;
const TAG_BITS: u32 = 16;

/// A block, a link, a root or an entry of an index: what a [`Ledger`](super::Ledger) compares.
///
/// Two hashes under seeds that whoever wrote the file does not know stand for the CID, and the
/// offset of a section, in bytes from the start of the CARv1 and below 2^62, for the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Of the digest: what an index goes by.
    pub(super) digest: u64,
    /// Of all of the CID, the last bits of its hash function alone; of an entry its number, and
    /// those bits.
    pub(super) cid: u64,
    pub(super) at: u64,
}

impl Key {
    /// The bytes of one where it is spilled.
    pub const BYTES: usize = 24;

    /// Where the section begins, in bytes from the start of the CARv1; of an entry where it says
    /// that one does.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.at & !(NEEDLESS | WRONG)
    }

    /// The same of a block whose bytes are not those of its CID.
    #[must_use]
    pub const fn wrong(mut self) -> Self {
        self.at |= WRONG;
        self
    }

    /// Whether it is of the same CID.
    #[must_use]
    pub const fn is_cid_of(&self, other: &Self) -> bool {
        self.digest == other.digest && self.cid == other.cid
    }

    pub(super) const fn is_wrong(&self) -> bool {
        self.at & WRONG != 0
    }

    pub(super) const fn is_needless(&self) -> bool {
        self.at & NEEDLESS != 0
    }

    pub(super) const fn is_root(&self) -> bool {
        self.at & NEEDLESS != 0
    }

    pub(super) const fn tag(&self) -> u64 {
        self.cid & TAG
    }

    /// Of an entry.
    pub(super) const fn number(&self) -> u64 {
        self.cid >> TAG_BITS
    }

    pub(super) fn write(&self, out: &mut alloc::vec::Vec<u8>) {
        for number in [self.digest, self.cid, self.at] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(super) fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let number = |n: usize| u64::from_le_bytes(numbers[n]);
        Self { digest: number(0), cid: number(1), at: number(2) }
    }
}

/// Makes keys.
#[derive(Clone, Debug)]
pub struct Keys {
    digest: FixedState,
    form: FixedState,
    /// The tag of SHA2-256.
    usual: u64,
}

impl Keys {
    /// Keys under a seed that whoever wrote the file does not know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let digest = FixedState::with_seed(seed);
        let form = FixedState::with_seed(seed.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15);
        Self { digest, usual: tag(&form, SHA2_256), form }
    }

    /// The key of a block whose section begins at `offset`.
    #[must_use]
    pub fn block(&self, cid: &Cid, offset: u64) -> Key {
        let needless = if is_identity(cid) { NEEDLESS } else { 0 };
        self.of(cid, offset | needless)
    }

    /// The key of a block of SHA2-256, whose CID was not taken apart: as [`block`](Self::block),
    /// and faster.
    #[must_use]
    #[inline]
    pub fn sha2_256(&self, version: Version, codec: u64, digest: &[u8], offset: u64) -> Key {
        self.key(form(version, codec), self.usual, digest, offset)
    }

    /// The key of a link that the block at `offset` has.
    #[must_use]
    pub fn link(&self, cid: &Cid, offset: u64) -> Key {
        self.of(cid, offset)
    }

    /// The key of a root.
    #[must_use]
    pub fn root(&self, cid: &Cid) -> Key {
        self.of(cid, NEEDLESS)
    }

    /// The key of entry number `number` of an index, which says that a section begins at `offset`.
    #[must_use]
    #[inline]
    pub fn entry(&self, code: Option<u64>, digest: &[u8], number: u64, offset: u64) -> Key {
        let tag = code.map_or(0, |code| self.tag(code));
        Key { digest: self.digest(digest), cid: number << TAG_BITS | tag, at: offset }
    }

    fn of(&self, cid: &Cid, at: u64) -> Key {
        let (form, hash) = (form(cid.version(), cid.codec()), cid.hash());
        self.key(form, self.tag(hash.code()), hash.digest(), at)
    }

    /// Of the digest a hash with a seed and, beside the codec, its first bytes as they are: who
    /// finds two with the same beginning does not know their hashes.
    #[inline]
    fn key(&self, form: u64, tag: u64, digest: &[u8], at: u64) -> Key {
        let first = digest.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let cid = (hash(&self.form, form) ^ first) & !TAG | tag;
        Key { digest: self.digest(digest), cid, at }
    }

    #[inline]
    fn digest(&self, digest: &[u8]) -> u64 {
        let mut hasher = self.digest.build_hasher();
        hasher.write(digest);
        hasher.finish()
    }

    #[inline]
    fn tag(&self, code: u64) -> u64 {
        if code == SHA2_256 { self.usual } else { tag(&self.form, code) }
    }
}

#[inline]
const fn form(version: Version, codec: u64) -> u64 {
    codec << 1 | matches!(version, Version::V1) as u64
}

fn tag(state: &FixedState, code: u64) -> u64 {
    hash(state, !code) & TAG
}

#[inline]
fn hash(state: &FixedState, number: u64) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u64(number);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Multihash, codec};

    fn cid(codec: u64, code: u64, byte: u8) -> Cid {
        Cid::new_v1(codec, Multihash::wrap(code, &[byte; 32]).expect("short"))
    }

    #[test]
    fn keys_are_of_one_cid_where_all_of_it_is_the_same() {
        let keys = Keys::new(7);
        let all = [
            cid(codec::RAW, SHA2_256, 1),
            cid(codec::RAW, SHA2_256, 2),
            cid(codec::DAG_CBOR, SHA2_256, 1),
            cid(codec::RAW, 0x1e, 1),
            Cid::new_v0(*cid(codec::DAG_PB, SHA2_256, 1).hash()).expect("SHA2-256"),
            cid(codec::DAG_PB, SHA2_256, 1),
        ];
        for (n, one) in all.iter().enumerate() {
            for (m, other) in all.iter().enumerate() {
                let same = keys.block(one, 5).is_cid_of(&keys.link(other, 9));
                assert_eq!(same, n == m, "{one} {other}");
            }
        }
    }

    #[test]
    fn the_fast_way_is_the_same() {
        let (keys, cid) = (Keys::new(1), cid(codec::RAW, SHA2_256, 3));
        let fast = keys.sha2_256(Version::V1, codec::RAW, cid.hash().digest(), 70);
        assert_eq!(fast, keys.block(&cid, 70));
    }

    #[test]
    fn a_key_is_the_same_when_read_back() {
        let key = Keys::new(3).root(&cid(codec::RAW, SHA2_256, 3)).wrong();
        let mut bytes = alloc::vec::Vec::new();
        key.write(&mut bytes);
        assert_eq!(Key::read(bytes.as_slice().try_into().expect("24 bytes")), key);
    }
}
