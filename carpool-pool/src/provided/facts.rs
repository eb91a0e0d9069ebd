use alloc::collections::BTreeSet;

use super::{MAX_FINGERPRINTS, layers::Layers};
use crate::Error;

/// What one source says in one epoch. Every part only grows, and is joined by union, so the whole is.
///
/// Fingerprints are exact but for one chance in 2⁶⁴, cost 8 bytes where a filter at one error in a million costs 3.6, and are
/// the smallest delta there is; a source that promises more than fit goes on in filters, which are full before they
/// err.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) provided: BTreeSet<u64>,
    pub(super) layers: Layers,
    pub(super) lacking: BTreeSet<u64>,
    /// Whether all of it was sent.
    pub(super) done: bool,
}

impl Facts {
    pub(super) fn provides(&self, fingerprint: u64) -> bool {
        self.provided.contains(&fingerprint) || self.layers.contains(fingerprint)
    }

    pub(super) fn len(&self) -> usize {
        self.provided.len() + self.lacking.len()
    }

    /// Fingerprints that both have.
    pub(super) fn in_common(&self, other: &Self) -> usize {
        self.provided.intersection(&other.provided).count()
            + self.lacking.intersection(&other.lacking).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.layers.is_empty() && !self.done
    }

    /// Takes all of `other`, or nothing where that is too much.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), Error> {
        fits(&self.provided, &other.provided)?;
        fits(&self.lacking, &other.lacking)?;
        if !other.layers.is_empty() {
            let mut layers = self.layers.clone();
            layers.union(&other.layers);
            layers.check()?;
            self.layers = layers;
        }
        self.provided.extend(&other.provided);
        self.lacking.extend(&other.lacking);
        self.done |= other.done;
        Ok(())
    }
}

fn fits(ours: &BTreeSet<u64>, theirs: &BTreeSet<u64>) -> Result<(), Error> {
    let new = || theirs.iter().filter(|it| !ours.contains(it)).count();
    let count = (ours.len() + if theirs.is_empty() { 0 } else { new() }) as u64;
    let max = MAX_FINGERPRINTS as u64;
    if count > max { Err(Error::TooMany { what: "fingerprints", count, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts() -> impl Strategy<Value = Facts> {
        let numbers = || prop::collection::btree_set(0_u64..20, 0..8);
        let layered = prop::collection::vec((0_u8..3, any::<u64>()), 0..8);
        (numbers(), numbers(), layered, any::<bool>()).prop_map(
            |(provided, lacking, layered, done)| {
                let mut facts = Facts { provided, lacking, done, ..Facts::default() };
                layered.into_iter().for_each(|(layer, it)| facts.layers.insert(layer, it));
                facts
            },
        )
    }

    fn joined(a: &Facts, b: &Facts) -> Facts {
        let mut both = a.clone();
        both.join(b).expect("within the limits");
        both
    }

    proptest! {
        #[test]
        fn the_laws_of_a_join(a in facts(), b in facts(), c in facts(), n in any::<u64>()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(&joined(&a, &a), &a);
            let both = joined(&a, &b);
            prop_assert_eq!(&joined(&both, &a), &both, "nothing is lost");
            prop_assert!(both.provides(n) || !(a.provides(n) || b.provides(n)));
        }
    }

    #[test]
    fn fingerprints_at_the_limit_and_one_past_it() {
        let of =
            |range: core::ops::Range<u64>| Facts { provided: range.collect(), ..Facts::default() };
        let max = MAX_FINGERPRINTS as u64;
        let mut facts = of(0..max - 1);
        assert_eq!(facts.join(&of(0..max)), Ok(()));
        let before = facts.clone();
        let refused = Error::TooMany { what: "fingerprints", count: max + 1, max };
        assert_eq!(facts.join(&of(max..max + 1)), Err(refused));
        assert_eq!(facts, before);
        let lacking = Facts { lacking: (0..=max).collect(), ..Facts::default() };
        assert!(facts.join(&lacking).is_err());
    }
}
