//! The Bloom filter of the CAR Mirror specification v0.1.0, section 3.4.
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod filter;
mod hash;
mod index;
mod limits;
mod params;
pub mod sketch;

pub use error::Error;
pub use filter::{Batch, Filter};
pub use index::{Indices, Rejection};
pub use limits::Limits;
pub use params::{MAX_K, Params};
