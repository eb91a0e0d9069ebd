//! Transfers chosen at random: shapes, overlap, round-trip times, faults and lies. Whatever
//! happens, the sink's store ends equal to the closure, or there is a named error and nothing
//! unverified is stored.
//!
//! A few hundred seeds by default, 100,000 with `CARPOOL_LONG=1`, and a single one with
//! `CARPOOL_SEED=n cargo test -p sim --test sessions`.

use sim::{End, Plan};
use std::{
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

const SEEDS: u64 = 500;
const LONG: u64 = 100_000;

/// How each kind of end is counted.
fn kind(end: &End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::Incomplete(_) => "incomplete",
        End::Failed(_) => "failed",
    }
}

fn run(seed: u64) -> &'static str {
    let plan = Plan::of_seed(seed);
    let (report, held) = plan.run().expect("a transfer ends");
    plan.check(&report, &held);
    kind(&report.end)
}

type Ends = BTreeMap<&'static str, u64>;

/// Every `step`th seed from `first` on, and how they ended; or the first that did not end well.
fn run_all(first: u64, seeds: u64, step: usize) -> Result<Ends, u64> {
    let mut ends = BTreeMap::new();
    for seed in (first..seeds).step_by(step) {
        let end = catch_unwind(AssertUnwindSafe(|| run(seed))).map_err(|_| seed)?;
        *ends.entry(end).or_insert(0) += 1;
    }
    Ok(ends)
}

#[test]
fn every_seed_ends_well() {
    if let Ok(seed) = env::var("CARPOOL_SEED") {
        let seed = seed.parse().expect("CARPOOL_SEED is a number");
        let plan = Plan::of_seed(seed);
        let (report, held) = plan.run().expect("a transfer ends");
        println!("{:#?}\n{report:?}", plan.setup);
        println!("{:?} {:?}: {} held", plan.source_lie, plan.sink_lie, held.len());
        plan.check(&report, &held);
        return;
    }
    let seeds = if env::var_os("CARPOOL_LONG").is_some() { LONG } else { SEEDS };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..threads as u64)
        .map(|first| thread::spawn(move || run_all(first, seeds, threads)))
        .collect();
    let mut ends = Ends::new();
    for worker in workers {
        let seen = worker.join().expect("panics are caught").unwrap_or_else(|seed| {
            panic!("replay it: CARPOOL_SEED={seed} cargo test -p sim --test sessions")
        });
        for (end, n) in seen {
            *ends.entry(end).or_insert(0) += n;
        }
    }
    println!("{seeds} seeds: {ends:?}");
    // A generator that only ever fails, or never does, would show nothing.
    assert!(["complete", "incomplete", "failed"].iter().all(|end| ends.contains_key(end)));
}
