//! Every recorded case whose settings this crate has gives Kubo's CIDs, blocks and order.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{env, fs, path::PathBuf};

#[test]
fn all_recorded_cases_of_kubo() {
    let Ok(text) = fs::read_to_string(fixtures().join("unixfs-golden/cases.json")) else {
        println!("skipped: no fixtures");
        return;
    };
    support::cases::run_all(&serde_json::from_str(&text).unwrap());
}

/// The recorded cases lie beside the workspace, unless `CARPOOL_FIXTURES` says where.
fn fixtures() -> PathBuf {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").into();
    env::var_os("CARPOOL_FIXTURES").map_or_else(beside, PathBuf::from)
}
