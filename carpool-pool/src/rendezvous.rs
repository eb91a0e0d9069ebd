//! Weighted rendezvous hashing (Thaler and Ravishankar 1998; the weights of Schindelhauer and Schomaker): the
//! owner of a key is the member with the least `-log(U) / weight`, where `U` is drawn from key and member.
//! All in integers: every party comes to the same owner on every machine.

/// log₂(1 + i/256) in units of 2⁻³²; between two of them a line is off by less than 3 in a million.
const LOG2: [u64; 257] = {
    let mut table = [0; 257];
    let mut i = 0;
    while i <= 256 {
        table[i] = log2_of(256 + i as u64);
        i += 1;
    }
    table
};

/// log₂(n/256) in units of 2⁻³², for n in 256 to 512, by squaring.
const fn log2_of(n: u64) -> u64 {
    let mut x = (n as u128) << 54; // n/256 in units of 2⁻⁶²
    let (mut log, mut bit) = (0, 1_u64 << 32);
    if n == 512 {
        return bit;
    }
    while bit > 1 {
        bit >>= 1;
        x = (x * x) >> 62;
        if x >= 1 << 63 {
            x >>= 1;
            log |= bit;
        }
    }
    log
}

/// -log₂((h + 1) / 2⁶⁴) in units of 2⁻³², at least 1.
#[expect(clippy::cast_possible_truncation, reason = "eight bits are asked for")]
const fn distance(h: u64) -> u64 {
    let h = if h == u64::MAX { h } else { h + 1 };
    let zeros = h.leading_zeros();
    let mantissa = h << zeros;
    let place = ((mantissa >> 55) & 0xff) as usize;
    let (low, high) = (LOG2[place], LOG2[place + 1]);
    let part = (mantissa & ((1 << 55) - 1)) >> 23;
    let fraction = low + ((((high - low) as u128) * part as u128) >> 32) as u64;
    let log = ((63 - zeros as u64) << 32) + fraction;
    let distance = (64_u64 << 32) - log;
    if distance == 0 { 1 } else { distance }
}

/// What mixes a key and a member into a number (the finaliser of SplitMix64).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The place of the member that owns `key`; those that weigh nothing own nothing. `None` where none weighs
/// anything.
pub(crate) fn owner(key: u64, weights: &[u32]) -> Option<usize> {
    let mut best: Option<(u64, u32, usize)> = None;
    for (place, weight) in weights.iter().copied().enumerate().filter(|(_, weight)| *weight > 0) {
        let drawn = distance(mix(key ^ mix(place as u64 + 1)));
        let nearer = best.is_none_or(|(least, of, _)| {
            u128::from(drawn) * u128::from(of) < u128::from(least) * u128::from(weight)
        });
        if nearer {
            best = Some((drawn, weight, place));
        }
    }
    best.map(|(_, _, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    const KEYS: u64 = 20_000;

    fn key(n: u64) -> u64 {
        mix(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn shares(weights: &[u32]) -> Vec<u64> {
        let mut shares = vec![0; weights.len()];
        (0..KEYS).for_each(|n| shares[owner(key(n), weights).expect("somebody")] += 1);
        shares
    }

    #[test]
    fn logarithms_are_right() {
        for (h, expected) in
            [(0, 64.0), (u64::MAX, 0.0), (1 << 63, 1.0), (3 << 62, 0.415_037_5), (5, 61.415_037_5)]
        {
            #[expect(clippy::cast_precision_loss, reason = "to compare")]
            let actual = distance(h) as f64 / 4_294_967_296.0;
            assert!((actual - expected).abs() < 4e-6, "{h}: {actual}, not {expected}");
        }
    }

    #[test]
    fn shares_are_those_of_the_weights_within_three_deviations() {
        for weights in [&[1, 1, 1, 1][..], &[100, 50, 25, 10], &[1, 1000], &[7; 32], &[5, 0, 5]] {
            let total: u64 = weights.iter().copied().map(u64::from).sum();
            for (place, share) in shares(weights).into_iter().enumerate() {
                let mean = KEYS * u64::from(weights[place]) / total;
                let variance = mean * (total - u64::from(weights[place])) / total;
                let off = share.abs_diff(mean);
                assert!(off * off <= 9 * variance + 1, "{weights:?} {place}: {share} of {mean}");
            }
        }
    }

    #[test]
    fn who_leaves_moves_only_what_was_its_own() {
        let (before, after) = ([30, 20, 10, 40], [30, 0, 10, 40]);
        for n in 0..KEYS {
            let (was, is) = (owner(key(n), &before), owner(key(n), &after));
            assert!(was == is || was == Some(1), "{n}: {was:?} to {is:?}");
        }
    }

    #[test]
    fn who_gets_slower_gains_nothing() {
        for n in 0..KEYS {
            let (was, is) = (owner(key(n), &[10, 10, 10]), owner(key(n), &[10, 3, 10]));
            assert!(was == is || was == Some(1));
        }
    }

    #[test]
    fn nobody_owns_where_nobody_weighs() {
        assert_eq!(owner(1, &[]), None);
        assert_eq!(owner(1, &[0, 0]), None);
        assert_eq!(owner(1, &[0, 1]), Some(1));
    }
}
