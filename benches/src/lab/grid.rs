use carpool_mirror::planner::Path;

use super::{Change, Edit, Point, Shape};

/// Points and paths.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Pairs of versions.
    pub points: Vec<Point>,
    /// Over which each is replayed.
    pub paths: Vec<Path>,
}

/// One value a dimension is a point; several are a grid.
struct Dimensions<'a> {
    shapes: &'a [Shape],
    leaves: &'a [u64],
    n: &'a [u64],
    /// Changed leaves; `u64::MAX` for all.
    d: &'a [u64],
}

const KIB: u64 = 1 << 10;
const ALL: u64 = u64::MAX;

impl Grid {
    /// A slice that takes seconds: trees and a chain up to 10^5 leaves, four paths.
    #[must_use]
    pub fn small() -> Self {
        let shapes = Shape::ALL.map(|(_, shape)| shape);
        let (leaves, n, d) = (&[KIB][..], &[1_000, 100_000][..], &[1, 10, 1_000, ALL][..]);
        let points = points(&Dimensions { shapes: &shapes, leaves, n, d });
        let paths = vec![path(1, 1000), path(50, 100), path(150, 10), path(150, 1000)];
        Self { points, paths }
    }

    /// What a test holds to its snapshot: five shapes of 10^4 leaves, one path.
    #[must_use]
    pub fn snapshot() -> Self {
        let trees = [174, 8, 2].map(Shape::Tree);
        let shapes = [&trees[..], &[Shape::Chain, Shape::Trie]].concat();
        let (leaves, n, d) = (&[KIB][..], &[10_000][..], &[10, 1_000][..]);
        let points = points(&Dimensions { shapes: &shapes, leaves, n, d });
        Self { points, paths: vec![path(50, 100)] }
    }

    /// All shapes, both sizes of leaves, up to 10^6 leaves, and 10^7 in wide trees for changes up to
    /// 10^5; every path. Small ones come first. Hours on one core, and 1 GB of memory.
    #[must_use]
    pub fn full() -> Self {
        let shapes = Shape::ALL.map(|(_, shape)| shape);
        let (leaves, n) = (&[KIB, 256 * KIB][..], &[1_000, 100_000, 1_000_000][..]);
        let d = &[1, 10, 1_000, 100_000, ALL][..];
        let mut all = points(&Dimensions { shapes: &shapes, leaves, n, d });
        let (shapes, n) = (&[Shape::Tree(174), Shape::Tree(1024)][..], &[10_000_000][..]);
        all.extend(points(&Dimensions { shapes, leaves, n, d: &[1, 10, 1_000, 100_000] }));
        all.sort_by_key(|point| point.n);
        Self { points: all, paths: Self::every_path() }
    }

    /// Round trips of 1, 50 and 150 ms at 10, 100 and 1000 Mb/s.
    #[must_use]
    pub fn every_path() -> Vec<Path> {
        let rates = |rtt| [10, 100, 1000].map(|mbps| path(rtt, mbps));
        [1, 50, 150].into_iter().flat_map(rates).collect()
    }
}

/// A path by its round trip in milliseconds and its rate in megabits a second.
#[must_use]
pub(super) const fn path(rtt_ms: u64, mbps: u64) -> Path {
    Path { rtt_micros: rtt_ms * 1000, bytes_per_second: mbps * 125_000 }
}

fn points(Dimensions { shapes, leaves, n, d }: &Dimensions<'_>) -> Vec<Point> {
    let mut all = Vec::new();
    for shape in *shapes {
        for leaf_bytes in *leaves {
            for n in *n {
                let edits = edits(*shape, *n, d).into_iter();
                let (shape, leaf_bytes, n) = (*shape, *leaf_bytes, *n);
                all.extend(edits.map(|edit| Point { shape, n, leaf_bytes, edit }));
            }
        }
    }
    all
}

/// What makes a difference: entries of a chain change at its end, keys of a trie anywhere, an append has one place, and one
/// leaf is not scattered.
fn edits(shape: Shape, n: u64, d: &[u64]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for d in d.iter().filter(|d| **d < n || **d == ALL) {
        for (_, change) in Change::ALL {
            for clustered in [true, false] {
                let one_place = matches!(shape, Shape::Chain | Shape::Trie)
                    || change == Change::Append
                    || *d == 1;
                let twice = !clustered && (one_place || *d == ALL);
                let like_others = match shape {
                    Shape::Chain => matches!(change, Change::Insert | Change::Move | Change::Copy),
                    Shape::Trie => matches!(change, Change::Insert | Change::Copy),
                    Shape::Tree(_) | Shape::Recorded => false,
                };
                if !(twice
                    || like_others
                    || (*d == ALL && matches!(change, Change::Move | Change::Copy)))
                {
                    edits.push(Edit { change, d: (*d).min(n), clustered });
                }
            }
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_point_is_there_twice() {
        for grid in [Grid::snapshot(), Grid::small(), Grid::full()] {
            let mut names: Vec<_> = grid.points.iter().map(ToString::to_string).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
