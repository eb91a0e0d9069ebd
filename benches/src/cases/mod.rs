//! The numbers, case by case.

mod bloom;
mod cold;
mod file;
mod hash;
mod hostile;
mod incremental;
mod index;
mod linear;
mod peak;
mod peer;
mod stream;
mod throughput;
mod tree;

pub use peak::{pull as peak_pull, push as peak_push, serve_sink, serve_source};

use crate::report::Row;

/// One measurement: its name and what makes its rows.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What `--only` takes.
    pub name: &'static str,
    /// Whether it runs with `--long` alone.
    pub long: bool,
    /// Measures, and hands over each row as it is known.
    pub measure: fn(&mut dyn FnMut(Row)),
}

/// All cases, in the order of the book's table.
pub const ALL: [Case; 13] = [
    Case { name: "hash", long: false, measure: hash::measure },
    Case { name: "cold", long: false, measure: cold::measure },
    Case { name: "linear", long: false, measure: linear::measure },
    Case { name: "tree", long: false, measure: tree::measure },
    Case { name: "file", long: false, measure: file::measure },
    Case { name: "incremental", long: false, measure: incremental::measure },
    Case { name: "throughput", long: false, measure: throughput::measure },
    Case { name: "bloom", long: false, measure: bloom::measure },
    Case { name: "index", long: false, measure: index::measure },
    Case { name: "hostile", long: false, measure: hostile::measure },
    Case { name: "peer", long: false, measure: peer::measure },
    Case { name: "peak", long: true, measure: peak::measure },
    Case { name: "stream", long: true, measure: stream::measure },
];

/// A rate in MB/s.
fn rate(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}
