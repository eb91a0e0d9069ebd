use core::fmt;

/// Why something that a peer or a caller said about a pool does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A plan with no members, or with more than the limit. The fault of who made the plan.
    Members {
        /// How many it has.
        members: u64,
        /// The limit.
        max: u64,
    },
    /// A plan in which nobody weighs anything, or whose reader is none of its members. The fault of who made
    /// the plan.
    Plan {
        /// What was expected.
        expected: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members { members, max } => {
                write!(f, "pool: a plan of {members} members, limit {max}")
            }
            Self::Plan { expected } => write!(f, "pool: plan: expected {expected}"),
        }
    }
}

impl core::error::Error for Error {}
