use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use carpool_core::Cid;

use super::{
    Gossip, MAX_CANDIDATES, MAX_CLAIM, MAX_OPEN_EPOCHS, MAX_PULLS, Part, Promises, Provided,
    PullId, SessionKey, pull::Pull,
};
use crate::{Error, Plan};

/// One source's part in the session of a pool, over all pulls of it: it says what it promises beyond its share, what it
/// lacks and when it is done, minds what others say, and takes over what nobody promises.
///
/// It has no way to send anything, and no clock: what is to be told to all others comes out of
/// [`poll_message`](Self::poll_message), in any order and from whatever call, and may be lost.
///
/// A pull is [opened](Self::open); its walk asks [`is_mine`](Self::is_mine) of each block and says
/// [what is not here](Self::handle_lack); [when the share is sent](Self::handle_sent) there are
/// [`candidates`](Self::candidates), those of them that are here are [promised](Self::promise) and sent, until there
/// are none; in the end, whatever came of it, it is [closed](Self::handle_closed).
#[derive(Debug)]
pub struct Member {
    me: u8,
    view: Provided,
    /// By epoch.
    promises: BTreeMap<u32, Promises>,
    /// Sources that were heard of in this session: they hear what is told, and mind it.
    heard: BTreeSet<u8>,
    pulls: BTreeMap<PullId, Pull>,
    /// How many were opened.
    opened: u64,
    /// The epoch of a hello that is to be said.
    greets: Option<u32>,
    /// Whether all that was said is to be said again.
    repeats: bool,
    /// What is left of that.
    outbox: VecDeque<Gossip>,
}

impl Member {
    /// The part of the source at the place `me` of its plans, which knows what `view` does.
    #[must_use]
    pub fn new(me: u8, view: Provided) -> Self {
        let (promises, heard, pulls, outbox) = Default::default();
        Self { me, view, promises, heard, pulls, opened: 0, greets: None, repeats: false, outbox }
    }

    /// The place of this source in its plans.
    #[must_use]
    pub const fn me(&self) -> u8 {
        self.me
    }

    /// The session's keys.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        self.view.key()
    }

    /// What is known of who provides what.
    #[must_use]
    pub const fn view(&self) -> &Provided {
        &self.view
    }

    /// Pulls that are open.
    #[must_use]
    pub fn pulls(&self) -> usize {
        self.pulls.len()
    }

    /// Begins a pull by `plan`, and says hello, so that others know that it hears them. Several may be under way at a
    /// time, of one epoch or of several. A sink has [`MAX_OPEN_EPOCHS`](super::MAX_OPEN_EPOCHS) open at most, so those
    /// that many before the plan's are closed.
    ///
    /// # Errors
    /// [`Error::Plan`] for a plan of another session or for another place, [`Error::TooMany`] beyond [`MAX_PULLS`].
    pub fn open(&mut self, plan: Plan, part: Part) -> Result<PullId, Error> {
        if plan.me() != self.me || SessionKey::new(plan.session()).id() != self.key().id() {
            return Err(Error::Plan { expected: "the session and the place of this source" });
        }
        if self.pulls.len() >= MAX_PULLS {
            let (count, max) = (self.pulls.len() as u64 + 1, MAX_PULLS as u64);
            return Err(Error::TooMany { what: "pulls of a session", count, max });
        }
        self.view.close_before(plan.epoch().saturating_add(1).saturating_sub(MAX_OPEN_EPOCHS));
        self.greets = Some(plan.epoch());
        let id = PullId(self.opened);
        self.opened += 1;
        self.pulls.insert(id, Pull::new(plan, part));
        Ok(id)
    }

    /// Whether a pull sends a block: if its plan gives it to this source and nobody promised it meanwhile. What it may
    /// take over later it remembers, of all pulls together the [`MAX_CANDIDATES`] at the far ends of their walks.
    pub fn is_mine(&mut self, pull: PullId, cid: &Cid) -> bool {
        let Some(under_way) = self.pulls.get(&pull) else { return false };
        if under_way.plan.is_mine(cid) {
            return !self.view.is_provided(cid);
        }
        if under_way.may_take(cid) {
            self.note(pull, cid);
        }
        false
    }

    /// A block that the walk of a pull came to is not here. If the plan gives it to this source others are told, of
    /// whom the next in preference is to send it.
    pub fn handle_lack(&mut self, pull: PullId, cid: &Cid) {
        let Some(plan) = self.plan(pull).filter(|plan| plan.is_mine(cid)) else { return };
        let epoch = plan.epoch();
        // Past a limit it is not said, which costs blocks that come twice; so below.
        let _said = self.promises_of(epoch, |promises, view| promises.lack(view, cid));
    }

    /// The share of a pull is sent. Others are told when that is so of all open pulls of its epoch.
    pub fn handle_sent(&mut self, pull: PullId) {
        let Some(under_way) = self.pulls.get_mut(&pull) else { return };
        under_way.finish();
        let epoch = under_way.plan.epoch();
        let mut same = self.pulls.values().filter(|pull| pull.plan.epoch() == epoch);
        if same.all(|pull| pull.sent) {
            let _said = self.promises_of(epoch, |promises, view| promises.finish(view));
        }
    }

    /// The next blocks that a pull whose share is sent may send beyond it, if they are here: at most [`MAX_CLAIM`], from the far end of the
    /// walk, leaves that nobody promised, of sources that hear of it and are at work, or that lack them. Those
    /// that fall to this source by the weights of the idle alone come first. Each is given once; empty when none is left.
    pub fn candidates(&mut self, pull: PullId) -> Vec<Cid> {
        let Some(under_way) = self.pulls.get_mut(&pull).filter(|pull| pull.sent) else {
            return Vec::new();
        };
        let (mut others, plan) = (under_way.take_noted(), under_way.plan.clone());
        let chosen = self.choose(pull, &plan, &mut others);
        if let Some(under_way) = self.pulls.get_mut(&pull) {
            under_way.put_back(others);
        }
        chosen
    }

    /// Promises those of `cids` that nobody promised meanwhile, no other pull of this source either, and gives them
    /// back: they are to be sent.
    pub fn promise(&mut self, pull: PullId, cids: &[Cid]) -> Vec<Cid> {
        let Some(epoch) = self.plan(pull).map(Plan::epoch) else { return Vec::new() };
        let mut promise = |cid: &&Cid| {
            !self.view.is_provided(cid)
                && self
                    .promises_of(epoch, |promises, view| promises.promise(view, cid))
                    .unwrap_or(false)
        };
        cids.iter().filter(|cid| promise(cid)).copied().collect()
    }

    /// A pull has ended, well or not.
    pub fn handle_closed(&mut self, pull: PullId) {
        self.pulls.remove(&pull);
    }

    /// Takes a message of another member or of the sink. Who is heard for the first time is told all that was said here, since it may have
    /// come later. What is said in this source's own name does not count.
    ///
    /// # Errors
    /// As [`Gossip::decode`] and [`Provided::apply`]; nothing of the message is taken then.
    pub fn handle_message(&mut self, message: &[u8]) -> Result<(), Error> {
        let gossip = Gossip::decode(self.view.key(), message)?;
        if gossip.source() == self.me {
            self.view.apply(&gossip.of_epochs())?;
        } else {
            self.view.apply(&gossip)?;
            if gossip.is_of_source() && self.heard.insert(gossip.source()) {
                (self.greets, self.repeats) = (Some(gossip.epoch()), true);
            }
        }
        let view = &self.view;
        self.promises.retain(|epoch, _| !view.is_closed(*epoch));
        Ok(())
    }

    /// What is to be told to the others next; `None` when there is nothing new.
    pub fn poll_message(&mut self) -> Option<Vec<u8>> {
        let gossip = self.next_message()?;
        Some(gossip.encode(self.view.key()))
    }

    /// All that this source has said, as messages that say it to somebody who was told nothing; a hello at least.
    pub fn told(&self) -> impl Iterator<Item = Vec<u8>> {
        let hello = Gossip::hello(self.me, 0);
        let said = [hello].into_iter().chain(self.own());
        said.map(|gossip| gossip.encode(self.view.key()))
    }

    fn next_message(&mut self) -> Option<Gossip> {
        if let Some(epoch) = self.greets.take() {
            return Some(Gossip::hello(self.me, epoch));
        }
        if self.outbox.is_empty() && core::mem::take(&mut self.repeats) {
            // What is new is in there as well.
            self.promises.values_mut().for_each(|promises| drop(promises.take(&self.view)));
            self.outbox = self.own().collect();
        }
        let (outbox, view) = (&mut self.outbox, &self.view);
        let news = || self.promises.values_mut().find_map(|promises| promises.take(view));
        outbox.pop_front().or_else(news)
    }

    fn own(&self) -> impl Iterator<Item = Gossip> {
        self.view.told().filter(|said| said.source() == self.me && !said.facts.is_empty())
    }

    fn plan(&self, pull: PullId) -> Option<&Plan> {
        self.pulls.get(&pull).map(|pull| &pull.plan)
    }

    fn note(&mut self, pull: PullId, cid: &Cid) {
        if self.pulls.values().map(Pull::noted).sum::<usize>() >= MAX_CANDIDATES
            && let Some(most) = self.pulls.values_mut().max_by_key(|pull| pull.noted())
        {
            most.forget_one();
        }
        if let Some(pull) = self.pulls.get_mut(&pull) {
            pull.note(cid);
        }
    }

    fn choose(&self, pull: PullId, plan: &Plan, others: &mut VecDeque<Cid>) -> Vec<Cid> {
        let heirs = self.heirs(plan);
        let (mut mine, mut rest) = (Vec::new(), VecDeque::new());
        while mine.len() < MAX_CLAIM {
            let Some(cid) = others.pop_front() else { break };
            if !self.is_open(pull, plan, &cid) {
                continue;
            }
            if heirs.as_ref().is_none_or(|heirs| heirs.is_mine(&cid)) {
                mine.push(cid);
            } else {
                rest.push_back(cid);
            }
        }
        if mine.is_empty() {
            mine.extend(rest.drain(..rest.len().min(MAX_CLAIM)));
        }
        // What is another's for now is looked at again, and taken in the end.
        others.extend(rest);
        mine
    }

    /// The plan of those who are done, of whom this source is one: who is idle shares the rest like a plan of its own.
    fn heirs(&self, plan: &Plan) -> Option<Plan> {
        let epoch = plan.epoch();
        let idle = |place: u8| place == self.me || self.view.is_done(place, epoch);
        let weights = (0..).zip(plan.weights()).map(
            |(place, weight)| {
                if idle(place) { (*weight).max(1) } else { 0 }
            },
        );
        Plan::new(*plan.session(), epoch, self.me, 0, weights.collect()).ok()
    }

    fn is_open(&self, pull: PullId, plan: &Plan, cid: &Cid) -> bool {
        let owner = plan.owner(cid).and_then(|owner| u8::try_from(owner).ok());
        let Some(owner) = owner.filter(|owner| self.heard.contains(owner)) else { return false };
        let at_work = !self.view.is_done(owner, plan.epoch());
        let left = at_work || self.view.is_lacked_by(owner, cid);
        // Another pull sends its own share.
        let elsewhere = || self.pulls.iter().any(|(id, it)| *id != pull && it.plan.is_mine(cid));
        left && !self.view.is_provided(cid) && !elsewhere()
    }

    fn promises_of<T>(
        &mut self,
        epoch: u32,
        note: impl FnOnce(&mut Promises, &mut Provided) -> T,
    ) -> T {
        let me = self.me;
        let promises = self.promises.entry(epoch).or_insert_with(|| Promises::new(me, epoch));
        note(promises, &mut self.view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_OPEN_EPOCHS;
    use alloc::vec;
    use carpool_core::{Block, codec};

    const SESSION: [u8; 16] = [7; 16];

    fn cid(n: usize) -> Cid {
        *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid()
    }

    fn plan(epoch: u32, me: u8, members: usize) -> Plan {
        Plan::new(SESSION, epoch, me, 0, vec![1; members]).expect("a good plan")
    }

    fn member(me: u8) -> Member {
        Member::new(me, Provided::new(&SESSION))
    }

    fn opened(me: u8, members: usize, part: Part) -> (Member, PullId) {
        let mut member = member(me);
        let pull = member.open(plan(0, me, members), part).expect("room");
        (member, pull)
    }

    fn hello(source: u8) -> Vec<u8> {
        Gossip::hello(source, 0).encode(&SessionKey::new(&SESSION))
    }

    /// What another source says in an epoch.
    fn said(source: u8, epoch: u32, say: impl FnOnce(&mut Promises, &mut Provided)) -> Vec<u8> {
        let (mut view, mut theirs) = (Provided::new(&SESSION), Promises::new(source, epoch));
        say(&mut theirs, &mut view);
        theirs.take(&view).expect("it says something").encode(view.key())
    }

    fn done(source: u8) -> Vec<u8> {
        said(source, 0, |theirs, view| theirs.finish(view).expect("few"))
    }

    /// All that is to be told, as the others know it then.
    fn told(member: &mut Member) -> (Provided, usize) {
        let (mut view, mut messages) = (Provided::new(&SESSION), 0);
        while let Some(message) = member.poll_message() {
            let gossip = Gossip::decode(view.key(), &message).expect("a good message");
            assert_eq!(gossip.source(), member.me());
            view.apply(&gossip).expect("within the limits");
            messages += 1;
        }
        (view, messages)
    }

    fn of(owner: usize, members: usize) -> impl Iterator<Item = Cid> {
        let plan = plan(0, 0, members);
        (0..).map(cid).filter(move |cid| plan.owner(cid) == Some(owner))
    }

    /// Walks over some leaves, and ends the share.
    fn walk(member: &mut Member, pull: PullId, cids: impl IntoIterator<Item = Cid>) -> Vec<Cid> {
        let sent = cids.into_iter().filter(|cid| member.is_mine(pull, cid)).collect();
        member.handle_sent(pull);
        sent
    }

    #[test]
    fn pulls_at_the_limit_and_one_past_it() {
        let mut member = member(0);
        let mut open = |epoch| member.open(plan(epoch, 0, 2), Part::TakesOver);
        let epochs = (0..MAX_OPEN_EPOCHS).cycle().take(MAX_PULLS);
        let pulls: Vec<_> = epochs.map(|epoch| open(epoch).expect("room")).collect();
        let (count, max) = (MAX_PULLS as u64 + 1, MAX_PULLS as u64);
        assert_eq!(open(0), Err(Error::TooMany { what: "pulls of a session", count, max }));
        member.handle_closed(pulls[3]);
        assert!(member.open(plan(0, 0, 2), Part::Minds).is_ok());
        assert!(!member.is_mine(pulls[3], &of(0, 2).next().unwrap()), "it is over");
    }

    #[test]
    fn epochs_at_the_limit_and_one_past_it_and_plans_of_others() {
        let mut member = member(0);
        for (epoch, closed) in
            [(MAX_OPEN_EPOCHS - 1, false), (MAX_OPEN_EPOCHS, true), (u32::MAX, true)]
        {
            assert!(member.open(plan(epoch, 0, 2), Part::TakesOver).is_ok());
            assert_eq!(member.view().is_closed(0), closed, "{epoch}");
        }
        let mut open = |plan| member.open(plan, Part::TakesOver).map(drop);
        let other = Plan::new([8; 16], 0, 0, 0, vec![1; 2]).unwrap();
        for plan in [plan(0, 1, 2), other] {
            assert!(matches!(open(plan), Err(Error::Plan { .. })));
        }
    }

    #[test]
    fn candidates_at_the_limit_and_one_past_it() {
        let (mut ours, pull) = opened(0, 2, Part::TakesOver);
        let theirs: Vec<Cid> = of(1, 2).take(MAX_CANDIDATES + 1).collect();
        for cid in &theirs {
            ours.is_mine(pull, cid);
        }
        let others = ours.pulls[&pull].others();
        assert_eq!(others.len(), MAX_CANDIDATES);
        assert_eq!(others.front(), Some(&theirs[1]), "the far end stays");
        ours.handle_sent(pull);
        let second = ours.open(plan(1, 0, 2), Part::TakesOver).unwrap();
        assert!(!ours.is_mine(second, &theirs[0]));
        let (first, second) = (ours.pulls[&pull].others(), ours.pulls[&second].others());
        assert_eq!((first.len(), second.len()), (MAX_CANDIDATES - 1, 1), "of all pulls together");
        assert_eq!(first.front(), theirs.last());
    }

    #[test]
    fn a_claim_at_the_limit_from_the_far_end() {
        let (mut ours, pull) = opened(0, 2, Part::TakesOver);
        ours.handle_message(&hello(1)).unwrap();
        let mut far: Vec<Cid> = of(1, 2).take(MAX_CLAIM + 1).collect();
        assert_eq!(walk(&mut ours, pull, far.clone()), []);
        far.reverse();
        assert_eq!(ours.candidates(pull), far[..MAX_CLAIM]);
        assert_eq!(ours.candidates(pull), far[MAX_CLAIM..]);
        assert_eq!(ours.candidates(pull), [], "each is given once");
    }

    #[test]
    fn nothing_is_taken_over_of_who_was_not_heard_nor_by_who_only_minds() {
        for (part, heard, taken) in
            [(Part::TakesOver, true, 5), (Part::TakesOver, false, 0), (Part::Minds, true, 0)]
        {
            let (mut ours, pull) = opened(0, 2, part);
            if heard {
                ours.handle_message(&hello(1)).unwrap();
            }
            walk(&mut ours, pull, of(1, 2).take(5));
            assert_eq!(ours.candidates(pull).len(), taken, "{part:?}, {heard}");
        }
    }

    #[test]
    fn who_only_minds_leaves_out_what_is_promised_and_says_what_it_lacks_and_that_it_is_done() {
        let (mut ours, pull) = opened(0, 2, Part::Minds);
        let mine: Vec<Cid> = of(0, 2).take(3).collect();
        let promise = |theirs: &mut Promises, view: &mut Provided| {
            theirs.promise(view, &mine[0]).expect("few");
        };
        ours.handle_message(&said(1, 0, promise)).unwrap();
        ours.handle_lack(pull, &mine[1]);
        ours.handle_lack(pull, &of(1, 2).next().unwrap());
        assert_eq!(walk(&mut ours, pull, mine.clone()), mine[1..]);
        let (view, _) = told(&mut ours);
        assert!(view.is_lacked_by(0, &mine[1]) && view.is_done(0, 0));
        assert!(!view.is_lacked_by(0, &of(1, 2).next().unwrap()), "that is another's");
    }

    /// Of three the first two are done: each begins with a part of the third's, and takes all in the end.
    #[test]
    fn who_is_idle_shares_the_rest() {
        let mut firsts = Vec::new();
        for me in [0, 1] {
            let (mut ours, pull) = opened(me, 3, Part::TakesOver);
            for message in [done(1 - me), hello(2)] {
                ours.handle_message(&message).unwrap();
            }
            let theirs: BTreeSet<Cid> = of(2, 3).take(40).collect();
            walk(&mut ours, pull, theirs.clone());
            let first = ours.candidates(pull);
            assert!(!first.is_empty());
            let mut all: BTreeSet<Cid> = first.iter().copied().collect();
            firsts.push(all.clone());
            loop {
                let more = ours.candidates(pull);
                if more.is_empty() {
                    break;
                }
                all.extend(more);
            }
            assert_eq!(all, theirs);
        }
        assert!(firsts[0].is_disjoint(&firsts[1]));
    }

    #[test]
    fn pulls_of_two_epochs_promise_nothing_twice() {
        let (mut ours, first) = opened(0, 2, Part::TakesOver);
        let second = ours.open(plan(1, 0, 2), Part::TakesOver).unwrap();
        ours.handle_message(&hello(1)).unwrap();
        for pull in [first, second] {
            walk(&mut ours, pull, of(1, 2).take(20));
        }
        let both = [ours.candidates(first), ours.candidates(second)];
        assert_eq!(both[0], both[1]);
        assert_eq!(ours.promise(first, &both[0][..8]), both[0][..8]);
        assert_eq!(ours.promise(second, &both[1]), both[1][8..]);
        let third = ours.open(plan(2, 0, 2), Part::TakesOver).unwrap();
        assert_eq!(walk(&mut ours, third, of(1, 2).take(20)), []);
        assert_eq!(ours.candidates(third), []);
        let (view, _) = told(&mut ours);
        assert!(of(1, 2).take(20).all(|cid| view.count(&cid) == 1));
    }

    #[test]
    fn the_share_of_one_pull_is_not_taken_over_by_another() {
        let (mut ours, first) = opened(0, 2, Part::TakesOver);
        ours.handle_message(&hello(1)).unwrap();
        walk(&mut ours, first, of(1, 2).take(20));
        // Now all of it is this source's.
        let all = Plan::new(SESSION, 1, 0, 0, vec![1, 0]).unwrap();
        let second = ours.open(all, Part::TakesOver).unwrap();
        assert_eq!(ours.candidates(first), []);
        assert_eq!(walk(&mut ours, second, of(1, 2).take(20)).len(), 20);
    }

    #[test]
    fn what_was_promised_in_one_epoch_is_left_out_in_the_next() {
        let (mut ours, first) = opened(0, 2, Part::TakesOver);
        ours.handle_message(&hello(1)).unwrap();
        walk(&mut ours, first, of(1, 2).take(20));
        let some = ours.candidates(first)[..5].to_vec();
        assert_eq!(ours.promise(first, &some), some);
        let all = Plan::new(SESSION, 1, 0, 0, vec![1, 0]).unwrap();
        let second = ours.open(all, Part::TakesOver).unwrap();
        assert_eq!(walk(&mut ours, second, of(1, 2).take(20)).len(), 15);
    }

    #[test]
    fn a_share_is_done_when_all_pulls_of_its_epoch_are() {
        let (mut ours, first) = opened(0, 2, Part::TakesOver);
        let again = ours.open(plan(0, 0, 2), Part::TakesOver).unwrap();
        let later = ours.open(plan(1, 0, 2), Part::TakesOver).unwrap();
        ours.handle_sent(first);
        assert!(!ours.view().is_done(0, 0));
        ours.handle_sent(again);
        assert!(ours.view().is_done(0, 0) && !ours.view().is_done(0, 1));
        ours.handle_sent(later);
        assert!(ours.view().is_done(0, 1));
    }

    #[test]
    fn a_hello_comes_first_and_who_is_heard_first_is_told_all_of_it_once() {
        let (mut ours, pull) = opened(0, 3, Part::TakesOver);
        let (view, messages) = told(&mut ours);
        assert_eq!((view == Provided::new(&SESSION), messages), (true, 1), "a hello");
        let mine: Vec<Cid> = of(0, 3).take(9).collect();
        mine.iter().for_each(|cid| ours.handle_lack(pull, cid));
        assert_eq!(told(&mut ours).1, 1, "in one message");
        assert_eq!(told(&mut ours).1, 0);
        for source in [1, 2] {
            ours.handle_message(&hello(source)).unwrap();
        }
        let (view, messages) = told(&mut ours);
        assert_eq!(messages, 2, "a hello and all, once for both");
        assert!(mine.iter().all(|cid| view.is_lacked_by(0, cid)));
        ours.handle_message(&hello(1)).unwrap();
        assert_eq!(told(&mut ours).1, 0);
        assert_eq!(ours.told().count(), 2);
    }

    #[test]
    fn messages_in_its_own_name_say_nothing_but_of_epochs() {
        let (mut ours, pull) = opened(0, 2, Part::TakesOver);
        ours.handle_message(&done(0)).unwrap();
        assert!(!ours.view().is_done(0, 0));
        let mut sink = Provided::new(&SESSION);
        sink.drop_source(1);
        let said = sink.told().next().expect("of epochs").encode(sink.key());
        ours.handle_message(&said).unwrap();
        assert!(ours.view().is_done(1, 0));
        // Nor does what a sink says make a source heard.
        let (mut other, theirs) = opened(1, 2, Part::TakesOver);
        sink = Provided::new(&SESSION);
        sink.close(0, []).unwrap();
        let said = sink.told().next().expect("of epochs").encode(sink.key());
        told(&mut other);
        other.handle_message(&said).unwrap();
        assert_eq!(told(&mut other).1, 0);
        assert!(other.view().is_closed(0));
        assert_eq!(
            (walk(&mut other, theirs, of(0, 2).take(3)), other.candidates(theirs)),
            Default::default()
        );
        assert!(!ours.is_mine(pull, &of(1, 2).next().unwrap()));
    }

    #[test]
    fn what_is_forged_changes_nothing() {
        let (mut ours, pull) = opened(0, 2, Part::TakesOver);
        let mut forged = hello(1);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(ours.handle_message(&forged), Err(Error::Forged));
        walk(&mut ours, pull, of(1, 2).take(3));
        assert_eq!(ours.candidates(pull), []);
    }
}
