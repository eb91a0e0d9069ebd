//! Blocks as what differs from blocks that the other side holds.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod apply;
mod cursor;
mod error;
mod frame;
mod index;
pub mod limits;
mod operation;
mod pairing;
mod prefix;
mod sample;
mod scan;
mod stream;

pub use apply::apply;
pub use error::Error;
pub use frame::{Counts, Decoder, Encoder, Options, Output, Sending, Tally};
pub use index::Index;
pub use operation::{Operation, Spot, read_operations, write_operations};
pub use pairing::Pairing;
pub use prefix::{compress_with, decompress_with};
pub use scan::Scanner;
