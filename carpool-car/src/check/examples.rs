use alloc::vec::Vec;

/// The first of something in an order of its own, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examples<T> {
    /// How many there are.
    pub count: u64,
    first: Vec<T>,
    max: usize,
}

impl<T: Ord> Examples<T> {
    pub(super) const fn new(max: usize) -> Self {
        Self { count: 0, first: Vec::new(), max }
    }

    pub(super) fn add(&mut self, example: T) {
        self.count += 1;
        self.first.push(example);
        // Twice as many before they are sorted out, so that each is looked at twice on average.
        if self.first.len() >= self.max.saturating_mul(2).max(64) {
            self.cut();
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first.extend(other.first);
        self.cut();
    }

    fn cut(&mut self) {
        if self.first.len() > self.max {
            if self.max > 0 {
                self.first.select_nth_unstable(self.max - 1);
            }
            self.first.truncate(self.max);
        }
    }

    /// The first, in their order.
    #[must_use]
    pub fn into_first(mut self) -> Vec<T> {
        self.cut();
        self.first.sort_unstable();
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_are_kept_in_whatever_order_they_come() {
        for max in [0usize, 1, 5, 1000] {
            let mut all = [Examples::new(max), Examples::new(max)];
            for n in 0..500u64 {
                all[(n % 2) as usize].add(n * 7919 % 500);
            }
            let [mut one, other] = all;
            one.join(other);
            assert_eq!(one.count, 500);
            assert_eq!(one.into_first(), (0..500).take(max).collect::<Vec<u64>>(), "{max}");
        }
    }
}
