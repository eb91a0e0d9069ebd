//! What was asked of a source and is not answered yet.

use alloc::vec::Vec;
use carpool_core::Cid;

use crate::{Part, Plan, frontier::ListId, source::SourceId};

/// The number of a request in its pool.
pub type RequestId = u64;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// These blocks and nothing else.
    Named,
    /// All that lies below them, in the source's order.
    Below,
    /// What the plan assigns to the source of all that lies below them.
    Share(Plan),
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its number.
    pub request: RequestId,
    /// The source that it goes to.
    pub source: SourceId,
    /// The blocks that it names, at most [`Options::max_named`](crate::Options::max_named).
    pub want: Vec<Cid>,
    /// Blocks below them that are not to be sent, at most 65,536, though nothing is known of what lies below these.
    pub have: Vec<Cid>,
    /// What is wanted of them.
    pub form: Form,
    /// What the source of a share does beside sending it; `None` where it does not gossip.
    pub part: Option<Part>,
}

/// A request under way. What it is to bring waits in a list of its own, in the order in which it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) source: SourceId,
    pub(crate) list: ListId,
    pub(crate) way: Way,
    pub(crate) asked: u64,
    /// How many blocks it named.
    pub(crate) named: u64,
    pub(crate) begun: bool,
    /// Whether the source had nothing else to do when it was asked: only then does the time until it answers say
    /// how far it is.
    pub(crate) alone: bool,
    /// Others took over part of it: it is cancelled where it comes to that.
    pub(crate) stolen: bool,
    /// It is not read at the moment.
    pub(crate) paused: bool,
}

impl Request {
    pub(crate) const NEW: Self = Self {
        source: 0,
        list: 0,
        way: Way::Named,
        asked: 0,
        named: 0,
        begun: false,
        alone: false,
        stolen: false,
        paused: false,
    };
}

/// A [`Form`] without its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Named,
    Below,
    Share,
}
