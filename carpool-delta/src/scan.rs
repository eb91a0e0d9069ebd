use alloc::vec::Vec;
use carpool_core::Bytes;

use crate::{Index, Operation, Spot, index::GRAIN, operation::DIGEST};

/// The fewest bytes worth a copy from elsewhere: inserted they compress to about what it says of the place.
const MIN_FAR: usize = 32;
/// As [`MIN_FAR`], from where the last copy would have gone on.
const MIN_NEAR: usize = 12;

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
        while at + MIN_NEAR <= new.len() {
            let Some(found) = self.look(index, new, inserted, at) else {
                at += 1;
                self.diagonal.at += 1;
                continue;
            };
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

    /// What lies at `at`, where nothing since `inserted` was found.
    #[inline]
    fn look(&self, index: &Index, new: &[u8], inserted: usize, at: usize) -> Option<Match> {
        let here = &new[at..];
        self.look_near(index, here).or_else(|| look_far(index, new, inserted, at))
    }

    #[inline]
    fn look_near(&self, index: &Index, here: &[u8]) -> Option<Match> {
        let old = index.from(self.diagonal);
        if old.first_chunk::<8>() != here.first_chunk() || old.len() < MIN_NEAR {
            return None;
        }
        let len = common(here, old);
        (len >= MIN_NEAR).then_some(Match { from: self.diagonal, before: 0, len })
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

#[inline]
fn look_far(index: &Index, new: &[u8], inserted: usize, at: usize) -> Option<Match> {
    let here = &new[at..];
    if here.len() < GRAIN {
        return None;
    }
    let spot = index.find(here)?;
    measure(index.bases(), spot, new, inserted, at)
}

/// The match at `spot`, in both directions, if it is long enough.
#[inline(never)]
fn measure(
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
