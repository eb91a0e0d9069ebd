use carpool_core::{Cid, Limits};
use carpool_mirror::planner::Step;
use carpool_selector::Order;
use std::time::Duration;

use crate::{
    framing::Framing,
    link::{Conditions, Cut},
};

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The sink: a client that wants blocks.
    Pull,
    /// The source: a client that has them.
    Push,
}

/// A transfer to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who speaks first.
    pub direction: Direction,
    /// How blocks are put into bytes.
    pub framing: Framing,
    /// The order in which the source walks.
    pub order: Order,
    /// What both sides hold each other to.
    pub limits: Limits,
    /// The connection, both ways.
    pub network: Conditions,
    /// How the connections that carry blocks are cut, one after another; those after the last are
    /// not.
    pub cuts: Vec<Cut>,
    /// How those that carry the sink's messages are cut.
    pub status_cuts: Vec<Cut>,
    /// How long after it was given up a stalled connection gives out what it withheld; `None` is
    /// never.
    pub late: Option<Duration>,
    /// Old roots that the sink looks at first.
    pub seeds: Vec<Cid>,
    /// Whether the sink's filters have all that it holds, complete or not.
    pub summary: bool,
    /// Whether the server of a pull remembers, from request to request, what it sent, and the sink
    /// counts on that.
    pub session: bool,
    /// Old roots whose DAGs the source of a push takes for held by the sink.
    pub estimate: Vec<Cid>,
    /// Steps of a plan, where both sides read the extension.
    pub steps: Vec<Step>,
    /// Whether the server of a pull forgets at once what it sent.
    pub forgets: bool,
    /// Bytes of a cold call.
    pub cold_call_bytes: u64,
    /// Seeds the hash tables.
    pub seed: u64,
    /// Decides in which order look-ups are answered; 0 is as they were asked.
    pub answers: u64,
}

impl Setup {
    /// A pull: the source is a server and walks depth first.
    #[must_use]
    pub fn pull() -> Self {
        Self {
            direction: Direction::Pull,
            framing: Framing::Car,
            order: Order::DepthFirst,
            limits: Limits::default(),
            network: Conditions::default(),
            cuts: Vec::new(),
            status_cuts: Vec::new(),
            late: None,
            seeds: Vec::new(),
            summary: false,
            session: false,
            estimate: Vec::new(),
            steps: Vec::new(),
            forgets: false,
            cold_call_bytes: 64 << 10,
            seed: 0,
            answers: 0,
        }
    }

    /// A push: the source is a client and walks breadth first.
    #[must_use]
    pub fn push() -> Self {
        Self { direction: Direction::Push, order: Order::BreadthFirst, ..Self::pull() }
    }
}
