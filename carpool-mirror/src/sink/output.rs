use alloc::{boxed::Box, vec::Vec};
use carpool_core::{Block, Cid};

use crate::{Status, extension::Request};

/// What a [`Sink`](crate::Sink) has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkOutput {
    /// Look this CID up and answer with [`Sink::handle_load`](crate::Sink::handle_load).
    Load(Cid),
    /// Say with [`Sink::handle_has`](crate::Sink::handle_has) whether this leaf is held; its bytes are
    /// not needed.
    Has(Cid),
    /// Store this block: it is verified, wanted and reachable from the root.
    Store(Block),
    /// Answer with [`Sink::handle_summary`](crate::Sink::handle_summary): what else is held. Only of a
    /// sink that is [`with_summary`](crate::Sink::with_summary), before a message that has use for it.
    Summary,
    /// Answer with [`Sink::handle_plan`](crate::Sink::handle_plan): how to go on, for a sink that holds
    /// so much. Only of a sink that is [`with_plan`](crate::Sink::with_plan), once, before its first
    /// message.
    Plan(Holding),
    /// Send this to the source: it is the next request, or the answer to a push.
    Transmit(Status),
    /// As [`Transmit`](Self::Transmit), in the extension's form.
    Ask(Box<Request>),
    /// The transfer has ended; nothing follows.
    Done(Outcome),
}

/// How a transfer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Blocks that were wanted and never came; 0 when the whole DAG is held.
    pub missing: u64,
    /// The first of them, at most 16.
    pub named: Vec<Cid>,
    /// Rounds that this side asked for; the pushes of a source are not among them.
    pub rounds: u32,
}

/// What a sink holds of what may be below its roots: the facts of a
/// [`planner`](crate::planner), as far as they are the sink's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Blocks.
    pub blocks: u64,
    /// Those of them that can have links.
    pub interior: u64,
    /// Links between a root and the deepest of them.
    pub depth: u64,
    /// Some leaves, at most 16, to ask the store for their sizes.
    pub leaves: Vec<Cid>,
    /// Whether all is held below some old root.
    pub old_root: bool,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was wanted and will be stored.
    Wanted,
    /// It is held already.
    Duplicate,
    /// Nothing that is held links to it; it was dropped.
    Unreachable,
}
