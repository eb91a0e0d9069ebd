use alloc::{vec, vec::Vec};

/// Which of several contestants comes first, again and again while the first one changes: a tree of
/// losers, one comparison a level.
#[derive(Debug)]
pub(crate) struct Tournament {
    /// `losers[n]` lost at node `n`, whose children are `2n` and `2n + 1`; contestant `i` enters at
    /// node `losers.len() + i`.
    losers: Vec<usize>,
    winner: usize,
}

impl Tournament {
    /// Between contestants `0..n`, at least one. `less` says who comes first, and is a strict order.
    pub(crate) fn new(n: usize, less: impl Fn(usize, usize) -> bool) -> Self {
        let mut losers = vec![0; n];
        let mut winners: Vec<usize> = (0..n).map(|_| 0).chain(0..n).collect();
        for node in (1..n).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if less(right, left) { (right, left) } else { (left, right) };
            (winners[node], losers[node]) = (winner, loser);
        }
        let winner = winners.get(1).copied().unwrap_or(0);
        Self { losers, winner }
    }

    pub(crate) const fn winner(&self) -> usize {
        self.winner
    }

    /// Plays again after the winner has changed.
    #[inline]
    pub(crate) fn replay(&mut self, less: impl Fn(usize, usize) -> bool) {
        let mut winner = self.winner;
        let mut node = (self.losers.len() + winner) / 2;
        while node >= 1 {
            let loser = &mut self.losers[node];
            if less(*loser, winner) {
                core::mem::swap(loser, &mut winner);
            }
            node /= 2;
        }
        self.winner = winner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_any_number_of_lists() {
        for n in 1..20usize {
            let mut lists: Vec<Vec<usize>> =
                (0..n).map(|i| (0..i % 5 * 3).rev().map(|k| k * (i % 3 + 1)).collect()).collect();
            let mut expected: Vec<usize> = lists.iter().flatten().copied().collect();
            expected.sort_unstable();
            let key = |lists: &[Vec<usize>], i: usize| {
                (lists[i].last().copied().unwrap_or(usize::MAX), i)
            };
            let mut tree = Tournament::new(n, |a, b| key(&lists, a) < key(&lists, b));
            let mut merged = Vec::new();
            while let Some(value) = lists[tree.winner()].pop() {
                merged.push(value);
                tree.replay(|a, b| key(&lists, a) < key(&lists, b));
            }
            assert_eq!(merged, expected, "{n} lists");
        }
    }
}
