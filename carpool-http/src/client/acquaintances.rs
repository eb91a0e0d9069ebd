//! What clients remember of servers, from transfer to transfer and from process to process.

mod age;
mod record;
mod text;

use carpool_bloom::sketch::Key;
use carpool_core::Cid;
use carpool_mirror::sketch::NamedKey;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::chance::secret;
use age::{Dated, Seconds};
use record::Record;

pub(super) use age::now;

/// What clients remember of the servers that they have spoken to, by base URL:
///
/// * whether a server reads the extension;
/// * the round trip and the rate that were measured last, each for [`LIFE_SECONDS`](Self::LIFE_SECONDS);
/// * keys of sketches, what it gave for pulls and what was drawn for pushes, for an hour or until
///   something did not decode;
/// * whether it takes pushes with deltas, and in zstd;
/// * how many blocks were missing the last time, for each [name](super::ClientOptions::name), and the root that it
///   acknowledged to have under it.
///
/// Clones share what they know: who makes many clients gives a clone to each of them. All of it is
/// hints: what is wrong or forgotten costs bytes or a round trip. **Keys are secrets**, of the
/// server's as well as of one's own, so [`encode`](Self::encode) is for the eyes of one user.
#[derive(Clone, Default)]
pub struct Acquaintances(Arc<Mutex<Vec<Record>>>);

impl fmt::Debug for Acquaintances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acquaintances({})", self.lock().len())
    }
}

impl Acquaintances {
    /// Servers that are remembered: the one that was spoken to longest ago goes.
    pub const MAX_SERVERS: usize = 64;
    /// Names of one server whose last change is remembered: the one used longest ago goes.
    pub const MAX_NAMES: usize = 64;
    /// Bytes of a name that is remembered; longer ones are not.
    pub const MAX_NAME_BYTES: usize = 255;
    /// Bytes of [`encode`](Self::encode), and of what [`decode`](Self::decode) looks at.
    pub const MAX_BYTES: usize = 256 << 10;
    /// How long it is remembered what a server reads and what the path to it is, in seconds: a week.
    pub const LIFE_SECONDS: u64 = 7 * 24 * 3600;

    /// What [`encode`](Self::encode) wrote. What is damaged, longer than
    /// [`MAX_BYTES`](Self::MAX_BYTES) or of another version is as if nothing was known.
    #[must_use]
    pub fn decode(text: &[u8]) -> Self {
        let short = Some(text).filter(|text| text.len() <= Self::MAX_BYTES);
        let mut records = short.and_then(text::decode).unwrap_or_default();
        records.drain(..records.len().saturating_sub(Self::MAX_SERVERS));
        Self(Arc::new(Mutex::new(records)))
    }

    /// All that is known, as JSON of at most [`MAX_BYTES`](Self::MAX_BYTES) bytes; where there is
    /// more, of the servers that were spoken to last. A server whose URL has a password in it is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        text::encode(&self.lock(), Self::MAX_BYTES)
    }

    /// Whether the server reads the extension, where that is known.
    pub(super) fn reads(&self, base: &str, now: Seconds) -> Option<bool> {
        self.look(base, |record| record.reads?.fresh(now, Self::LIFE_SECONDS))
    }

    pub(super) fn note_reads(&self, base: &str, reads: bool, now: Seconds) {
        self.with(base, |record| record.reads = Some(Dated::new(reads, now)));
    }

    /// Whether the server takes pushes with deltas, where that is known.
    pub(super) fn takes_deltas(&self, base: &str, now: Seconds) -> Option<bool> {
        self.look(base, |record| record.takes_deltas?.fresh(now, Self::LIFE_SECONDS))
    }

    pub(super) fn note_takes_deltas(&self, base: &str, takes: bool, now: Seconds) {
        self.with(base, |record| record.takes_deltas = Some(Dated::new(takes, now)));
    }

    /// Whether the server takes CARs in zstd, where that is known.
    pub(super) fn takes_zstd(&self, base: &str, now: Seconds) -> Option<bool> {
        self.look(base, |record| record.takes_zstd?.fresh(now, Self::LIFE_SECONDS))
    }

    pub(super) fn note_takes_zstd(&self, base: &str, takes: bool, now: Seconds) {
        self.with(base, |record| record.takes_zstd = Some(Dated::new(takes, now)));
    }

    /// The root that the server acknowledged last to have under a name.
    pub(super) fn acknowledged(&self, base: &str, name: &str) -> Option<Cid> {
        self.look(base, |record| record.acknowledged(name))
    }

    pub(super) fn note_acknowledged(&self, base: &str, name: &str, root: Cid) {
        if name.len() <= Self::MAX_NAME_BYTES {
            self.with(base, |record| record.note_acknowledged(name, root, Self::MAX_NAMES));
        }
    }

    /// The round trip in microseconds, as it was measured last.
    pub(super) fn round_trip(&self, base: &str, now: Seconds) -> Option<u64> {
        self.look(base, |record| record.round_trip?.fresh(now, Self::LIFE_SECONDS))
    }

    pub(super) fn note_round_trip(&self, base: &str, micros: u64, now: Seconds) {
        self.with(base, |record| record.round_trip = Some(Dated::new(micros, now)));
    }

    /// Bytes a second of a long body, as they were measured last.
    pub(super) fn rate(&self, base: &str, now: Seconds) -> Option<u64> {
        self.look(base, |record| record.rate?.fresh(now, Self::LIFE_SECONDS))
    }

    pub(super) fn note_rate(&self, base: &str, bytes_per_second: u64, now: Seconds) {
        self.with(base, |record| record.rate = Some(Dated::new(bytes_per_second, now)));
    }

    /// Blocks that were missing the last time under this name.
    pub(super) fn change(&self, base: &str, name: &str) -> Option<u64> {
        self.look(base, |record| record.change(name))
    }

    pub(super) fn note_change(&self, base: &str, name: &str, blocks: u64) {
        if name.len() <= Self::MAX_NAME_BYTES {
            self.with(base, |record| record.note_change(name, blocks, Self::MAX_NAMES));
        }
    }

    /// Notes a key that the server gave; one that is in use stays in use.
    pub(super) fn give_key(&self, base: &str, named: NamedKey, now: Seconds) {
        self.with(base, |record| {
            let in_use = record.given.filter(|given| given.fresh(now, KEY_LIFE).is_some());
            record.given = in_use.or_else(|| Some(Dated::new(named, now)));
        });
    }

    /// Notes a key that the server gave in place of another.
    pub(super) fn replace_key(&self, base: &str, named: NamedKey, now: Seconds) {
        self.with(base, |record| record.given = Some(Dated::new(named, now)));
    }

    /// The key that the server gave.
    pub(super) fn given_key(&self, base: &str, now: Seconds) -> Option<NamedKey> {
        self.look(base, |record| record.given?.fresh(now, KEY_LIFE))
    }

    /// The key for pushes to the server; `None` where chance has none to give.
    pub(super) fn drawn_key(&self, base: &str, now: Seconds) -> Option<NamedKey> {
        self.with(base, |record| {
            let known = record.drawn.filter(|drawn| drawn.fresh(now, KEY_LIFE).is_some());
            record.drawn = known.or_else(|| Some(Dated::new(draw()?, now)));
            record.drawn?.fresh(now, KEY_LIFE)
        })
    }

    /// Does not use this key any more: it is not known there, or something did not decode.
    pub(super) fn drop_key(&self, base: &str, number: u64) {
        self.with(base, |record| {
            for key in [&mut record.given, &mut record.drawn] {
                *key = key.filter(|dated| dated.value.number != number);
            }
        });
    }

    fn look<T>(&self, base: &str, look: impl FnOnce(&Record) -> Option<T>) -> Option<T> {
        self.lock().iter().find(|record| record.base == base).and_then(look)
    }

    fn with<T>(&self, base: &str, work: impl FnOnce(&mut Record) -> T) -> T {
        let mut records = self.lock();
        let known = records.iter().position(|record| record.base == base);
        let mut record = known.map_or_else(|| Record::new(base), |at| records.remove(at));
        if records.len() >= Self::MAX_SERVERS {
            records.remove(0);
        }
        let done = work(&mut record);
        records.push(record);
        done
    }

    // Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a key is used, in seconds.
const KEY_LIFE: u64 = 3600;

fn draw() -> Option<NamedKey> {
    // Numbers are to differ, and short ones are shorter in each message.
    let number = u16::from_le_bytes(secret()?).into();
    Some(NamedKey { number, key: Key::new(secret()?) })
}

#[cfg(test)]
mod tests;
