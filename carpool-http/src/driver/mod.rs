//! The one loop: it answers the machines' look-ups from a store, in batches, and moves blocks
//! between them and CAR bodies. It blocks, so it runs on a thread of its own; bodies come and go
//! through bounded channels, which is where a slow reader or a slow disk is felt.

mod body;
mod delta;
mod gather;
mod sink;
mod source;

pub(crate) use body::{Arriving, Body, CHANNEL_CHUNKS, Incoming};
pub(crate) use delta::{About, Common, DeltaBody, Taken};
pub use gather::{Gathered, complete, gather};
pub(crate) use gather::{gather_within, larger_than, missing_below};
pub(crate) use sink::{Next, SinkDriver};
pub(crate) use source::{Sent, SourceDriver};

/// Blocks with links are read from the store this many at a time.
pub(crate) const READ_BLOCKS: usize = 32;
