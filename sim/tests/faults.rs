//! What faults and lies cost, shape by shape: rounds, bytes up and down, blocks that came twice,
//! and how it ended. A committed snapshot holds every cell, and `UPDATE_SNAPSHOTS=1` rewrites it.
//! Whatever the fault, the sink holds the closure in the end or there is a named error.

mod common;

use common::{STEPS, assert_snapshot, blocks, missing};
use sim::{
    Blocks, Direction, End, Failure, Pair, Plan, Report, Setup, SinkLie, SourceLie, Store,
    dag::{Dag, Shape, chain, diamond, generate, hamt, scattered},
    link::{Conditions, Cut},
};
use std::{fmt::Write, time::Duration};

/// The new version and the one before, of which about `overlap` percent stayed.
fn versions(shape: &str, overlap: u64) -> (Dag, Dag) {
    let leaves = |leaves, leaf_size, fanout| Shape { seed: 42, leaves, leaf_size, fanout };
    let changed = |s: &Shape| scattered(s.seed, s.leaves, s.leaves * (100 - overlap) / 100);
    let balanced = |s: Shape| (generate(&s, &changed(&s)), generate(&s, &[].into()));
    let irregular = |s: Shape| (hamt(&s, &changed(&s)), hamt(&s, &[].into()));
    let grown = |make: &dyn Fn(u64) -> Dag, n: u64| (make(n), make((n * overlap / 100).max(1)));
    match shape {
        "file" => balanced(leaves(40, 4000, 16)),
        "deep" => balanced(leaves(128, 200, 2)),
        "wide" => balanced(leaves(200, 300, 200)),
        "hamt" => irregular(leaves(200, 200, 16)),
        "chain" => grown(&|n| chain(42, n, 100), 100),
        _ => grown(&|n| diamond(42, n, 500), 60),
    }
}

const FAULTS: [&str; 18] = [
    "none",
    "cut",
    "cut, looks whole",
    "stall",
    "late body",
    "late message",
    "source restarts",
    "sink restarts",
    "source: wrong bytes",
    "source: skips one",
    "source: unrelated",
    "source: repeats",
    "source: nothing",
    "source: no end",
    "sink: has nothing",
    "sink: wants unheld",
    "sink: wants sent",
    "sink: no end",
];

/// The plan of a cell. What is cut is cut half-way through what is missing; the first connection
/// of a cold push is its cold call, and whole.
fn plan(setup: Setup, fault: &str, new: &Dag, old: &Dag, held: &Blocks) -> Plan {
    let (count, bytes) = missing(new, held);
    let cold = setup.direction == Direction::Push && held.is_empty();
    let whole = || if cold { vec![Cut::Never] } else { vec![] };
    let cut = |cut: fn(u64) -> Cut| whole().into_iter().chain([cut(bytes / 2)]).collect();
    let skipped = (new.blocks.iter().rev()).find(|block| !held.contains_key(block.cid()));
    let mut plan = Plan {
        root: new.root,
        source: Store::holding(new.blocks.iter().chain(&old.blocks)).blocks().clone(),
        sink: held.clone(),
        source_lie: None,
        sink_lie: None,
        setup,
    };
    let setup = &mut plan.setup;
    setup.limits.max_rounds = 20;
    setup.limits.max_unwanted_bytes = 200_000;
    match fault {
        "cut" => setup.cuts = cut(Cut::Broken),
        "cut, looks whole" => setup.cuts = cut(Cut::Clean),
        "stall" => setup.cuts = cut(Cut::Stalled),
        "late body" => {
            setup.cuts = cut(Cut::Stalled);
            setup.late = Some(setup.network.latency);
        }
        "late message" => {
            setup.status_cuts = vec![Cut::Stalled(5)];
            setup.late = Some(setup.network.latency);
        }
        "source restarts" => setup.cuts = cut(Cut::SourceDied),
        "sink restarts" => setup.cuts = cut(Cut::SinkDied),
        "source: wrong bytes" => plan.source_lie = Some(SourceLie::WrongBytes(count / 2)),
        "source: skips one" => plan.source_lie = skipped.map(|b| SourceLie::Skips(*b.cid())),
        "source: unrelated" => plan.source_lie = Some(SourceLie::Unrelated),
        "source: repeats" => plan.source_lie = Some(SourceLie::Repeats),
        "source: nothing" => plan.source_lie = Some(SourceLie::Nothing),
        "source: no end" => plan.source_lie = Some(SourceLie::Endless),
        "sink: has nothing" => plan.sink_lie = Some(SinkLie::Nothing),
        "sink: wants unheld" => plan.sink_lie = Some(SinkLie::Unheld),
        "sink: wants sent" => plan.sink_lie = Some(SinkLie::Sent),
        "sink: no end" => plan.sink_lie = Some(SinkLie::Endless),
        _ => {}
    }
    plan
}

fn end(end: &End) -> String {
    match end {
        End::Complete => "complete".into(),
        End::Incomplete(outcome) => format!("lacks {}", outcome.missing),
        End::Failed(Failure::Block(_)) => "bad block".into(),
        End::Failed(Failure::Mirror(carpool_mirror::Error::Unwanted { .. })) => "unwanted".into(),
        End::Failed(other) => format!("{other:?}"),
    }
}

fn cell(plan: &Plan) -> String {
    let (report, held) = plan.run().expect("a transfer ends");
    plan.check(&report, &held);
    let Report { rounds, status_bytes, body_bytes, duplicates, .. } = report;
    let (up, down) = match plan.setup.direction {
        Direction::Pull => (status_bytes, body_bytes),
        Direction::Push => (body_bytes, status_bytes),
    };
    format!("{rounds:>3} {up:>7} {down:>7} {duplicates:>5} {:<10}", end(&report.end))
}

fn network(rtt: u64) -> Conditions {
    let latency = Duration::from_millis(rtt) / 2;
    Conditions { latency, rate: Some(10_000_000), ..Conditions::default() }
}

fn grid() -> String {
    let mut out = String::from(
        "                       pull: rounds, bytes up, bytes down, duplicates, end; the same of a push\n",
    );
    for shape in ["file", "deep", "wide", "hamt", "chain", "diamond"] {
        for overlap in [0, 50, 99] {
            let (new, old) = versions(shape, overlap);
            let held = if overlap > 0 { blocks(&old) } else { Blocks::new() };
            for rtt in [5, 100] {
                writeln!(out, "\n{shape}, {overlap} % held, {rtt} ms").expect("strings take all");
                rows(&mut out, rtt, &new, &old, &held);
            }
        }
    }
    out
}

fn rows(out: &mut String, rtt: u64, new: &Dag, old: &Dag, held: &Blocks) {
    let hint = if held.is_empty() { vec![] } else { vec![old.root] };
    for fault in FAULTS {
        let pull = Setup { seeds: hint.clone(), network: network(rtt), ..Setup::pull() };
        let push = Setup { estimate: hint.clone(), network: network(rtt), ..Setup::push() };
        let [pull, push] = [pull, push].map(|setup| cell(&plan(setup, fault, new, old, held)));
        let line = format!("  {fault:<20} {pull} | {push}");
        writeln!(out, "{}", line.trim_end()).expect("strings take all");
    }
}

#[test]
fn costs_are_those_of_the_snapshot() {
    assert_snapshot("faults", &grid());
}

/// What stood still comes out of the older connection while the newer one is up, and changes
/// nothing but the number of blocks that came twice.
#[test]
fn late_bytes_arrive_and_do_no_harm() {
    let (new, _) = versions("deep", 0);
    for setup in [Setup::pull(), Setup::push()] {
        let cuts = [Cut::Never, Cut::Stalled(5000), Cut::Stalled(9000)];
        let skip = usize::from(setup.direction == Direction::Pull);
        let network = Conditions { patience: Duration::from_secs(1), ..network(50) };
        let late = Some(Duration::from_millis(60));
        let cold_call_bytes = 1000;
        let cuts = cuts[skip..].to_vec();
        let setup = Setup { cuts, late, network, cold_call_bytes, ..setup };
        let mut pair = Pair::new(&setup, new.root, blocks(&new).into(), Blocks::new().into());
        let report = pair.drive(STEPS).expect("a transfer ends");
        assert_eq!((&report.end, report.cuts), (&End::Complete, 2), "{report:?}");
        assert!(report.late_bytes > 0, "{report:?}");
        assert_eq!(pair.sink_store().blocks(), &blocks(&new));
    }
}
