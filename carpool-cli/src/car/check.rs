//! What the threads of a check make of each block: its hash, its links, and a short key by which
//! it is compared with all others.

use carpool_car::{
    SectionRef,
    check::{Finding, Key, Keys, for_each_stored_link},
};
use carpool_core::{Cid, Limits, SHA2_256, Version, digest, may_link};
use carpool_hash::sha2_256_into;

use super::{args::ReadFlags, batches::Window};

/// What a window came to.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// What is wrong with blocks, at offsets from the start of the CARv1.
    pub(crate) wrong: Vec<Finding>,
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
    version: Version,
    digest: &'a [u8],
}

impl<'a> Usual<'a> {
    #[inline]
    fn of(cid: &'a [u8]) -> Option<Self> {
        let (codec, version, digest) = match cid {
            [0x12, 0x20, digest @ ..] => (0x70, Version::V0, digest),
            [1, codec @ 0..0x80, 0x12, 0x20, digest @ ..] => (*codec, Version::V1, digest),
            _ => return None,
        };
        (digest.len() == 32).then_some(Self { codec, version, digest })
    }

    #[inline]
    fn key(&self, keys: &Keys, offset: u64) -> Key {
        keys.sha2_256(self.version, self.codec.into(), self.digest, offset)
    }

    const fn may_link(&self) -> bool {
        matches!(self.codec, 0x70 | 0x71)
    }
}

impl Checked {
    /// The first block with wrong bytes, or of an unknown hash function: where its section begins,
    /// and its CID.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are not about hashes")]
    pub(crate) fn first_wrong(&self) -> Option<(u64, Cid)> {
        self.wrong.iter().find_map(|wrong| match wrong {
            Finding::Hash { offset, cid, .. } | Finding::UnknownHash { offset, cid, .. } => {
                Some((*offset, *cid))
            }
            _ => None,
        })
    }

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
                    self.keys.push(usual.key(check.keys, section.offset));
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
        let (key, offset) = (check.keys.block(&cid, section.offset), section.offset);
        let links = check.links && may_link(&cid);
        match wrong_hash(&cid, section.data, sha2_256) {
            Ok(()) => {
                self.keys.push(key);
                !links || self.scan(check, section, limits)
            }
            Err(Some(actual)) => {
                self.keys.push(key.wrong());
                self.wrong.push(Finding::Hash { offset, cid, actual });
                false
            }
            Err(None) => {
                self.keys.push(key);
                let code = cid.hash().code();
                self.wrong.push(Finding::UnknownHash { offset, cid, code });
                // It may be what it says all the same.
                if links {
                    self.scan(check, section, limits);
                }
                false
            }
        }
    }

    /// Notes the links of a block; whether they can be read.
    fn scan(&mut self, check: &Check<'_>, section: &SectionRef<'_>, limits: &Limits) -> bool {
        let Some(cid) = section.to_cid() else { return false };
        let offset = section.offset;
        let read = for_each_stored_link(&cid, section.data, limits, |link| {
            self.links.push(check.keys.link(&link, offset));
        });
        let wrong = read.err().map(|fault| Finding::Undecodable { offset, cid, fault });
        let right = wrong.is_none();
        self.wrong.extend(wrong);
        right
    }
}

/// The digest that the bytes have; none where the hash function is not known here.
fn wrong_hash(cid: &Cid, data: &[u8], sha2_256: Option<&[u8; 32]>) -> Result<(), Option<Vec<u8>>> {
    let claimed = cid.hash().digest();
    if let Some(actual) = sha2_256 {
        debug_assert_eq!(cid.hash().code(), SHA2_256, "lanes are for SHA2-256");
        return if actual == claimed { Ok(()) } else { Err(Some(actual.to_vec())) };
    }
    match digest(cid.hash().code(), data) {
        Some(actual) if actual == claimed => Ok(()),
        actual => Err(actual),
    }
}
