use alloc::vec::Vec;
use carpool_core::Bytes;

use crate::{Index, Operation, Spot, index::GRAIN, operation::DIGEST};

/// The fewest bytes worth a copy from elsewhere: inserted they compress to about what it says of the place.
const MIN_FAR: usize = 32;
/// As [`MIN_FAR`], from where the last copy would have gone on.
const MIN_NEAR: usize = 12;
/// Bytes that are compared at a time.
const EIGHT: usize = 8;

/// Finds in new bytes what lies in old ones.
///
/// It goes on where it was from block to block of a file, so that a match runs on beyond a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scanner {
    /// Where in the old bytes it would go on if nothing had changed since the last copy.
    diagonal: Spot,
}

/// A match: so many bytes before and from the position that was looked at.
struct Match {
    from: Spot,
    before: usize,
    len: usize,
}

impl Scanner {
    /// Appends the operations that make `new` to `operations`, and what they insert to `literals`.
    pub fn scan(
        &mut self,
        index: &Index,
        new: &[u8],
        operations: &mut Vec<Operation>,
        literals: &mut Vec<u8>,
    ) {
        let (mut at, mut inserted) = (0, 0);
        while let Some((skipped, found)) = self.search(index, new, inserted, at) {
            at += skipped;
            insert(&new[inserted..at - found.before], operations, literals);
            at += self.copy(index, &new[at..], &found, operations);
            inserted = at;
        }
        self.diagonal.at += new.len() - at;
        insert(&new[inserted..], operations, literals);
    }

    /// Takes the hash of a waiting block, in whose place the old bytes have another.
    pub fn take(&mut self, number: u64, operations: &mut Vec<Operation>) {
        operations.push(Operation::Take(number));
        self.diagonal.at += DIGEST;
    }

    /// The first match from `at` on, and how far on, where nothing since `inserted` was found.
    fn search(
        &self,
        index: &Index,
        new: &[u8],
        inserted: usize,
        at: usize,
    ) -> Option<(usize, Match)> {
        let old = index.from(self.diagonal);
        for (n, grain) in new[at..].windows(GRAIN).enumerate() {
            let near = old.get(n..).unwrap_or(&[]).first_chunk::<EIGHT>();
            if near.is_some()
                && near == grain.first_chunk()
                && let Some(found) = self.measure_near(&new[at + n..], &old[n..], n)
            {
                return Some((n, found));
            }
            if let Some(spot) = index.find(grain)
                && let Some(found) = measure_far(index.bases(), spot, new, inserted, at + n)
            {
                return Some((n, found));
            }
        }
        self.search_end(new, old, at)
    }

    /// As [`search`](Self::search), in the last bytes, which make no grain.
    fn search_end(&self, new: &[u8], old: &[u8], at: usize) -> Option<(usize, Match)> {
        let first = (new.len() - at).saturating_sub(GRAIN - 1);
        (first..new.len() - at).find_map(|n| {
            let found = self.measure_near(&new[at + n..], old.get(n..)?, n)?;
            Some((n, found))
        })
    }

    /// The match `n` bytes further on than the diagonal, if it is long enough.
    #[inline(never)]
    fn measure_near(&self, here: &[u8], old: &[u8], n: usize) -> Option<Match> {
        let len = common(here, old);
        let from = Spot { at: self.diagonal.at + n, ..self.diagonal };
        (len >= MIN_NEAR).then_some(Match { from, before: 0, len })
    }

    /// Copies what was found, as far as it goes through base after base; returns how many bytes of
    /// `here` that is.
    fn copy(
        &mut self,
        index: &Index,
        here: &[u8],
        found: &Match,
        operations: &mut Vec<Operation>,
    ) -> usize {
        let Match { from, before, len } = *found;
        operations.push(Operation::Copy { from, len: before + len });
        let (mut spot, mut at) = (Spot { at: from.at + before + len, ..from }, len);
        while index.from(spot).is_empty() && spot.base + 1 < index.bases().len() {
            spot = Spot { base: spot.base + 1, at: 0 };
            let len = common(&here[at..], index.from(spot));
            if len > 0 {
                operations.push(Operation::Copy { from: spot, len });
            }
            (spot.at, at) = (len, at + len);
        }
        self.diagonal = spot;
        at
    }
}

/// The match at `spot`, in both directions, if it is long enough.
#[inline(never)]
fn measure_far(
    bases: &[Bytes],
    spot: Spot,
    new: &[u8],
    inserted: usize,
    at: usize,
) -> Option<Match> {
    let base = &bases[spot.base];
    let len = common(&new[at..], &base[spot.at..]);
    let before = common_end(&new[inserted..at], &base[..spot.at]);
    // At the end of a base the match may go on in the next one.
    let long = before + len >= MIN_FAR || (len >= GRAIN && spot.at + len == base.len());
    let from = Spot { at: spot.at - before, ..spot };
    (len >= GRAIN && long).then_some(Match { from, before, len })
}

fn insert(bytes: &[u8], operations: &mut Vec<Operation>, literals: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    literals.extend_from_slice(bytes);
    match operations.last_mut() {
        Some(Operation::Insert(n)) => *n += bytes.len(),
        _ => operations.push(Operation::Insert(bytes.len())),
    }
}

/// How many bytes two slices begin with together.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let ((wide_a, _), (wide_b, _)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let same = wide_a.iter().zip(wide_b).take_while(|(a, b)| a == b).count() * 32;
    let tail = a[same..].iter().zip(&b[same..]);
    same + tail.take_while(|(a, b)| a == b).count()
}

/// How many bytes two slices end with together.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}
