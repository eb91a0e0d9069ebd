//! What the threads of a check make of each block: its hash, its links, and a short key by which
//! it is compared with all others.

use carpool_car::SectionRef;
use carpool_core::{Cid, Limits, SHA2_256, digest, for_each_link, is_identity, may_link};
use carpool_hash::sha2_256_into;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

use super::{args::ReadFlags, batches::Window};
use crate::remote::random_seed;

/// A bit of [`Key::at`]: the CID carries its data, so that no index needs it.
pub(crate) const IDENTITY_BIT: u64 = 1 << 63;

/// A CID as two hashes with seeds that strangers do not know, and a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Of the digest: what an index goes by.
    pub(crate) digest: u64,
    /// Of all of the CID.
    pub(crate) cid: u64,
    /// Where the section begins, from the start of the CARv1, and [`IDENTITY_BIT`].
    pub(crate) at: u64,
}

/// Makes keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    digest: FixedState,
    cid: FixedState,
}

impl Keys {
    /// Keys that nobody can prepare collisions for.
    pub(crate) fn random() -> Self {
        let seed = random_seed();
        let digest = FixedState::with_seed(seed);
        Self { digest, cid: FixedState::with_seed(seed.rotate_left(32) ^ random_seed()) }
    }

    /// The key of a digest.
    pub(crate) fn digest(&self, digest: &[u8]) -> u64 {
        let mut hasher = self.digest.build_hasher();
        hasher.write(digest);
        hasher.finish()
    }

    /// The key of a CID at a place.
    pub(crate) fn of(&self, cid: &Cid, at: u64) -> Key {
        let form = cid.codec() << 1 | u64::from(cid.version() == carpool_core::Version::V1);
        let identity = if is_identity(cid) { IDENTITY_BIT } else { 0 };
        self.key((form, cid.hash().code()), cid.hash().digest(), at | identity)
    }

    /// Of the digest a hash with a seed and, beside the codec, its first bytes as they are: who
    /// finds two with the same beginning does not know their hashes.
    #[inline]
    fn key(&self, (form, code): (u64, u64), digest: &[u8], at: u64) -> Key {
        let mut hasher = self.cid.build_hasher();
        hasher.write_u64(form);
        hasher.write_u64(code);
        let first = digest.first_chunk().copied().map_or(0, u64::from_le_bytes);
        Key { digest: self.digest(digest), cid: hasher.finish() ^ first, at }
    }
}

/// What is wrong with a block.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) cid: Cid,
    /// Where its section begins, from the start of the CARv1.
    pub(crate) at: u64,
    pub(crate) why: Why,
}

#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// Its bytes have this digest.
    Hash(Vec<u8>),
    /// Its hash function is not known here.
    Unsupported,
    /// Its links cannot be read.
    Undecodable(carpool_core::Error),
}

/// What a window came to.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) wrong: Vec<Wrong>,
    /// Every block.
    pub(crate) keys: Vec<Key>,
    /// Every link, at the block that has it; to identity CIDs there are none.
    pub(crate) links: Vec<Key>,
    /// Where the last block that is right begins, and its CID.
    pub(crate) last_good: Option<(u64, Cid)>,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Check<'a> {
    pub(crate) read: &'a ReadFlags,
    pub(crate) keys: &'a Keys,
    pub(crate) links: bool,
}

/// Blocks that are hashed together.
const LANES: usize = 128;

impl Check<'_> {
    /// Checks the blocks of a window, and puts what it came to in place of what was there.
    pub(crate) fn window(&self, window: &Window, checked: &mut Checked) {
        checked.clear();
        let limits = self.read.limits();
        let mut together = Vec::with_capacity(LANES);
        for section in window.sections(self.read).flatten() {
            together.push(section);
            if together.len() == LANES {
                checked.sections(self, &together, &limits);
                together.clear();
            }
        }
        checked.sections(self, &together, &limits);
    }
}

/// A binary CID of one of the two usual forms: SHA2-256 with all of its bytes.
struct Usual<'a> {
    codec: u8,
    v1: bool,
    digest: &'a [u8],
}

impl<'a> Usual<'a> {
    #[inline]
    fn of(cid: &'a [u8]) -> Option<Self> {
        let (codec, v1, digest) = match cid {
            [0x12, 0x20, digest @ ..] => (0x70, false, digest),
            [1, codec @ 0..0x80, 0x12, 0x20, digest @ ..] => (*codec, true, digest),
            _ => return None,
        };
        (digest.len() == 32).then_some(Self { codec, v1, digest })
    }

    const fn form(&self) -> (u64, u64) {
        ((self.codec as u64) << 1 | self.v1 as u64, SHA2_256)
    }

    const fn may_link(&self) -> bool {
        matches!(self.codec, 0x70 | 0x71)
    }
}

impl Checked {
    fn clear(&mut self) {
        (self.blocks, self.bytes, self.last_good) = (0, 0, None);
        self.wrong.clear();
        self.keys.clear();
        self.links.clear();
    }

    fn sections(&mut self, check: &Check<'_>, sections: &[SectionRef<'_>], limits: &Limits) {
        let (mut messages, mut digests) = ([&[][..]; LANES], [[0; 32]; LANES]);
        let mut count = 0;
        for section in sections.iter().filter(|section| Usual::of(section.cid).is_some()) {
            messages[count] = section.data;
            count += 1;
        }
        sha2_256_into(&messages[..count], &mut digests[..count]);
        let mut digests = digests.iter();
        let mut good = None;
        for section in sections {
            let usual = Usual::of(section.cid);
            let digest = usual.as_ref().and_then(|_| digests.next());
            self.blocks += 1;
            self.bytes += section.data.len() as u64;
            let right = match (usual, digest) {
                (Some(usual), Some(digest)) if usual.digest == digest => {
                    self.keys.push(check.keys.key(usual.form(), usual.digest, section.offset));
                    !(check.links && usual.may_link()) || self.scan(check, section, limits)
                }
                (_, digest) => self.other(check, section, digest, limits),
            };
            if right {
                good = Some(section);
            }
        }
        let good = good.and_then(|section| Some((section.offset, section.to_cid()?)));
        self.last_good = good.or(self.last_good);
    }

    /// A block whose CID is not of the usual form, or whose bytes are wrong; whether it is good.
    #[cold]
    fn other(
        &mut self,
        check: &Check<'_>,
        section: &SectionRef<'_>,
        sha2_256: Option<&[u8; 32]>,
        limits: &Limits,
    ) -> bool {
        let Some(cid) = section.to_cid() else { return false };
        self.keys.push(check.keys.of(&cid, section.offset));
        if let Some(why) = wrong_hash(&cid, section.data, sha2_256) {
            self.wrong.push(Wrong { cid, at: section.offset, why });
            return false;
        }
        !(check.links && may_link(&cid)) || self.scan(check, section, limits)
    }

    /// Notes the links of a block; whether they can be read.
    fn scan(&mut self, check: &Check<'_>, section: &SectionRef<'_>, limits: &Limits) -> bool {
        let Some(cid) = section.to_cid() else { return false };
        let why = self.links(check, &cid, section, limits);
        let wrong = why.map(|why| Wrong { cid, at: section.offset, why });
        let right = wrong.is_none();
        self.wrong.extend(wrong);
        right
    }

    fn links(
        &mut self,
        check: &Check<'_>,
        cid: &Cid,
        section: &SectionRef<'_>,
        limits: &Limits,
    ) -> Option<Why> {
        let read = for_each_link(cid, section.data, limits, |link| {
            if !is_identity(&link) {
                self.links.push(check.keys.of(&link, section.offset));
            }
        });
        read.err().map(Why::Undecodable)
    }
}

fn wrong_hash(cid: &Cid, data: &[u8], sha2_256: Option<&[u8; 32]>) -> Option<Why> {
    let claimed = cid.hash().digest();
    if let Some(actual) = sha2_256 {
        debug_assert_eq!(cid.hash().code(), SHA2_256, "lanes are for SHA2-256");
        return (actual != claimed).then(|| Why::Hash(actual.to_vec()));
    }
    match digest(cid.hash().code(), data) {
        None => Some(Why::Unsupported),
        Some(actual) if actual == claimed => None,
        Some(actual) => Some(Why::Hash(actual)),
    }
}
