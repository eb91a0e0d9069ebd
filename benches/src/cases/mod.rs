//! The numbers, case by case.

mod bloom;
mod coding;
mod cold;
mod delta;
mod file;
mod hash;
mod hostile;
mod incremental;
mod index;
mod linear;
mod peak;
mod peer;
mod pool;
mod stream;
mod throughput;
mod tree;
mod workloads;

pub use bloom::{Key, key};
pub use peak::{pull as peak_pull, push as peak_push, serve_sink, serve_source};

use crate::report::Row;

/// One measurement: its name and what makes its rows.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What `--only` takes.
    pub name: &'static str,
    /// Whether it runs with `--long` alone.
    pub long: bool,
    /// Whether it runs in a process whose allocator keeps the memory that it was given back: then
    /// what is measured later does not pay for pages that what was measured before left behind.
    pub keeps_memory: bool,
    /// Measures, and hands over each row as it is known.
    pub measure: fn(&mut dyn FnMut(Row)),
}

/// All cases, in the order of the book's table.
pub const ALL: [Case; 17] = [
    Case { name: "hash", long: false, keeps_memory: false, measure: hash::measure },
    Case { name: "cold", long: false, keeps_memory: false, measure: cold::measure },
    Case { name: "linear", long: false, keeps_memory: true, measure: linear::measure },
    Case { name: "tree", long: false, keeps_memory: false, measure: tree::measure },
    Case { name: "file", long: false, keeps_memory: false, measure: file::measure },
    Case { name: "incremental", long: false, keeps_memory: false, measure: incremental::measure },
    Case { name: "throughput", long: false, keeps_memory: false, measure: throughput::measure },
    Case { name: "coding", long: false, keeps_memory: false, measure: coding::measure },
    Case { name: "bloom", long: false, keeps_memory: false, measure: bloom::measure },
    Case { name: "index", long: false, keeps_memory: false, measure: index::measure },
    Case { name: "delta", long: false, keeps_memory: true, measure: delta::measure },
    Case { name: "hostile", long: false, keeps_memory: false, measure: hostile::measure },
    Case { name: "pool", long: false, keeps_memory: false, measure: pool::measure },
    Case { name: "peer", long: false, keeps_memory: false, measure: peer::measure },
    Case { name: "workloads", long: false, keeps_memory: false, measure: workloads::measure },
    Case { name: "peak", long: true, keeps_memory: false, measure: peak::measure },
    Case { name: "stream", long: true, keeps_memory: false, measure: stream::measure },
];

/// A rate in MB/s.
fn rate(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}
