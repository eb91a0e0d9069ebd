//! [CAR Mirror](https://github.com/wnfs-wg/car-mirror-spec) v0.1.0, sections 2 and 3: rounds,
//! narrowing and graph status.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

pub mod bitmap;
mod cold;
mod completeness;
mod error;
pub mod extension;
mod narrowing;
pub mod planner;
mod pruning;
mod seeds;
mod session;
mod sink;
mod sizing;
mod source;
mod status;
mod summary;
mod wants;

pub use error::Error;
pub use narrowing::{Narrowing, filter_of};
pub use session::Session;
pub use sink::{Outcome, Received, Sink, SinkOutput};
pub use source::{Source, SourceOutput};
pub use status::Status;
pub use summary::{Known, Summary};
