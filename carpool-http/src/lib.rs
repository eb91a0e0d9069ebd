//! [CAR Mirror over HTTP](https://github.com/wnfs-wg/car-mirror-http-spec) v0.2.0: client, server,
//! and the one loop that drives the machines of `carpool-mirror`.
//!
#![doc = include_str!("../README.md")]

mod body;
mod chance;
pub mod client;
mod coding;
mod driver;
mod error;
mod joined;
mod late;
pub mod message;
mod names;
mod pace;
pub mod pool;
mod progress;
mod ranges;
mod reconcile;
pub mod routes;
mod said;
pub mod server;
mod survey;

pub use client::{Client, ClientOptions, PullReport, PushReport};
pub use driver::{Gathered, complete, gather};
pub use error::{Error, Result};
pub use names::{NameRecord, SetNameRequest};
pub use pool::Pool;
pub use progress::{Encodings, Progress, Tally, Totals};
pub use ranges::{Ranged, Ranges};
pub use server::{Server, ServerOptions};
