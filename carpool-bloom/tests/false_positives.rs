//! Absent keys are claimed as rarely as was asked for.

use carpool_bloom::{Filter, Params};

const PROBES: u32 = 200_000;

fn key(i: u64) -> [u8; 36] {
    let mut key = [0x55; 36];
    key[28..].copy_from_slice(&i.to_le_bytes());
    key
}

#[test]
fn measured_rate_at_n_keys_is_within_the_target() {
    for (n, target) in [(1_000, 1e-2), (10_000, 1e-2), (10_000, 1e-3), (100_000, 1e-3)] {
        let params = Params::with_target(n, target);
        let mut filter = Filter::new(params);
        filter.insert_all((0..n).map(key));
        let claimed = (n..n + u64::from(PROBES)).filter(|i| filter.contains(&key(*i))).count();
        let expected = params.predicted_fpr(n) * f64::from(PROBES);
        // Keys and so the count are fixed; four standard deviations leave room for their choice.
        let most = expected + 4.0 * expected.sqrt();
        assert!((claimed as f64) <= most, "n = {n}: {claimed} claimed, {expected} expected");
        assert!((filter.predicted_fpr() / params.predicted_fpr(n) - 1.0).abs() < 0.2, "n = {n}");
    }
}
