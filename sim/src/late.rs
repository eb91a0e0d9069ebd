use carpool_core::Bytes;
use carpool_mirror::Sink;
use std::time::Duration;

use crate::framing::Unframing;

/// What is left of a connection that was given up.
pub(crate) struct Older {
    pub(crate) unframing: Unframing,
    /// A server's sink, which still reads. A client's is that of today.
    pub(crate) sink: Option<Sink>,
}

/// Bytes of an older connection that arrive while a newer one is up.
pub(crate) struct Late {
    pub(crate) at: Duration,
    pub(crate) bytes: Bytes,
    /// The reader of a late body; `None` for a late request.
    pub(crate) older: Option<Older>,
}
