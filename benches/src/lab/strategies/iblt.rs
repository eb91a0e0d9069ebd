use sim::dag::mix;
use std::collections::HashMap;

use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// Invertible Bloom lookup tables and a strata estimator, after Eppstein, Goodrich, Uyeda and Varghese,
/// *What's the Difference? Efficient Set Reconciliation without Prior Context* (2011). The sink sends the
/// estimator, the source says how many cells it wants, and twice as many where these do not peel.
#[derive(Clone, Copy, Debug)]
pub struct Iblt;

/// Hashes of a table, and of an element in it.
const HASHES: usize = 3;
/// Bytes of a cell: 8 of the elements' sum, 4 of their checks', 2 of their count.
const CELL: u64 = 14;
/// Strata of the estimator and cells of each, as in the paper.
const STRATA: u32 = 32;
const STRATUM_CELLS: usize = 80;
/// Bytes of the number of cells that are asked for.
const ASKED: u64 = 4;

#[derive(Clone, Copy, Default)]
struct Cell {
    sum: u64,
    checks: u32,
    count: i32,
}

/// A table of what one side has less what the other has, which is all that is left of two tables once
/// one is taken from the other.
struct Table {
    cells: Vec<Cell>,
}

fn check(element: u64) -> u32 {
    u32::try_from(mix(element ^ 0xC4EC) >> 32).expect("32 bits")
}

impl Table {
    fn new(cells: usize) -> Self {
        // A part of the table for each hash, so that an element has a cell of each.
        let part = cells.div_ceil(HASHES);
        Self { cells: vec![Cell::default(); part * HASHES] }
    }

    fn places(&self, element: u64) -> impl Iterator<Item = usize> + use<> {
        let part = self.cells.len() / HASHES;
        let within = move |hash: u64| {
            usize::try_from(hash % part as u64).expect("below the number of cells")
        };
        (0..HASHES).map(move |i| i * part + within(mix(element ^ mix(i as u64))))
    }

    fn add(&mut self, element: u64, count: i32) {
        for place in self.places(element) {
            let cell = &mut self.cells[place];
            cell.sum ^= element;
            cell.checks ^= check(element);
            cell.count += count;
        }
    }

    /// The elements and whose they are, or `None` where cells are left that hold several.
    fn peel(mut self) -> Option<Vec<(u64, i32)>> {
        let (mut found, mut queue) = (Vec::new(), (0..self.cells.len()).collect::<Vec<_>>());
        while let Some(place) = queue.pop() {
            let Cell { sum, checks, count } = self.cells[place];
            if count.abs() == 1 && checks == check(sum) {
                found.push((sum, count));
                self.add(sum, -count);
                queue.extend(self.places(sum));
            }
        }
        let is_empty = |cell: &Cell| cell.sum == 0 && cell.count == 0;
        self.cells.iter().all(is_empty).then_some(found)
    }
}

/// Elements on either side, from the strata that peel: stratum i has one of 2^(i+1).
fn estimate(elements: &[(u64, i32)]) -> usize {
    let mut found = 0;
    for stratum in (0..STRATA).rev() {
        let mut table = Table::new(STRATUM_CELLS);
        let of_it =
            |(element, _): &&(u64, i32)| mix(*element).trailing_zeros().min(STRATA - 1) == stratum;
        elements.iter().filter(of_it).for_each(|(element, count)| table.add(*element, *count));
        match table.peel() {
            Some(all) => found += all.len(),
            None => return found << (stratum + 1),
        }
    }
    found
}

impl Strategy for Iblt {
    fn name(&self) -> &'static str {
        "iblt"
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        let element = |node: &Node| mix(node.id());
        let ours: HashMap<u64, Node> =
            source.unmatched().iter().map(|node| (element(node), *node)).collect();
        let theirs = sink.unmatched().iter().map(|node| (element(node), -1));
        let elements: Vec<_> = ours.keys().map(|element| (*element, 1)).chain(theirs).collect();
        transcript.request(request(1, 0) + u64::from(STRATA) * STRATUM_CELLS as u64 * CELL);
        transcript.answer(ASKED);
        // Half again as many cells as elements peel mostly; a few do not.
        let mut cells = estimate(&elements) * 3 / 2 + 16;
        loop {
            let mut table = Table::new(cells);
            transcript.request(table.cells.len() as u64 * CELL);
            elements.iter().for_each(|(element, count)| table.add(*element, *count));
            if let Some(found) = table.peel() {
                let found = found.iter().filter_map(|(element, _)| ours.get(element));
                found.for_each(|node| drop(source.send(*node, &mut transcript)));
                return transcript;
            }
            transcript.answer(ASKED);
            cells *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_back_what_either_side_has() {
        let mut table = Table::new(300);
        let elements: Vec<(u64, i32)> =
            (0..150).map(|i| (mix(i), if i % 3 == 0 { -1 } else { 1 })).collect();
        elements.iter().for_each(|(element, count)| table.add(*element, *count));
        let mut found = table.peel().expect("twice as many cells");
        let mut expected = elements;
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let mut full = Table::new(30);
        (0..150).for_each(|i| full.add(mix(i), 1));
        assert!(full.peel().is_none());
    }

    #[test]
    fn estimates_are_within_a_factor_of_two() {
        for n in [0_u64, 5, 500, 50_000] {
            let elements: Vec<(u64, i32)> = (0..n).map(|i| (mix(i ^ 77), 1)).collect();
            let estimate = estimate(&elements) as u64;
            assert!(estimate >= n / 2 && estimate <= n * 2, "{estimate} for {n}");
        }
    }
}
