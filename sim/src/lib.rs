//! Whole transfers in virtual time.
//!
//! A [`Pair`] drives a source and a sink against each other over two [`link::Link`]s and jumps the
//! clock from deadline to deadline: an hour at 2 KB/s takes milliseconds, and a seed replays it.
//! [`mod@reference`] says what has to come of it.

// From its source: the crate that it belongs to brings a server, TLS and a database along, which a
// fuzzer would have to build with its sanitizer.
#[path = "../../carpool-http/src/message.rs"]
pub mod message;

mod answers;
mod clock;
pub mod dag;
mod failure;
mod framing;
mod late;
mod lies;
pub mod link;
mod pair;
mod plan;
pub mod reference;
mod sender;
mod setup;
mod store;
pub mod swarm;
mod taker;

pub use clock::Clock;
pub use failure::Failure;
pub use framing::Framing;
pub use lies::{SinkLie, SourceLie};
pub use pair::{End, Pair, Report, Stuck};
pub use plan::Plan;
pub use setup::{Direction, Setup};
pub use store::{Blocks, Store};
