//! CAR Pool, version 1, as `docs/pool.md` specifies it; the specification that the founding document announces
//! was never written.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod engine;
mod error;
mod frontier;
mod options;
mod plan;
mod rendezvous;
mod request;
mod source;

pub use engine::{Pool, PoolOutcome, PoolOutput, Took, Trouble};
pub use error::Error;
pub use options::Options;
pub use plan::{MAX_MEMBERS, Plan, SESSION_BYTES};
pub use request::{Ask, Form, RequestId};
pub use source::{Gone, Kind, SourceId, State, Tally};
