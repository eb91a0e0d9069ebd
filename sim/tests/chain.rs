//! A history of thousands of nodes takes one round, where going link by link would take thousands.

mod common;

use common::{nothing, send};
use sim::{Setup, dag::chain};

#[test]
fn five_thousand_links_deep() {
    let dag = chain(9, 5000, 10);
    let report = send(&Setup::pull(), &dag, &nothing(&dag));
    assert_eq!((report.rounds, report.stored), (1, 10_000));
    let report = send(&Setup::push(), &dag, &nothing(&dag));
    // The cold call, the rest, and what a false positive hid.
    assert!(report.rounds <= 3, "{} rounds", report.rounds);
    assert_eq!(report.stored, 10_000);
}

#[test]
fn the_newest_hundred() {
    let (old, new) = (chain(9, 4900, 10), chain(9, 5000, 10));
    let report = send(&Setup { seeds: vec![old.root], ..Setup::pull() }, &new, &old);
    assert_eq!((report.rounds, report.stored, report.duplicates), (1, 200, 0));
}
