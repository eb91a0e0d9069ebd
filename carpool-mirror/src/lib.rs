//! [CAR Mirror](https://github.com/wnfs-wg/car-mirror-spec) v0.1.0, sections 2 and 3: rounds,
//! narrowing and graph status.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod asking;
pub mod bitmap;
mod cold;
mod completeness;
mod composition;
mod error;
pub mod extension;
mod naming;
mod narrowing;
pub mod planner;
mod pruning;
mod question;
mod reading;
mod seeds;
mod session;
mod share;
mod sink;
mod sizing;
pub mod sketch;
mod sketching;
mod source;
mod status;
mod summary;
mod survey;
mod trail;
mod wants;

pub use error::Error;
pub use naming::Answered;
pub use narrowing::{Narrowing, filter_of};
pub use question::Question;
pub use session::Session;
pub use share::Share;
pub use sink::{Holding, Outcome, Received, Sink, SinkOutput};
pub use source::{Source, SourceOutput};
pub use status::Status;
pub use summary::{Known, Summary};
pub use survey::{MAX_SURVEYED_BYTES, Survey};
pub use trail::{MAX_TRAIL_LINKS, Trail};
