use carpool_core::Cid;
use carpool_pool::{Ask, Form, Kind, Plan, PullId, RequestId};
use std::collections::{HashSet, VecDeque};

use super::world::World;
use crate::dag::mix;

/// What a source lies about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Its blocks hash to something else.
    Garbage,
    /// It sends good blocks that nobody asked for, without end.
    Unrelated,
    /// It sends what it sent before again, without end.
    Repeats,
    /// It says that an answer is over and has sent nothing.
    Silent,
    /// A byte now and then.
    Dribbles,
    /// It promises all that there is to the others, and sends nothing.
    Promises,
    /// What it tells the others is not sealed.
    Forges,
}

/// How a source behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// What it can do.
    pub kind: Kind,
    /// Bytes a second.
    pub rate: u64,
    /// What the sink is told of that; 0 is nothing.
    pub told: u64,
    /// The rate of each block is off by up to so many hundredths.
    pub jitter: u64,
    /// Of how many hundredths of the blocks it lacks, which `seed` decides.
    pub lacks: u64,
    /// It holds only blocks whose number modulo `.1` is `.0`, if `.1` is not 0.
    pub holds: (u64, u64),
    /// It has blocks whose number modulo `.1` is `.0` in any case, if `.1` is not 0: what somebody has to have.
    pub keeps: (u64, u64),
    /// When it joins, in microseconds.
    pub joins: u64,
    /// When its process dies.
    pub dies: Option<u64>,
    /// When it begins to stand still, and for how long.
    pub stalls: Option<(u64, u64)>,
    /// What it lies about.
    pub lie: Option<Lie>,
    /// Decides what it lacks, and its jitter.
    pub seed: u64,
}

impl Behaviour {
    /// A good source of this kind and rate, of which the sink knows that.
    #[must_use]
    pub const fn good(kind: Kind, rate: u64) -> Self {
        Self {
            kind,
            rate,
            told: rate,
            jitter: 0,
            lacks: 0,
            holds: (0, 0),
            keeps: (0, 0),
            joins: 0,
            dies: None,
            stalls: None,
            lie: None,
            seed: 0,
        }
    }

    /// Whether it holds the block of this number in the order of a walk. Nodes it has where `nodes`.
    #[must_use]
    pub const fn has(&self, number: u64) -> bool {
        let (place, of) = self.keeps;
        if of != 0 && mix(number) % of == place {
            return true;
        }
        let (place, of) = self.holds;
        let mine = of == 0 || number == 0 || mix(number) % of == place;
        mine && (self.lacks == 0 || number == 0 || mix(mix(self.seed) ^ number) % 100 >= self.lacks)
    }
}

/// What a walk comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) cid: Cid,
    /// Whether it is here.
    pub(super) here: bool,
    /// Whether the sink says that it has it.
    pub(super) hidden: bool,
}

/// What a source still sends for a request.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: RequestId,
    pub(super) blocks: VecDeque<Cid>,
    /// It is all that lies below something, or a share of it.
    pub(super) streams: bool,
    /// Of a source that gossips: its part in the session, and what its walk comes to.
    pub(super) pull: Option<PullId>,
    pub(super) walk: VecDeque<Met>,
}

impl Job {
    pub(super) fn new(
        ask: &Ask,
        world: &World,
        holds: impl Fn(&Cid) -> bool,
        hidden: &HashSet<Cid>,
    ) -> Self {
        let below = |plan: Option<&Plan>| {
            let mut blocks = VecDeque::new();
            let mut seen = HashSet::new();
            for root in &ask.want {
                let enter = |cid: &Cid| holds(cid) && !hidden.contains(cid);
                for cid in super::world::walk(*root, world.links(), enter) {
                    let sends =
                        !ask.have.contains(&cid) && plan.is_none_or(|plan| plan.is_mine(&cid));
                    if seen.insert(cid) && sends {
                        blocks.push_back(cid);
                    }
                }
            }
            blocks
        };
        let blocks = match &ask.form {
            Form::Below => below(None),
            Form::Share(plan) => below(Some(plan)),
            Form::Named | _ => ask.want.iter().filter(|cid| holds(cid)).copied().collect(),
        };
        Self {
            request: ask.request,
            blocks,
            streams: ask.form != Form::Named,
            pull: None,
            walk: VecDeque::new(),
        }
    }

    /// A share of a source that gossips: what goes out is decided when it is its turn.
    pub(super) fn gossiping(
        ask: &Ask,
        pull: PullId,
        world: &World,
        holds: impl Fn(&Cid) -> bool,
        hidden: &HashSet<Cid>,
    ) -> Self {
        let have: HashSet<&Cid> = ask.have.iter().collect();
        let (mut walk, mut seen) = (VecDeque::new(), HashSet::new());
        let mut stack: Vec<Cid> = ask.want.iter().rev().copied().collect();
        while let Some(cid) = stack.pop() {
            if hidden.contains(&cid) || !seen.insert(cid) {
                continue;
            }
            let met = Met { cid, here: holds(&cid), hidden: have.contains(&cid) };
            walk.push_back(met);
            if met.here {
                stack.extend(world.links().get(&cid).into_iter().flatten().rev());
            }
        }
        let (request, blocks) = (ask.request, VecDeque::new());
        Self { request, blocks, streams: true, pull: Some(pull), walk }
    }
}
