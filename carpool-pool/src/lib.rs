//! CAR Pool, version 1, as `docs/pool.md` specifies it; the specification that the founding document announces
//! was never written.
//!
#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

mod engine;
mod error;
mod frontier;
mod options;
mod plan;
mod provided;
mod rendezvous;
mod request;
mod source;

pub use engine::{Pool, PoolOutcome, PoolOutput, Took, Trouble};
pub use error::Error;
pub use options::Options;
pub use plan::{MAX_MEMBERS, Plan, SESSION_BYTES};
pub use provided::{
    Counting, Gossip, MAC_BYTES, MAX_CANDIDATES, MAX_CLAIM, MAX_FILL_PERCENT, MAX_FINGERPRINTS,
    MAX_GOSSIP_BYTES, MAX_LAYERS, MAX_OPEN_EPOCHS, MAX_PULLS, MAX_SESSION_FILTER_BYTES,
    MAX_SESSION_FINGERPRINTS, MAX_TALLY_CELLS, MAX_TALLY_HASHES, Member, Part, Promises, Provided,
    PullId, Retractable, SESSION_ID_BYTES, SessionKey, Tallies,
};
pub use request::{Ask, Form, RequestId};
pub use source::{Gone, Kind, SourceId, State, Tally};
