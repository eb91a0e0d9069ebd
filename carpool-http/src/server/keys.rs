use carpool_bloom::sketch::Key;
use carpool_core::sha2_256;
use carpool_mirror::sketch::NamedKey;
use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::chance::secret;

/// The keys of sketches that a server draws for those who pull from it: one for each answer that
/// brings one.
///
/// None is kept. A key follows from its number and a secret of the process, and a number has its age and
/// a mark that only the secret makes. So no number of clients costs memory or drives out the
/// keys of others, and what was not drawn here, or a life of keys ago, is known as such.
pub(super) struct Keys {
    secret: [u8; 32],
    begun: Instant,
    life: Duration,
    next: AtomicU32,
}

impl Keys {
    /// `life` is how long a key is good at least; at most it is twice that.
    pub(super) fn new(life: Duration) -> Option<Self> {
        let next = AtomicU32::new(u32::from_le_bytes(secret()?));
        Some(Self { secret: secret()?, begun: Instant::now(), life, next })
    }

    /// A key that nobody was given before.
    pub(super) fn draw(&self, now: Instant) -> NamedKey {
        let [a, b, c, _] = self.next.fetch_add(1, Relaxed).to_le_bytes();
        let [young, old] = self.age(now).to_le_bytes();
        let begin = [young, old, a, b, c];
        let (key, [d, e, f]) = self.of(begin);
        NamedKey { number: u64::from_le_bytes([young, old, a, b, c, d, e, f]), key }
    }

    /// The key of a number that was drawn here and is not too old.
    pub(super) fn find(&self, number: u64, now: Instant) -> Option<NamedKey> {
        let [young, old, a, b, c, mark @ ..] = number.to_le_bytes();
        let (key, expected) = self.of([young, old, a, b, c]);
        let age = self.age(now).wrapping_sub(u16::from_le_bytes([young, old]));
        (mark == expected && age <= 1).then_some(NamedKey { number, key })
    }

    /// Lives of keys that have passed.
    fn age(&self, now: Instant) -> u16 {
        let (passed, life) = (now.duration_since(self.begun), self.life.as_nanos().max(1));
        u16::try_from(passed.as_nanos() / life % (1 << 16)).expect("a remainder")
    }

    fn of(&self, begin: [u8; 5]) -> (Key, [u8; 3]) {
        let digest = sha2_256(&[&self.secret[..], &begin].concat());
        let (mut key, mut mark) = ([0; 16], [0; 3]);
        key.copy_from_slice(&digest[..16]);
        mark.copy_from_slice(&digest[16..19]);
        (Key::new(key), mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_key_is_good_for_a_life_and_not_for_two() {
        let keys = Keys::new(HOUR).expect("a system with a source of chance");
        let begun = keys.begun;
        let drawn = keys.draw(begun + HOUR / 2);
        for (passed, good) in [(HOUR / 2, true), (HOUR * 2 - HOUR / 100, true), (HOUR * 2, false)] {
            let found = keys.find(drawn.number, begun + passed);
            assert_eq!(found, good.then_some(drawn), "{passed:?}");
        }
    }

    #[test]
    fn keys_differ_and_others_are_not_known() {
        let keys = [(); 2].map(|()| Keys::new(HOUR).expect("chance"));
        let now = keys[0].begun;
        let [one, two] = [(); 2].map(|()| keys[0].draw(now));
        assert!(one.number != two.number && one.key != two.key);
        assert_eq!(keys[0].find(one.number, now), Some(one));
        assert_eq!(keys[1].find(one.number, keys[1].begun), None, "another process");
        for bit in 0..64 {
            assert_eq!(keys[0].find(one.number ^ 1 << bit, now), None, "bit {bit}");
        }
    }
}
