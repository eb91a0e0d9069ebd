use core::f64::consts::LN_2;

use crate::Error;

/// The largest k of any filter. At 64 hashes a half-full filter errs once in 2^64 queries; more
/// buys nothing but time.
pub const MAX_K: u32 = 64;

/// A quarter of the address space: large enough never to matter, small enough that the number of
/// bits and the next power of two cannot overflow.
const LARGEST: usize = 1 << (usize::BITS - 2);

/// Size and number of hashes of a filter (specification section 3.4.2).
///
/// Sizes chosen here are powers of two, as the specification recommends. Rounding up leaves room
/// to spare, and it is spent on speed: k is the *smallest* number of hashes that reaches the
/// target rate, where k = (m / n) ln 2 would push the rate far below what was asked for at up to
/// four times the work.
///
/// The arithmetic is software floating point: every CPU arrives at the same parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    bytes: usize,
    k: u32,
}

impl Params {
    /// Exactly these parameters: any size from one byte up, k from 1 to [`MAX_K`].
    ///
    /// # Errors
    /// [`Error::Params`] where `bytes` or `k` is out of range.
    pub const fn new(bytes: usize, k: u32) -> Result<Self, Error> {
        if bytes == 0 || bytes > LARGEST || k == 0 || k > MAX_K {
            return Err(Error::Params { bytes, k });
        }
        Ok(Self { bytes, k })
    }

    /// For `n` keys at the rate section 3.4.2 recommends: a tenth of 1/n, and at most 1/1000.
    /// No keys are sized as one.
    ///
    /// ```
    /// # use carpool_bloom::Params;
    /// let params = Params::for_items(10_000);
    /// assert_eq!((params.bytes(), params.k()), (32_768, 11));
    /// ```
    #[must_use]
    pub fn for_items(n: u64) -> Self {
        Self::with_target(n, recommended_fpr(n))
    }

    /// For `n` keys at a false positive rate of at most `fpr`, which is held between 1e-18 and
    /// 1/2. The size follows from `n` alone: for an `n` that a peer chose use
    /// [`Params::fitting`].
    #[must_use]
    pub fn with_target(n: u64, fpr: f64) -> Self {
        Self::fitting(n, fpr, LARGEST)
    }

    /// Like [`Params::with_target`] in at most `max_bytes` (rounded down to a power of two, at
    /// least one byte). Where the target is out of reach, k is the one that comes closest.
    #[must_use]
    pub fn fitting(n: u64, fpr: f64, max_bytes: usize) -> Self {
        let (n, fpr) = (n.max(1), sane(fpr));
        let cap = 1 << max_bytes.clamp(1, LARGEST).ilog2();
        let bytes = optimal_bytes(n, fpr).min(cap).next_power_of_two();
        Self { bytes, k: smallest_k(bytes, n, fpr) }
    }

    /// The size in bytes, m / 8.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The size in bits, m.
    #[must_use]
    pub const fn bits(&self) -> u64 {
        self.bytes as u64 * 8
    }

    /// The number of hashes a key, k.
    #[must_use]
    pub const fn k(&self) -> u32 {
        self.k
    }

    /// The false positive rate expected once `n` keys are in, (1 - e^(-kn/m))^k, from 0 to 1. An
    /// approximation for large m: filters of a few bytes do up to 1.6 times worse.
    #[must_use]
    pub fn predicted_fpr(&self, n: u64) -> f64 {
        predicted_fpr(self.bytes, n, self.k)
    }
}

fn recommended_fpr(n: u64) -> f64 {
    (0.1 / n.max(1) as f64).min(1e-3)
}

fn sane(fpr: f64) -> f64 {
    if fpr.is_nan() { 1e-18 } else { fpr.clamp(1e-18, 0.5) }
}

/// m = -n ln(fpr) / (ln 2)^2, in bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn optimal_bytes(n: u64, fpr: f64) -> usize {
    libm::ceil(n as f64 * libm::log(fpr) / -(LN_2 * LN_2) / 8.0) as usize
}

fn smallest_k(bytes: usize, n: u64, target: f64) -> u32 {
    let rate = |k: &u32| predicted_fpr(bytes, n, *k);
    let closest = || (1..=MAX_K).min_by(|a, b| rate(a).total_cmp(&rate(b)));
    (1..=MAX_K).find(|k| rate(k) <= target).or_else(closest).unwrap_or(1)
}

fn predicted_fpr(bytes: usize, n: u64, k: u32) -> f64 {
    let (m, n, k) = (bytes as f64 * 8.0, n as f64, f64::from(k));
    libm::pow(-libm::expm1(-k * n / m), k)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes are those of `deterministic-bloom` 0.1.0, k is ours.
    #[test]
    fn recommended_sizes() {
        let table = [
            (0, 2, 6),
            (1, 2, 6),
            (3, 8, 4),
            (100, 256, 4),
            (1_000, 4_096, 5),
            (10_000, 32_768, 11),
            (100_000, 524_288, 8),
            (1_000_000, 4_194_304, 23),
        ];
        for (n, bytes, k) in table {
            let params = Params::for_items(n);
            assert_eq!((n, params.bytes(), params.k()), (n, bytes, k));
        }
    }

    #[test]
    fn k_is_the_smallest_that_reaches_the_target() {
        for n in [1, 3, 100, 1_000, 10_000, 100_000, 1_000_000] {
            let Params { bytes, k } = Params::for_items(n);
            assert!(predicted_fpr(bytes, n, k) <= recommended_fpr(n), "n = {n}");
            assert!(k == 1 || predicted_fpr(bytes, n, k - 1) > recommended_fpr(n), "n = {n}");
        }
    }

    #[test]
    fn a_cap_is_kept_and_k_comes_as_close_as_it_can() {
        let at = |max_bytes| Params::fitting(1_000_000, 1e-7, max_bytes);
        assert_eq!((at(4 << 20).bytes(), at(4 << 20).k()), (4 << 20, 23));
        assert_eq!(at((4 << 20) - 1).bytes(), 2 << 20);
        // (m / n) ln 2 = 11.6: out of reach of the target, so the optimum.
        assert_eq!(at(2 << 20).k(), 12);
        assert_eq!((at(0).bytes(), at(0).k()), (1, 1));
    }

    #[test]
    fn hostile_numbers_still_make_parameters() {
        for fpr in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.0, 2.0] {
            for n in [0, 1, u64::MAX] {
                let params = Params::fitting(n, fpr, 1 << 20);
                assert_eq!(Params::new(params.bytes(), params.k()), Ok(params));
                assert!((0.0..=1.0).contains(&params.predicted_fpr(n)));
            }
        }
        assert_eq!(Params::with_target(u64::MAX, 0.0).bytes(), LARGEST);
    }

    #[test]
    fn range_of_explicit_parameters() {
        for (bytes, k) in [(0, 1), (LARGEST + 1, 1), (1, 0), (1, MAX_K + 1)] {
            assert_eq!(Params::new(bytes, k), Err(Error::Params { bytes, k }));
        }
        for (bytes, k) in [(1, 1), (13, 5), (LARGEST, MAX_K)] {
            assert!(Params::new(bytes, k).is_ok());
        }
    }
}
