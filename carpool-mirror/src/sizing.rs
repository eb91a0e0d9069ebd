use carpool_bloom::{Filter, Params};

use crate::{
    narrowing::target_rate,
    planner::{Connection, Path},
};

/// Largest rate at which a filter may err: a false positive in a tree costs a round however many
/// there are, so a filter that errs more often saves bytes and costs nearly every transfer a round.
const HIGHEST_RATE: f64 = 1e-2;
/// In a history false positives come one after another, so in all there are to be so many.
const STRAGGLERS_IN_A_CHAIN: f64 = 0.1;
/// A rate is never driven below this by doubling.
const LOWEST_RATE: f64 = 1e-15;
/// Share of what is held that is taken to have changed, where nothing else is known.
const CHANGED: f64 = 1.0 / 64.0;

/// What a filter is to be made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sizing {
    /// Blocks that go into it.
    pub(crate) held: usize,
    /// Blocks that are missing, of which a source asks the filter.
    pub(crate) missing: f64,
    /// Whether the DAG is as deep as a history.
    pub(crate) deep: bool,
    pub(crate) path: Path,
    pub(crate) max_bytes: usize,
    /// How often its size is doubled beyond what is best: after filters that hid what was missing,
    /// those of another size hide something else.
    pub(crate) doublings: u32,
}

impl Sizing {
    /// What is taken to be missing of so many blocks, where at least `known` are.
    pub(crate) fn expected_missing(held: usize, known: usize) -> f64 {
        (held as f64 * CHANGED).max(known as f64).max(1.0)
    }

    /// Size and number of hashes of the filter with the least expected time: its bytes, and a round
    /// where it hides something. It is no larger than the one of the rate min(10^-3, 0.1/n) that the
    /// specification recommends, unless it is doubled.
    pub(crate) fn params(&self) -> Params {
        let n = self.held as u64;
        let largest = Params::fitting(n, target_rate(self.held), self.max_bytes);
        let sizes = (0..=largest.bytes().ilog2()).map(|log| self.of(1 << log, self.target()));
        let enough = |params: &Params| {
            params.predicted_fpr(n) <= self.highest_rate() || params.bytes() == largest.bytes()
        };
        let best = sizes
            .filter(enough)
            .min_by(|a, b| self.seconds(a).total_cmp(&self.seconds(b)))
            .unwrap_or(largest);
        if self.doublings == 0 { best } else { self.doubled(best) }
    }

    /// The rate that balances bytes and rounds: 0.26 n / (M · bandwidth · round trip).
    fn target(&self) -> f64 {
        let balanced = 0.26 * self.held as f64 / (self.missing * self.path.product().max(1.0));
        balanced.max(target_rate(self.held)).min(self.highest_rate())
    }

    fn highest_rate(&self) -> f64 {
        let in_a_chain = STRAGGLERS_IN_A_CHAIN / self.missing;
        if self.deep { in_a_chain.min(HIGHEST_RATE) } else { HIGHEST_RATE }
    }

    /// The fewest hashes with which a filter of this size reaches `target`, or those that come closest.
    fn of(&self, bytes: usize, target: f64) -> Params {
        let all = || (1..=carpool_bloom::MAX_K).filter_map(|k| Params::new(bytes, k).ok());
        let rate = |params: &Params| params.predicted_fpr(self.held as u64);
        let closest = || all().min_by(|a, b| rate(a).total_cmp(&rate(b)));
        let reaches = all().find(|params| rate(params) <= target);
        reaches.or_else(closest).unwrap_or_else(|| Params::for_items(1))
    }

    fn doubled(&self, best: Params) -> Params {
        let most = 1 << self.max_bytes.max(1).ilog2();
        let bytes = best.bytes().saturating_mul(1 << self.doublings.min(16)).min(most);
        let mut target = best.predicted_fpr(self.held as u64);
        (0..self.doublings.min(16)).for_each(|_| target = (target * target).max(LOWEST_RATE));
        self.of(bytes.max(best.bytes()), target)
    }

    fn seconds(&self, params: &Params) -> f64 {
        let mut connection = Connection::new(self.path);
        let first = connection.round(params.bytes() as u64, 0);
        let stragglers = self.missing * params.predicted_fpr(self.held as u64);
        let rounds = if self.deep { stragglers } else { stragglers.min(1.0) };
        first + rounds * connection.round(params.bytes() as u64, 0)
    }
}

/// The filter with these parameters of the CIDs that `each` gives one by one.
pub(crate) fn filled(params: Params, each: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Filter {
    let mut filter = Filter::new(params);
    let mut batch = filter.batch();
    each(&mut |cid| batch.insert(cid));
    drop(batch);
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Path = Path { rtt_micros: 50_000, bytes_per_second: 12_500_000 };
    const NEAR: Path = Path { rtt_micros: 100, bytes_per_second: 125_000_000 };

    fn sizing(held: usize) -> Sizing {
        let missing = Sizing::expected_missing(held, 0);
        Sizing { held, missing, deep: false, path: FAR, max_bytes: 8 << 20, doublings: 0 }
    }

    fn recommended(held: usize) -> Params {
        Params::for_items(held as u64)
    }

    #[test]
    fn of_few_blocks_it_is_what_the_specification_recommends() {
        for held in [1, 2, 10, 100, 273, 1_000, 3_000] {
            assert_eq!(sizing(held).params(), recommended(held), "{held}");
        }
    }

    #[test]
    fn it_is_never_larger_and_never_errs_more_than_allowed() {
        for held in (1..=20_000).step_by(37) {
            let params = sizing(held).params();
            assert!(params.bytes() <= recommended(held).bytes(), "{held}");
            assert!(params.predicted_fpr(held as u64) <= HIGHEST_RATE, "{held}");
        }
    }

    #[test]
    fn of_many_it_is_smaller_and_errs_no_more_than_allowed() {
        for (held, share) in [(66_577, 2), (1_000_000, 2), (1_100_000, 4)] {
            let params = sizing(held).params();
            assert_eq!(params.bytes() * share, recommended(held).bytes(), "{held}");
            assert!(params.predicted_fpr(held as u64) <= HIGHEST_RATE);
        }
    }

    #[test]
    fn it_grows_with_what_a_mistake_costs() {
        let with = |missing, path| Sizing { missing, path, ..sizing(1_000_000) }.params().bytes();
        assert!(with(1e3, NEAR) <= with(1e3, FAR));
        assert!(with(1.0, FAR) <= with(1e5, FAR));
    }

    #[test]
    fn in_a_history_hardly_anything_is_hidden() {
        for missing in [10.0, 1e3, 1e4] {
            let chain = Sizing { missing, deep: true, ..sizing(200_000) };
            let rate = chain.params().predicted_fpr(200_000);
            assert!(rate * missing <= STRAGGLERS_IN_A_CHAIN, "{missing}: {rate}");
        }
    }

    #[test]
    fn a_doubled_one_errs_at_the_square_of_the_rate() {
        let rate = |doublings| {
            let params = Sizing { doublings, ..sizing(1_000_000) }.params();
            (params.bytes(), params.predicted_fpr(1_000_000))
        };
        let (once, twice) = (rate(0), rate(1));
        assert_eq!(twice.0, 2 * once.0);
        assert!(twice.1 <= once.1 * once.1 * 1.01, "{once:?} {twice:?}");
        assert_eq!(rate(60).0, 8 << 20, "at most the limit");
    }

    #[test]
    fn bytes_at_the_limit() {
        for max_bytes in [1, 16, 1_023, 1_024] {
            let params = Sizing { max_bytes, ..sizing(100_000) }.params();
            assert_eq!(params.bytes(), 1 << max_bytes.ilog2());
        }
    }
}
