//! What the loop of a pool hears.

use carpool_core::Block;
use carpool_pool::{RequestId, SourceId, Trouble};

use crate::{Client, Error, Result, client::Hello};

/// A source that was greeted.
pub(super) struct Joined {
    pub(super) place: SourceId,
    pub(super) client: Box<Client>,
    pub(super) hello: Result<Hello>,
    /// It was greeted in vain before.
    pub(super) again: bool,
}

pub(super) enum Event {
    Hello(Joined),
    Blocks { source: SourceId, request: RequestId, blocks: Vec<Block> },
    Said { source: SourceId, message: Vec<u8> },
    End { request: RequestId },
    Trouble { source: SourceId, request: RequestId, trouble: Trouble, error: Error },
}
