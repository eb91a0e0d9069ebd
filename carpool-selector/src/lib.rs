//! [IPLD selectors](https://ipld.io/specs/selectors/), so far the one that explores everything.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod difference;
mod frontier;
mod lookups;
mod parents;
pub mod reference;
mod walk;

pub use difference::Difference;
pub use walk::{DEFAULT_WINDOW, Gate, Order, Step, Walk};
