use carpool_bloom::sketch::Key;
use carpool_mirror::sketch::NamedKey;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::chance::secret;

/// Keys of sketches, which a client and each server that it speaks to use for an hour: what it was
/// given, for pulls, and what it drew, for pushes.
///
/// A client is for one transfer. Who makes many of them, gives them all a clone of the same keys: a server keeps the
/// sketches under the last ones of its clients.
#[derive(Clone, Debug, Default)]
pub struct SketchKeys(Arc<Mutex<Vec<Peer>>>);

/// How long a key is used.
const LIFE: Duration = Duration::from_secs(3600);
/// Servers whose keys are kept.
const MAX_PEERS: usize = 64;

#[derive(Debug, Default)]
struct Peer {
    base: String,
    given: Option<Dated>,
    drawn: Option<Dated>,
}

#[derive(Clone, Copy, Debug)]
struct Dated(NamedKey, Instant);

impl Dated {
    fn fresh(self, now: Instant) -> Option<NamedKey> {
        (now.duration_since(self.1) < LIFE).then_some(self.0)
    }
}

impl SketchKeys {
    /// Notes a key that the server gave; one that is in use stays in use.
    pub(super) fn give(&self, base: &str, named: NamedKey, now: Instant) {
        self.with(base, |peer| {
            let known = peer.given.and_then(|given| given.fresh(now));
            peer.given = if known.is_some() { peer.given } else { Some(Dated(named, now)) };
        });
    }

    /// Notes a key that the server gave in place of another.
    pub(super) fn replace(&self, base: &str, named: NamedKey, now: Instant) {
        self.with(base, |peer| peer.given = Some(Dated(named, now)));
    }

    /// The key that the server gave.
    pub(super) fn given(&self, base: &str, now: Instant) -> Option<NamedKey> {
        self.with(base, |peer| peer.given.and_then(|given| given.fresh(now)))
    }

    /// The key for pushes to the server; `None` where chance has none to give.
    pub(super) fn drawn(&self, base: &str, now: Instant) -> Option<NamedKey> {
        self.with(base, |peer| {
            let known = peer.drawn.and_then(|drawn| drawn.fresh(now));
            let named = known.or_else(draw)?;
            if known.is_none() {
                peer.drawn = Some(Dated(named, now));
            }
            Some(named)
        })
    }

    /// Does not use this key any more: it is not known there, or something did not decode.
    pub(super) fn drop_key(&self, base: &str, number: u64) {
        self.with(base, |peer| {
            for key in [&mut peer.given, &mut peer.drawn] {
                *key = key.filter(|Dated(named, _)| named.number != number);
            }
        });
    }

    fn with<T>(&self, base: &str, work: impl FnOnce(&mut Peer) -> T) -> T {
        let mut peers = self.lock();
        let peer = match peers.iter().position(|peer| peer.base == base) {
            Some(at) => peers.remove(at),
            None => Peer { base: base.to_owned(), ..Peer::default() },
        };
        if peers.len() >= MAX_PEERS {
            peers.remove(0);
        }
        peers.push(peer);
        let last = peers.len() - 1;
        work(&mut peers[last])
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw() -> Option<NamedKey> {
    // Numbers are to differ, and short ones are shorter in each message.
    let number = u16::from_le_bytes(secret()?).into();
    Some(NamedKey { number, key: Key::new(secret()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn named(number: u64) -> NamedKey {
        NamedKey { number, key: Key::new([1; 16]) }
    }

    #[test]
    fn a_key_is_used_for_an_hour_and_no_longer() {
        let (keys, begun) = (SketchKeys::default(), Instant::now());
        keys.give("a", named(1), begun);
        let drawn = keys.drawn("a", begun).expect("chance");
        let later = begun + LIFE - SECOND;
        keys.give("a", named(2), later);
        assert_eq!(keys.given("a", later), Some(named(1)), "the one in use stays");
        assert_eq!(keys.drawn("a", later), Some(drawn));
        assert_eq!(keys.given("a", begun + LIFE), None);
        assert_ne!(keys.drawn("a", begun + LIFE), Some(drawn));
        keys.give("a", named(3), begun + LIFE);
        assert_eq!(keys.given("a", begun + LIFE), Some(named(3)));
    }

    #[test]
    fn each_server_has_its_own_and_clones_share_them() {
        let (keys, now) = (SketchKeys::default(), Instant::now());
        let clone = keys.clone();
        clone.give("a", named(1), now);
        assert_eq!((keys.given("a", now), clone.given("b", now)), (Some(named(1)), None));
        assert_ne!(keys.drawn("a", now), keys.drawn("b", now));
        keys.drop_key("b", 1);
        assert_eq!(keys.given("a", now), Some(named(1)));
        keys.drop_key("a", 1);
        assert_eq!(keys.given("a", now), None);
    }

    #[test]
    fn servers_at_the_limit_and_past_it() {
        let (keys, now) = (SketchKeys::default(), Instant::now());
        let give = |n: usize| keys.give(&n.to_string(), named(1), now);
        (0..MAX_PEERS).for_each(give);
        assert!(keys.given("0", now).is_some(), "used last now");
        give(MAX_PEERS);
        assert!(keys.given("1", now).is_none() && keys.given("0", now).is_some());
        assert_eq!(keys.lock().len(), MAX_PEERS);
    }
}
