//! What transfers cost, shape by shape, beside the two obvious ways to do it: send the whole CAR,
//! or ask level by level for what is missing. Bytes are those of messages and bodies; a committed
//! snapshot holds every number, and `UPDATE_SNAPSHOTS=1` rewrites it.

mod common;

use common::{assert_snapshot, blocks, missing, transfer};
use sim::{
    Blocks, End, Report, Setup, Store,
    dag::{Dag, Shape, chain, diamond, generate, hamt, scattered},
    link::Conditions,
};
use std::{fmt::Write, time::Duration};

const RATE: u64 = 10_000_000;

/// The new version and the one before, of which about `overlap` percent stayed.
struct Versions {
    old: Option<Dag>,
    new: Dag,
}

fn tree(shape: Shape, make: fn(&Shape, u64) -> Dag, overlap: u64) -> Versions {
    let changed = shape.leaves * (100 - overlap) / 100;
    let old = (overlap > 0).then(|| make(&shape, 0));
    Versions { old, new: make(&shape, changed.min(shape.leaves)) }
}

fn grown(make: impl Fn(u64) -> Dag, length: u64, overlap: u64) -> Versions {
    Versions { old: (overlap > 0).then(|| make(length * overlap / 100)), new: make(length) }
}

fn versions(shape: &str, overlap: u64) -> Versions {
    let leaves = |leaves, leaf_size, fanout| Shape { seed: 42, leaves, leaf_size, fanout };
    let balanced = |s: &Shape, n| generate(s, &scattered(s.seed, s.leaves, n));
    let irregular = |s: &Shape, n| hamt(s, &scattered(s.seed, s.leaves, n));
    match shape {
        "file" => tree(leaves(100, 20_000, 16), balanced, overlap),
        "deep" => tree(leaves(1024, 256, 2), balanced, overlap),
        "wide" => tree(leaves(2000, 500, 2000), balanced, overlap),
        "hamt" => tree(leaves(2000, 200, 16), irregular, overlap),
        "chain" => grown(|n| chain(42, n, 100), 500, overlap),
        _ => grown(|n| diamond(42, n, 1000), 100, overlap),
    }
}

/// Rounds, bytes, bytes that need not have been sent, and time.
fn line(out: &mut String, way: &str, rounds: u64, bytes: u64, redundant: u64, time: Duration) {
    let ms = time.as_micros() as f64 / 1000.0;
    writeln!(out, "  {way:<14} {rounds:>6} {bytes:>10} {redundant:>10} {ms:>11.1}")
        .expect("strings take all");
}

fn network(rtt: u64) -> Conditions {
    Conditions {
        latency: Duration::from_millis(rtt) / 2,
        rate: Some(RATE),
        ..Conditions::default()
    }
}

fn measure(setup: Setup, rtt: u64, versions: &Versions) -> Report {
    let setup = Setup { network: network(rtt), ..setup };
    let held = versions.old.as_ref().map_or_else(Blocks::new, blocks);
    let all = versions.old.iter().flat_map(|old| &old.blocks).chain(&versions.new.blocks);
    let source = Store::holding(all).blocks().clone();
    let (report, _) = transfer(&setup, versions.new.root, &source, &held);
    assert_eq!(report.end, End::Complete);
    report
}

fn carpool(out: &mut String, rtt: u64, versions: &Versions, lacking: u64) {
    let old: Vec<_> = versions.old.iter().map(|old| old.root).collect();
    let pull = Setup { seeds: old.clone(), ..Setup::pull() };
    let push = Setup { estimate: old, ..Setup::push() };
    for (way, setup) in [("carpool pull", pull), ("carpool push", push)] {
        let report = measure(setup, rtt, versions);
        let redundant = report.body_bytes.saturating_sub(lacking);
        let bytes = report.body_bytes + report.status_bytes;
        line(out, way, report.rounds.into(), bytes, redundant, report.time);
    }
}

fn time(rounds: u64, rtt: u64, bytes: u64) -> Duration {
    Duration::from_millis(rounds * rtt) + Duration::from_nanos(bytes * 1_000_000_000 / RATE)
}

fn whole_car(out: &mut String, rtt: u64, versions: &Versions, lacking: u64) {
    let bytes = versions.new.car_bytes();
    line(out, "whole CAR", 1, bytes, bytes - lacking, time(1, rtt, bytes));
}

/// One request a level, 41 bytes for each CID that it names.
fn level_by_level(out: &mut String, rtt: u64, versions: &Versions) {
    let mut held = versions.old.as_ref().map_or_else(Blocks::new, blocks);
    let all = blocks(&versions.new);
    let (mut rounds, mut bytes) = (0, 0);
    loop {
        let known = sim::reference::expected(versions.new.root, &Blocks::new(), &held).missing;
        if known.is_empty() {
            break;
        }
        rounds += 1;
        for cid in known {
            bytes += 41 + carpool_car::section_len(&cid, all[&cid].len()) as u64;
            held.insert(cid, all[&cid].clone());
        }
    }
    line(out, "want lists", rounds, bytes, 0, time(rounds, rtt, bytes));
}

fn grid() -> String {
    let mut out = String::from(
        "  way            rounds      bytes  redundant          ms\n  \
         redundant: bytes of bodies beyond the missing sections and one header\n",
    );
    for shape in ["file", "deep", "wide", "hamt", "chain", "diamond"] {
        for overlap in [0, 50, 99] {
            let versions = versions(shape, overlap);
            let held = versions.old.as_ref().map_or_else(Blocks::new, blocks);
            let (count, bytes) = missing(&versions.new, &held);
            let lacking = bytes + carpool_car::header(&[versions.new.root]).len() as u64;
            for rtt in [5, 100] {
                writeln!(
                    out,
                    "\n{shape}, {overlap} % held, {rtt} ms: {count} blocks missing, {lacking} bytes"
                )
                .expect("strings take all");
                carpool(&mut out, rtt, &versions, lacking);
                whole_car(&mut out, rtt, &versions, lacking);
                level_by_level(&mut out, rtt, &versions);
            }
        }
    }
    out
}

#[test]
fn costs_are_those_of_the_snapshot() {
    assert_snapshot("grid", &grid());
}
