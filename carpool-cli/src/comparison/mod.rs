//! Two DAGs of the store side by side: paths, blocks, and what sending one costs who holds the other.

mod cost;
mod paths;
mod share;

pub(crate) use cost::{Cost, costs};
pub(crate) use paths::{Change, Kind, Status, changes};
pub(crate) use share::{Count, Share, share};
