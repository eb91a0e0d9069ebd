//! [CAR](https://ipld.io/specs/transport/car/), versions 1 and 2: content-addressed archives.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod buffer;
mod decoder;
mod encoder;
mod error;
mod frame;
mod header;
pub mod index;
mod options;
mod read_at;
mod section;
mod sections;
pub mod v2;

pub use carpool_core::Cid;
pub use decoder::{Behind, Decoder, Item, Region};
pub use encoder::{SectionPrefix, header, section_len, section_prefix};
pub use error::Error;
pub use header::Header;
pub use options::{Options, Padding};
pub use read_at::ReadAt;
pub use section::{Section, Status, decode};
pub use sections::{SectionRef, Sections};
