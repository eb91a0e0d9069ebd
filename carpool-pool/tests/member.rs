//! Sources that talk, over pulls of two epochs each, and of whose messages some are lost, late, or heard twice:
//! whatever they hear, all that the plans give to who holds it is sent, and none takes over anything twice.

use carpool_core::{Block, Cid, codec};
use carpool_pool::{Member, Part, Plan, Provided, PullId};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const SESSION: [u8; 16] = [5; 16];
const SOURCES: u8 = 3;
const BLOCKS: u8 = 60;

fn cids() -> Vec<Cid> {
    (0..BLOCKS).map(|n| *Block::new(codec::RAW, vec![n].into()).cid()).collect()
}

/// What happens next at a source: in one of its pulls, or to one of the messages on their way.
#[derive(Clone, Copy, Debug)]
enum Act {
    Walk(usize),
    Claim,
    /// Hears a message, which may come again.
    Hear(usize),
    /// One gets lost.
    Lose(usize),
}

fn act() -> impl Strategy<Value = (u8, usize, Act)> {
    let act = prop_oneof![
        3 => (1..30_usize).prop_map(Act::Walk),
        3 => Just(Act::Claim),
        4 => any::<usize>().prop_map(Act::Hear),
        1 => any::<usize>().prop_map(Act::Lose),
    ];
    (0..SOURCES, 0..2_usize, act)
}

struct Source {
    member: Member,
    pulls: Vec<(PullId, Plan, Part)>,
    /// How far their walks are.
    walked: Vec<usize>,
    holds: BTreeSet<Cid>,
    sent: BTreeSet<Cid>,
    claimed: Vec<(usize, Cid)>,
}

impl Source {
    fn new(me: u8, weights: &[Vec<u32>; 2], part: Part, holds: BTreeSet<Cid>) -> Self {
        let mut member = Member::new(me, Provided::new(&SESSION));
        let pulls = (0..).zip(weights).map(|(epoch, weights)| {
            let plan = Plan::new(SESSION, epoch, me, 0, weights.clone()).expect("a good plan");
            (member.open(plan.clone(), part).expect("room"), plan, part)
        });
        let (pulls, walked) = (pulls.collect(), vec![0; 2]);
        let (sent, claimed) = Default::default();
        Self { member, pulls, walked, holds, sent, claimed }
    }

    fn walk(&mut self, at: usize, steps: usize, all: &[Cid]) {
        let (pull, done) = (self.pulls[at].0, self.walked[at] == all.len());
        for cid in all.iter().skip(self.walked[at]).take(steps) {
            self.walked[at] += 1;
            if self.member.is_mine(pull, cid) && self.holds.contains(cid) {
                self.sent.insert(*cid);
            } else if !self.holds.contains(cid) {
                self.member.handle_lack(pull, cid);
            }
        }
        if !done && self.walked[at] == all.len() {
            self.member.handle_sent(pull);
        }
    }

    /// `false` when there is nothing left.
    fn claim(&mut self, at: usize) -> bool {
        let pull = self.pulls[at].0;
        let mut some = self.member.candidates(pull);
        let any = !some.is_empty();
        some.retain(|cid| self.holds.contains(cid));
        let promised = self.member.promise(pull, &some);
        self.sent.extend(&promised);
        self.claimed.extend(promised.into_iter().map(|cid| (at, cid)));
        any
    }

    fn end(&mut self, all: &[Cid]) {
        for at in 0..self.pulls.len() {
            self.walk(at, all.len(), all);
            while self.claim(at) {}
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let once: BTreeSet<Cid> = self.claimed.iter().map(|(_, cid)| *cid).collect();
        prop_assert_eq!(once.len(), self.claimed.len(), "nothing is taken over twice");
        for (at, cid) in &self.claimed {
            let (_, plan, part) = &self.pulls[*at];
            prop_assert!(*part == Part::TakesOver && !plan.is_mine(cid));
        }
        Ok(())
    }
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    vec(0_u32..4, usize::from(SOURCES)).prop_filter("somebody", |all| all.iter().any(|it| *it > 0))
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![1 => Just(Part::Minds), 3 => Just(Part::TakesOver)]
}

proptest! {
    #[test]
    fn all_that_is_owned_and_held_is_sent(
        first in weights(),
        second in weights(),
        parts in vec(part(), usize::from(SOURCES)),
        holds in vec(vec(prop::bool::weighted(0.8), usize::from(BLOCKS)), usize::from(SOURCES)),
        acts in vec(act(), 0..120),
    ) {
        let (all, weights) = (cids(), [first, second]);
        let held = |holds: &Vec<bool>| {
            all.iter().zip(holds).filter_map(|(cid, held)| held.then_some(*cid)).collect()
        };
        let sources = (0..).zip(parts.iter().zip(&holds));
        let mut sources: Vec<Source> =
            sources.map(|(me, (part, holds))| Source::new(me, &weights, *part, held(holds))).collect();
        let mut under_way: Vec<Vec<u8>> = Vec::new();
        for (me, at, act) in acts {
            let source = &mut sources[usize::from(me)];
            match act {
                Act::Walk(steps) => source.walk(at, steps, &all),
                Act::Claim => drop(source.claim(at)),
                Act::Hear(_) | Act::Lose(_) if under_way.is_empty() => {}
                Act::Hear(which) => {
                    let heard = &under_way[which % under_way.len()];
                    source.member.handle_message(heard).expect("of the session");
                }
                Act::Lose(which) => drop(under_way.swap_remove(which % under_way.len())),
            }
            under_way.extend(std::iter::from_fn(|| source.member.poll_message()));
        }
        for source in &mut sources {
            source.end(&all);
            source.check()?;
        }
        let sent: BTreeSet<Cid> = sources.iter().flat_map(|source| &source.sent).copied().collect();
        for source in &sources {
            for (_, plan, _) in &source.pulls {
                let mut owned = source.holds.iter().filter(|cid| plan.is_mine(cid));
                prop_assert!(owned.all(|cid| sent.contains(cid)), "what is held is sent");
            }
        }
    }
}
