//! A selection of recorded cases gives Kubo's CIDs, blocks and order, wherever the tests run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

#[test]
fn selected_cases_of_kubo() {
    let text = include_str!("vectors/cases.json");
    support::cases::run_all(&serde_json::from_str(text).unwrap());
}
