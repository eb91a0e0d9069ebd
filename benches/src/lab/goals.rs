use std::{collections::BTreeMap, fmt};

use super::{Change, Row};

/// At how many points a goal is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What is asked.
    pub goal: &'static str,
    /// Where it is reached.
    pub reached: usize,
    /// Where it was asked.
    pub of: usize,
    /// The share that is asked for, from 0 to 1.
    pub share: f64,
    /// The point that is furthest from it.
    pub worst: String,
}

impl Verdict {
    /// Whether it is reached at as large a share of the points as is asked.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.reached as f64 >= self.share * self.of as f64
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { goal, reached, of, share, worst } = self;
        let met = if self.is_met() { "ok" } else { "**missed**" };
        let percent = 100.0 * *reached as f64 / (*of).max(1) as f64;
        let share = share * 100.0;
        write!(
            f,
            "| {goal} | {reached} of {of} ({percent:.1} %) | {share:.0} % | {met} | {worst} |"
        )
    }
}

/// A goal: of which rows, and how far from it one is (1 is just reached, more is missed).
struct Goal {
    name: &'static str,
    share: f64,
    distance: fn(&Row, &Others<'_>) -> Option<f64>,
}

/// Rows of the same point and path.
struct Others<'a>(BTreeMap<&'static str, &'a Row>);

impl Others<'_> {
    fn get(&self, strategy: &str) -> Option<&Row> {
        self.0.get(strategy).copied()
    }

    /// The shortest time of all that need no root in common.
    fn best(&self) -> f64 {
        let fair = |row: &&&Row| {
            !matches!(row.strategy, "held" | "held-first" | "planned" | "naive" | "iblt")
        };
        self.0.values().filter(fair).map(|row| row.seconds).fold(f64::INFINITY, f64::min)
    }
}

fn of(row: &Row, strategy: &str, distance: impl FnOnce() -> f64) -> Option<f64> {
    (row.strategy == strategy).then(distance)
}

fn over(work: u64, most: u64) -> f64 {
    work as f64 / most as f64
}

fn scattered(row: &Row) -> bool {
    let edit = &row.point.edit;
    !edit.clustered && edit.d >= 1_000 && edit.change == Change::Replace && row.truth.fan_out >= 32
}

const GOALS: [Goal; 15] = [
    Goal {
        name: "old root known: one round",
        share: 1.0,
        distance: |row, _| of(row, "held", || row.rounds as f64),
    },
    Goal {
        name: "old root known: ≤ 160 B up on first contact",
        share: 1.0,
        distance: |row, _| of(row, "held-first", || row.up as f64 / 160.0),
    },
    Goal {
        name: "old root known: ≤ 120 B up after that",
        share: 1.0,
        distance: |row, _| of(row, "held", || row.up as f64 / 120.0),
    },
    Goal {
        name: "old root known: no duplicates, copies apart",
        share: 1.0,
        distance: |row, _| {
            of(row, "held", || row.duplicates as f64 + f64::from(row.duplicates > 0))
        },
    },
    Goal {
        name: "old root known: ≤ 3 loads a missing block",
        share: 1.0,
        distance: |row, _| of(row, "held", || over(row.loads, 3 * row.truth.missing)),
    },
    Goal {
        name: "old root known: ≤ 3 comparisons a link of those",
        share: 1.0,
        distance: |row, _| of(row, "held", || over(row.comparisons, 3 * row.truth.links)),
    },
    Goal {
        name: "≤ 3 loads, where the old side lost no more nodes than that leaves",
        share: 1.0,
        distance: |row, _| {
            let left = row.truth.missing + row.truth.leaves;
            let is_possible = row.truth.lost <= left;
            is_possible
                .then(|| of(row, "held", || over(row.loads, 3 * row.truth.missing)))
                .flatten()
        },
    },
    Goal {
        name: "≤ 3 comparisons, where it lost no more links than are missing",
        share: 1.0,
        distance: |row, _| {
            let is_possible = row.truth.lost_links <= row.truth.links;
            let over = || over(row.comparisons, 3 * row.truth.links);
            is_possible.then(|| of(row, "held", over)).flatten()
        },
    },
    Goal {
        name: "scattered, fan-out ≥ 32, d ≥ 1000: deferral up ≤ 2 × bound + 1 KB + 0.7 B an interior block",
        share: 1.0,
        distance: |row, _| {
            let most = 2.0 * row.truth.bound + 1024.0 + 0.7 * row.truth.interior as f64;
            scattered(row).then(|| of(row, "deferral", || row.up as f64 / most)).flatten()
        },
    },
    Goal {
        name: "the same in ≤ 3 rounds",
        share: 1.0,
        distance: |row, _| {
            scattered(row).then(|| of(row, "deferral", || row.rounds as f64 / 3.0)).flatten()
        },
    },
    Goal {
        name: "the same with bitmaps alone: ≤ 1.35 × bound + 8 B a level (the first request apart), depth + 1 rounds",
        share: 1.0,
        distance: |row, _| {
            let levels = row.truth.depth as f64 + 1.0;
            let bytes = (row.up as f64 - super::request(1, 0) as f64)
                / (1.35 * row.truth.bound + 8.0 * levels);
            let rounds = row.rounds as f64 / levels;
            scattered(row).then(|| of(row, "bitmaps", || bytes.max(rounds))).flatten()
        },
    },
    Goal {
        name: "planned: ≤ 1.05 × the bytes of the tuned Bloom",
        share: 0.95,
        distance: |row, others| {
            let tuned = others.get("bloom-tuned")?;
            let all = |row: &Row| (row.up + row.down) as f64;
            of(row, "planned", || all(row) / all(tuned) / 1.05)
        },
    },
    Goal {
        name: "planned: ≤ 1.05 × its time",
        share: 0.95,
        distance: |row, others| {
            let tuned = others.get("bloom-tuned")?;
            of(row, "planned", || row.seconds / tuned.seconds / 1.05)
        },
    },
    Goal {
        name: "planned, blind to d: ≤ 1.10 × the best forced",
        share: 0.75,
        distance: |row, others| of(row, "planned", || row.seconds / others.best() / 1.10),
    },
    Goal {
        name: "planned, blind to d: ≤ 1.6 × the best forced",
        share: 0.95,
        distance: |row, others| of(row, "planned", || row.seconds / others.best() / 1.6),
    },
];

/// The goals, over rows of any grid.
#[must_use]
pub fn goals(rows: &[Row]) -> Vec<Verdict> {
    let together = |a: &Row, b: &Row| a.point == b.point && a.path == b.path;
    let groups: Vec<&[Row]> = rows.chunk_by(together).collect();
    GOALS.iter().map(|goal| verdict(goal, &groups)).collect()
}

fn verdict(goal: &Goal, groups: &[&[Row]]) -> Verdict {
    let Goal { name, share, distance } = goal;
    let mut verdict =
        Verdict { goal: name, reached: 0, of: 0, share: *share, worst: String::new() };
    let mut worst = 0.0;
    for rows in groups {
        let others = Others(rows.iter().map(|row| (row.strategy, row)).collect());
        for row in *rows {
            let Some(distance) = distance(row, &others) else { continue };
            verdict.of += 1;
            verdict.reached += usize::from(distance <= 1.0);
            if distance > worst {
                worst = distance;
                let (rtt, rate) = (row.path.rtt_micros / 1000, row.path.bytes_per_second / 125_000);
                let point = row.point;
                verdict.worst = format!("{distance:.2} of it: {point}, {rtt} ms, {rate} Mb/s");
            }
        }
    }
    verdict
}
