//! The grid of pools: what every kind of pool comes to. A named slice runs here and is held to a snapshot, which
//! `UPDATE_SNAPSHOTS=1` rewrites; with `CARPOOL_LONG` all of it, whose summary is in the book, and whose points are
//! written to the file that `CARPOOL_GRID` names.

mod common;

use carpool_pool::{Kind, Options};
use common::assert_snapshot;
use sim::swarm::{Behaviour, Report, Shape, Swarm, World};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

/// How long every transfer takes at best, in seconds.
const SECONDS: u64 = 8;

/// Bytes of a DAG: 1,024 leaves of 16 KiB, 4,096 of 1 KiB, 4,096 nodes of 4 KiB, 1,024 in a chain.
const fn bytes(shape: Shape) -> usize {
    match shape {
        Shape::Wide | Shape::Tree => 16 << 20,
        Shape::Small | Shape::Chain => 4 << 20,
    }
}

/// Of the slice, every so manieth point.
const SLICE: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rates {
    Equal,
    Mixed,
    Unknown,
    Jitter,
    Stalls,
    Dies,
    Joins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shares {
    All,
    Lack30,
    Disjoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinds {
    Plain,
    Aware,
    Gossiping,
    Mixed,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    sources: usize,
    rates: Rates,
    rtt: u64,
    shares: Shares,
    shape: Shape,
    old: bool,
    kinds: Kinds,
}

impl Point {
    /// Where one source dies nobody else has what it alone had, and a chain goes over one line unless sources
    /// know a plan.
    fn makes_sense(&self) -> bool {
        let alone = self.sources == 1;
        let fails = matches!(self.rates, Rates::Dies | Rates::Stalls);
        let parts = self.shares != Shares::All;
        !(alone && (fails || parts || self.kinds == Kinds::Mixed))
            && !(fails && parts)
            && !(self.rates == Rates::Joins && parts)
            && !(self.shape == Shape::Chain
                && (matches!(self.kinds, Kinds::Plain | Kinds::Mixed) || parts))
    }

    fn source(&self, place: usize, rate: u64) -> Behaviour {
        let kind = match (self.kinds, place % 2) {
            (Kinds::Plain, _) | (Kinds::Mixed, 0) => Kind::NAMED,
            (Kinds::Aware, _) => Kind::AWARE,
            (Kinds::Gossiping | Kinds::Mixed, _) => Kind::GOSSIPING,
        };
        let mut source = Behaviour::good(kind, rate);
        let (last, of) = (place + 1 == self.sources, (place as u64, self.sources as u64));
        source.seed = place as u64 + 1;
        match self.rates {
            Rates::Unknown => source.told = 0,
            Rates::Jitter => source.jitter = 50,
            Rates::Stalls if last => source.stalls = Some((2_000_000, 4_000_000)),
            Rates::Dies if last => source.dies = Some(3_000_000),
            Rates::Joins if last && self.sources > 1 => source.joins = 2_000_000,
            Rates::Equal | Rates::Mixed | Rates::Stalls | Rates::Dies | Rates::Joins => {}
        }
        match self.shares {
            Shares::All => {}
            Shares::Lack30 => (source.lacks, source.keeps) = (30, of),
            Shares::Disjoint => source.holds = of,
        }
        source
    }

    fn run(&self, world: &Arc<World>) -> Report {
        let equal = matches!(self.rates, Rates::Equal | Rates::Jitter);
        let share = |place: usize| if equal { 100 } else { [100, 50, 25, 10][place % 4] };
        let sum: u64 = (0..self.sources).map(share).sum();
        let payload: u64 = world
            .missing()
            .iter()
            .filter_map(|cid| world.data(cid))
            .map(|data| data.len() as u64)
            .sum();
        let source = |place| self.source(place, (payload * share(place) / sum / SECONDS).max(1));
        let sources = (0..self.sources).map(source).collect();
        let options = Options::default();
        Swarm {
            world: Arc::clone(world),
            sources,
            rtt: self.rtt,
            peers: None,
            options,
            restarts: None,
        }
        .run()
    }
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for sources in [1, 2, 4, 8, 32] {
        for rates in [
            Rates::Equal,
            Rates::Mixed,
            Rates::Unknown,
            Rates::Jitter,
            Rates::Stalls,
            Rates::Dies,
            Rates::Joins,
        ] {
            for rtt in [1_000, 50_000, 150_000] {
                for shares in [Shares::All, Shares::Lack30, Shares::Disjoint] {
                    for shape in [Shape::Wide, Shape::Small, Shape::Tree, Shape::Chain] {
                        for old in [false, true] {
                            for kinds in
                                [Kinds::Plain, Kinds::Aware, Kinds::Gossiping, Kinds::Mixed]
                            {
                                points.push(Point {
                                    sources,
                                    rates,
                                    rtt,
                                    shares,
                                    shape,
                                    old,
                                    kinds,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    points.retain(Point::makes_sense);
    points
}

/// Efficiencies, bytes in vain and control bytes of points that have something in common.
#[derive(Default)]
struct Group(Vec<u64>, Vec<u64>, Vec<u64>);

impl Group {
    fn line(&mut self, name: &str) -> String {
        let of = |all: &mut Vec<u64>, part: usize| {
            all.sort_unstable();
            all[(all.len() - 1) * part / 100]
        };
        let Self(efficiency, in_vain, control) = self;
        format!(
            "{name:24} {:5} points  efficiency least {:4} tenth {:4} median {:4}  in vain median {:4} nine tenths {:4}  control median {:4}\n",
            efficiency.len(),
            of(efficiency, 0),
            of(efficiency, 10),
            of(efficiency, 50),
            of(in_vain, 50),
            of(in_vain, 90),
            of(control, 50),
        )
    }
}

#[test]
fn every_point_ends_and_the_slice_is_that_of_the_snapshot() {
    let all = std::env::var_os("CARPOOL_LONG").is_some();
    let mut worlds: BTreeMap<(u8, bool), Arc<World>> = BTreeMap::new();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut text = String::new();
    for (number, point) in points().into_iter().enumerate() {
        if !all && number % SLICE != 0 {
            continue;
        }
        let world = worlds
            .entry((point.shape as u8, point.old))
            .or_insert_with(|| Arc::new(World::new(point.shape, bytes(point.shape), point.old, 3)));
        let report = point.run(world);
        assert!(report.complete, "{point:?}: {:?}", report.outcome);
        let numbers = (report.efficiency(), report.duplicates(), report.controls());
        writeln!(
            text,
            "{} sources {:?} rates {:?} rtt {} shares {:?} {:?} old {}: efficiency {} in vain {} control {}",
            point.sources, point.kinds, point.rates, point.rtt / 1000, point.shares, point.shape, point.old,
            numbers.0, numbers.1, numbers.2,
        )
        .expect("text grows");
        for name in [
            format!("kinds {:?}", point.kinds),
            format!("rates {:?}", point.rates),
            format!("shares {:?}", point.shares),
            format!("sources {:2}", point.sources),
            format!("rtt {:3}", point.rtt / 1000),
            format!("shape {:?} {:?}", point.shape, point.kinds),
        ] {
            let group = groups.entry(name).or_default();
            group.0.push(numbers.0);
            group.1.push(numbers.1);
            group.2.push(numbers.2);
        }
    }
    let summary: String = groups.iter_mut().map(|(name, group)| group.line(name)).collect();
    println!("{summary}");
    if !all {
        return assert_snapshot("pool_grid", &text);
    }
    if let Some(file) = std::env::var_os("CARPOOL_GRID") {
        std::fs::write(file, text).expect("the file can be written");
    }
}
