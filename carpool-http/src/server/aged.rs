//! What a server keeps for those who may come back.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::{Duration, Instant},
};

/// A map that is bounded: by what its entries weigh, whatever that is counted in, and by their age.
/// Where there is no room the oldest go. An entry's age counts from its insertion: to be found does not
/// make it younger.
///
/// Each call is told the time, which does not go back; what is too old is dropped then, and never given
/// out.
#[derive(Debug)]
pub(super) struct AgedMap<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Oldest first.
    ages: BTreeMap<u64, K>,
    next: u64,
    weight: usize,
    max_weight: usize,
    max_age: Duration,
    evicted: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    since: Instant,
    place: u64,
}

impl<K: Copy + Eq + Hash, V> AgedMap<K, V> {
    /// A map of entries that weigh at most `max_weight` together and are younger than `max_age`.
    pub(super) fn new(max_weight: usize, max_age: Duration) -> Self {
        let (entries, ages) = (HashMap::new(), BTreeMap::new());
        Self { entries, ages, next: 0, weight: 0, max_weight, max_age, evicted: 0 }
    }

    /// Keeps a value, in place of what was kept under its key. One that is heavier than the limit is
    /// dropped, and drives out nothing.
    pub(super) fn insert(&mut self, key: K, value: V, weight: usize, now: Instant) {
        self.remove(&key, now);
        let Some(room) = self.max_weight.checked_sub(weight) else { return };
        self.lighten(room);
        let place = self.next;
        self.next += 1;
        self.weight += weight;
        self.ages.insert(place, key);
        self.entries.insert(key, Entry { value, weight, since: now, place });
    }

    pub(super) fn get(&mut self, key: &K, now: Instant) -> Option<&V> {
        self.forget_old(now);
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn remove(&mut self, key: &K, now: Instant) -> Option<V> {
        self.forget_old(now);
        self.take(key)
    }

    /// Drops what is too old.
    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some((key, since)) = self.oldest() {
            if now.duration_since(since) < self.max_age {
                return;
            }
            self.evict(&key);
        }
    }

    /// Drops the oldest until the others weigh at most `most`.
    pub(super) fn lighten(&mut self, most: usize) {
        while let Some((key, _)) = self.oldest().filter(|_| self.weight > most) {
            self.evict(&key);
        }
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What they weigh.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// How many were dropped so far, for their age or for room.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn oldest(&self) -> Option<(K, Instant)> {
        let key = *self.ages.first_key_value()?.1;
        self.entries.get(&key).map(|entry| (key, entry.since))
    }

    fn evict(&mut self, key: &K) {
        self.evicted += u64::from(self.take(key).is_some());
    }

    fn take(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.ages.remove(&entry.place);
        self.weight -= entry.weight;
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(60);
    const TICK: Duration = Duration::from_nanos(1);

    /// A map with the keys 1, 2 and 3, each of weight 10, that has room for no more.
    fn full(now: Instant) -> AgedMap<u64, &'static str> {
        let mut map = AgedMap::new(30, AGE);
        for (key, value) in [(1, "one"), (2, "two"), (3, "three")] {
            map.insert(key, value, 10, now);
        }
        map
    }

    fn keys(map: &mut AgedMap<u64, &'static str>, now: Instant) -> Vec<u64> {
        (0..10).filter(|key| map.get(key, now).is_some()).collect()
    }

    #[test]
    fn weight_at_the_limit_and_one_past_it() {
        let now = Instant::now();
        let mut map = full(now);
        assert_eq!((keys(&mut map, now), map.weight()), (vec![1, 2, 3], 30));
        map.insert(4, "four", 1, now);
        assert_eq!((keys(&mut map, now), map.weight()), (vec![2, 3, 4], 21), "the oldest went");
        map.insert(5, "five", 30, now);
        assert_eq!((keys(&mut map, now), map.weight()), (vec![5], 30), "as many as have to");
        map.insert(6, "six", 31, now);
        assert_eq!((keys(&mut map, now), map.evicted()), (vec![5], 4), "too heavy for any room");
    }

    #[test]
    fn age_at_the_limit_and_one_past_it() {
        let begun = Instant::now();
        let mut map = full(begun);
        let (last, late) = (begun + AGE - TICK, begun + AGE);
        assert_eq!(keys(&mut map, last), [1, 2, 3]);
        map.insert(2, "again", 10, last);
        assert_eq!(map.get(&2, late), Some(&"again"), "its age counts anew");
        assert_eq!((map.len(), map.weight(), map.evicted()), (1, 10, 2));
        assert_eq!(map.remove(&2, last + AGE), None, "what is too old is not given out");
        assert_eq!((map.weight(), map.evicted()), (0, 3));
    }

    #[test]
    fn to_be_found_makes_nothing_younger() {
        let now = Instant::now();
        let mut map = full(now);
        assert_eq!(map.get(&1, now), Some(&"one"));
        map.insert(4, "four", 10, now);
        assert_eq!(keys(&mut map, now), [2, 3, 4]);
    }

    #[test]
    fn what_is_taken_or_replaced_leaves_its_room_and_counts_as_no_eviction() {
        let now = Instant::now();
        let mut map = full(now);
        assert_eq!((map.remove(&1, now), map.remove(&1, now)), (Some("one"), None));
        map.insert(2, "heavier", 20, now);
        assert_eq!((keys(&mut map, now), map.weight(), map.evicted()), (vec![2, 3], 30, 0));
        map.insert(4, "four", 10, now);
        assert_eq!(keys(&mut map, now), [2, 4], "what was replaced is younger");
        map.insert(4, "too heavy", 31, now);
        assert_eq!(keys(&mut map, now), [2], "what is not kept is not what was kept before");
    }

    #[test]
    fn it_is_lightened_from_the_oldest_on() {
        for (most, left) in [(30, vec![1, 2, 3]), (29, vec![2, 3]), (9, vec![])] {
            let now = Instant::now();
            let mut map = full(now);
            map.lighten(most);
            assert_eq!(keys(&mut map, now), left, "{most}");
        }
    }

    #[test]
    fn without_room_or_time_nothing_is_kept() {
        let now = Instant::now();
        for (max_weight, max_age) in [(0, AGE), (30, Duration::ZERO)] {
            let mut map = AgedMap::new(max_weight, max_age);
            map.insert(1, "one", 1, now);
            assert_eq!(map.get(&1, now), None);
        }
    }
}
