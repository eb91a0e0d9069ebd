//! [CAR](https://ipld.io/specs/transport/car/), versions 1 and 2: content-addressed archives.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod buffer;
pub mod check;
mod decoder;
mod encoder;
mod error;
mod frame;
mod header;
pub mod index;
mod options;
mod read_at;
mod reader;
mod resume;
mod section;
mod sections;
pub mod v2;
mod writer;

pub use carpool_core::Cid;
pub use decoder::{Behind, Decoder, Item, Region};
pub use encoder::{SectionPrefix, header, section_len, section_prefix, write_section};
pub use error::Error;
pub use header::Header;
pub use options::{Options, Padding};
pub use read_at::ReadAt;
pub use reader::{Head, Reader, Reading};
pub use resume::{Resume, Resumed, Resuming};
pub use section::{Section, Status, decode};
pub use sections::{SectionRef, Sections};
pub use writer::{Dedup, Finish, Indexed, Patch, Place, Placed, Version, WriteOptions, Writer};
