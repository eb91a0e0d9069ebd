use alloc::boxed::Box;
use carpool_core::Cid;
use core::fmt;

use crate::{Narrowing, Session};

/// Which blocks a source sends of a DAG that others send the rest of.
///
/// It is asked about a block with links twice, when it is met and when it is visited, and about a leaf when
/// it is met; a leaf that is another's is not looked up.
pub struct Share(Box<dyn FnMut(&Cid) -> bool + Send>);

impl Share {
    /// The share of which this says what belongs to it.
    pub fn new(is_mine: impl FnMut(&Cid) -> bool + Send + 'static) -> Self {
        Self(Box::new(is_mine))
    }

    /// Whether a block goes out. A filter and what was sent before speak of the block alone: what lies below
    /// it may have been another's.
    pub(crate) fn sends(&mut self, cid: &Cid, narrowing: &Narrowing, session: &Session) -> bool {
        !narrowing.hides(cid) && !session.contains(cid) && (self.0)(cid)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").finish_non_exhaustive()
    }
}
