use alloc::vec::Vec;
use carpool_core::{Block, Cid};

use crate::{
    request::{Ask, RequestId},
    source::{Gone, SourceId},
};

/// What a [`Pool`](crate::Pool) has to say. A driver has to act on each of them, so a new one is to break it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolOutput {
    /// Look this block up and answer with [`Pool::handle_load`](crate::Pool::handle_load).
    Load(Cid),
    /// Find out whether this leaf is held and answer with [`Pool::handle_has`](crate::Pool::handle_has).
    Has(Cid),
    /// Store this block: it is verified, and reachable from a root.
    Store(Block),
    /// Put this block aside, in memory or on disk: it is verified, and nothing that links to it came yet.
    Hold(Block),
    /// Give back what was put aside, with [`Pool::handle_recalled`](crate::Pool::handle_recalled).
    Recall(Cid),
    /// What was put aside is not needed any more.
    Discard(Cid),
    /// Send this request.
    Ask(Ask),
    /// Give this request up; what of it still comes does no harm.
    Cancel {
        /// The source that it was sent to.
        source: SourceId,
        /// Its number.
        request: RequestId,
    },
    /// Tell a source that gossips this, which is sealed for members of the session; it may be lost.
    Tell {
        /// The source.
        source: SourceId,
        /// What it is told.
        message: Vec<u8>,
    },
    /// Read nothing more of this request's answer until it is resumed.
    Pause {
        /// The source that it was sent to.
        source: SourceId,
        /// Its number.
        request: RequestId,
    },
    /// Read on.
    Resume {
        /// The source that it was sent to.
        source: SourceId,
        /// Its number.
        request: RequestId,
    },
    /// This source is not asked any more; its requests are over.
    Drop {
        /// The source.
        source: SourceId,
        /// Why.
        why: Gone,
    },
    /// The transfer is over.
    Done(PoolOutcome),
}

/// What a transfer came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolOutcome {
    /// Wanted blocks that no source has. What lies below them is not known.
    pub missing: usize,
    /// Some of them, at most 16.
    pub named: Vec<Cid>,
}
