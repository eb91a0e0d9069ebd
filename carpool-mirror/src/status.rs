use alloc::vec::Vec;
use carpool_bloom::Filter;
use carpool_core::Cid;

/// What a sink says about itself (CAR Mirror §3.1.4): the body of a pull request and of the answer
/// to a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Subgraph roots that the sink lacks; empty when it lacks nothing.
    pub want: Vec<Cid>,
    /// Blocks that the sink holds and does not want again.
    pub have: Option<Filter>,
}
