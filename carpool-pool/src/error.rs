use core::fmt;

use carpool_core::Fault;

/// Why something that a peer or a caller said about a pool does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A block that is part of the DAG does not parse.
    Block(carpool_core::Error),
    /// The DAG has more blocks than the limit. Nobody's fault but of who made the DAG, or set the limit.
    Blocks {
        /// The limit.
        max: u64,
    },
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
    /// A message that nobody made who knows the session's name, or one of another session.
    Forged,
    /// Bytes of a member of the session that are no message.
    Gossip {
        /// What was expected.
        expected: &'static str,
    },
    /// More of something in a message or a session than the limit.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// The limit.
        max: u64,
    },
    /// A filter that claims nearly everything.
    Saturated {
        /// Bits that are set.
        ones: u64,
        /// Bits that it has.
        bits: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(error) => error.fmt(f),
            Self::Blocks { max } => write!(f, "pool: a DAG of more than {max} blocks"),
            Self::Members { members, max } => {
                write!(f, "pool: a plan of {members} members, limit {max}")
            }
            Self::Plan { expected } => write!(f, "pool: plan: expected {expected}"),
            Self::Forged => f.write_str("pool: a message of nobody in this session"),
            Self::Gossip { expected } => write!(f, "pool: message: expected {expected}"),
            Self::TooMany { what, count, max } => write!(f, "pool: {count} {what}, limit {max}"),
            Self::Saturated { ones, bits } => {
                write!(f, "pool: a filter with {ones} of its {bits} bits set")
            }
        }
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Peer
    }
}

impl core::error::Error for Error {}
