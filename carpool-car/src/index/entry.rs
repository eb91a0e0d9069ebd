use carpool_core::Cid;
use core::{cmp::Ordering, fmt};

/// The longest digest that an entry holds, in bytes: the longest that a CID may have here.
pub const MAX_DIGEST_BYTES: usize = 64;

/// Where the section of a digest begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    code: Option<u64>,
    offset: u64,
    len: u8,
    digest: [u8; MAX_DIGEST_BYTES],
}

impl Entry {
    /// An entry; `None` where the digest is longer than [`MAX_DIGEST_BYTES`]. `code` is the hash
    /// function, which an index of [`Codec::Sorted`](super::Codec::Sorted) does not know.
    #[must_use]
    pub fn new(code: Option<u64>, digest: &[u8], offset: u64) -> Option<Self> {
        let mut bytes = [0; MAX_DIGEST_BYTES];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        let len = u8::try_from(digest.len()).ok()?;
        Some(Self { code, offset, len, digest: bytes })
    }

    /// The entry of a section that begins at `offset` with the CID `cid`.
    #[must_use]
    pub fn of(cid: &Cid, offset: u64) -> Self {
        let hash = cid.hash();
        Self::new(Some(hash.code()), hash.digest(), offset)
            .expect("a CID's digest is no longer than an entry's")
    }

    /// The multicodec of the hash function, where it is known.
    #[must_use]
    pub const fn code(&self) -> Option<u64> {
        self.code
    }

    /// The digest, without the multihash's head.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        &self.digest[..usize::from(self.len)]
    }

    /// From the start of the CARv1 payload to the section's length varint, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

/// The order of an index: hash function, length of the digest, digest, offset.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| (entry.code, entry.len, entry.digest, entry.offset);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:x?} ", self.code)?;
        self.digest().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, " @ {})", self.offset)
    }
}
