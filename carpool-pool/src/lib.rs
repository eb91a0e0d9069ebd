//! CAR Pool, version 1, as `docs/pool.md` specifies it; the specification that the founding document announces
//! was never written.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod error;
mod plan;
mod rendezvous;

pub use error::Error;
pub use plan::{MAX_MEMBERS, Plan, SESSION_BYTES};
