//! [CARv1](https://ipld.io/specs/transport/car/carv1/): content-addressed archives as a stream.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod buffer;
mod decoder;
mod encoder;
mod error;
mod header;
pub mod index;
mod read_at;
mod section;

pub use carpool_core::Cid;
pub use decoder::{Decoder, Item};
pub use encoder::{SectionPrefix, header, section_len, section_prefix};
pub use error::Error;
pub use header::Header;
pub use read_at::ReadAt;
pub use section::{Section, Status, decode};
