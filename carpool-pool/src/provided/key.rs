use carpool_core::Cid;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::SESSION_BYTES;

/// Bytes by which a message names its session: a digest, which does not tell the session's name.
pub const SESSION_ID_BYTES: usize = 16;
/// Bytes by which a message shows that who made it knows the session's name.
pub const MAC_BYTES: usize = 32;

const ID: &str = "carpool-pool 2026-11 name of a session";
const MAC: &str = "carpool-pool 2026-11 messages of a session";
const FINGERPRINT: &str = "carpool-pool 2026-11 fingerprints of a session";

/// What follows from a session's name: what is said in public in its place, and the keys of its members.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    id: [u8; SESSION_ID_BYTES],
    mac: [u8; 32],
    fingerprint: [u8; 32],
}

impl SessionKey {
    /// The keys of the session of this name.
    #[must_use]
    pub fn new(session: &[u8; SESSION_BYTES]) -> Self {
        let (id, _) = derive(ID, session);
        let join = |(low, high): ([u8; 16], [u8; 16])| {
            let mut both = [0; 32];
            both[..16].copy_from_slice(&low);
            both[16..].copy_from_slice(&high);
            both
        };
        Self {
            id,
            mac: join(derive(MAC, session)),
            fingerprint: join(derive(FINGERPRINT, session)),
        }
    }

    /// What names the session to those who know it.
    #[must_use]
    pub const fn id(&self) -> &[u8; SESSION_ID_BYTES] {
        &self.id
    }

    pub(super) fn mac(&self, message: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.mac, message)
    }

    /// The seed of an epoch's fingerprints: a block that is hidden by chance in one is not in the next.
    pub(super) fn seed(&self, epoch: u32) -> u64 {
        let hash = blake3::keyed_hash(&self.fingerprint, &epoch.to_le_bytes());
        let (low, _) = hash.as_bytes().split_first_chunk().expect("32 bytes have 8");
        u64::from_le_bytes(*low)
    }
}

/// Of CIDs of one multihash the same: they name the same bytes, which are sent once.
pub(super) fn fingerprint(seed: u64, cid: &Cid) -> u64 {
    xxh3_64_with_seed(cid.hash().digest(), seed)
}

fn derive(context: &str, session: &[u8; SESSION_BYTES]) -> ([u8; 16], [u8; 16]) {
    let key = blake3::derive_key(context, session);
    let (low, high) = key.split_at(16);
    (low.try_into().expect("half of 32"), high.try_into().expect("half of 32"))
}

/// Keys are nobody's to read in a log.
impl core::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SessionKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, codec};

    #[test]
    fn epochs_and_sessions_have_fingerprints_of_their_own() {
        let cid = *Block::new(codec::RAW, "a".into()).cid();
        let of = |session, epoch| fingerprint(SessionKey::new(&[session; 16]).seed(epoch), &cid);
        assert_eq!(of(1, 0), of(1, 0));
        assert!(of(1, 0) != of(1, 1) && of(1, 0) != of(2, 0));
    }

    #[test]
    fn what_is_said_in_public_is_not_the_name() {
        let (one, other) = (SessionKey::new(&[1; 16]), SessionKey::new(&[2; 16]));
        assert!(one.id() != other.id() && one.id() != &[1; 16]);
        assert!(one.mac(b"x") != other.mac(b"x"));
    }
}
