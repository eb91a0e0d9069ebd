#![doc = include_str!("../README.md")]

mod error;
mod key;
mod local;
mod memory;
mod names;
mod store;

pub use error::{Error, Result};
pub use local::{Cut, LocalOptions, LocalStore, Recovery, Scrub, Stats};
pub use memory::MemoryStore;
pub use names::{Expect, MAX_NAME_BYTES, NameEntry, Names, SetName, check_name};
pub use store::{BlockStore, Store};
