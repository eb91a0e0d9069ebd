//! Plans: who sends what of all that lies below some nodes, without a word. Where one has come to be wrong another
//! takes its place for what is left.

use alloc::vec::Vec;
use carpool_core::Cid;

use super::{NODES, Pool, PoolOutput, claim::NARROW};
use crate::{
    MAX_OPEN_EPOCHS, Plan,
    frontier::{Id, ListId},
    request::{Ask, Form, Request, RequestId, Way},
    source::{Source, SourceId, State},
};

/// This part of the leaves is in no share: it makes up for what chance and rates do to shares.
const RESERVE: u32 = 8;

/// Plans of one transfer.
const MAX_PLANS: usize = 200;

/// The fastest source weighs so much in the first plan.
const FULL: u64 = 1 << 16;

/// A plan stands for so many microseconds at least, and for four round trips, whatever rates are; each further one
/// twice as long.
const CALM: u64 = 200_000;

/// It is looked at every so many microseconds.
const LOOK: u64 = 50_000;

/// What a source brings under a plan is measured over so many microseconds at least.
const MEASURED: u64 = 100_000;

/// CIDs that a request under a plan names as had at most.
const MAX_HAVE: usize = 1 << 16;

/// The plans of a transfer, and the requests under them.
#[derive(Debug)]
pub(super) struct Sharing {
    /// By epoch, each as its first member would read it.
    plans: Vec<Plan>,
    /// By source.
    streams: Vec<Vec<Stream>>,
    /// When the present plan may be replaced because of rates, and for how long the next one stands.
    calm: (u64, u64),
}

/// A request under a plan.
#[derive(Clone, Copy, Debug)]
struct Stream {
    request: RequestId,
    list: ListId,
    /// The epoch of its plan, counted from 1, which is how entries are marked.
    cover: u8,
    /// It is of what the plan before did not give to its source.
    beside: bool,
}

impl Sharing {
    fn plan(&self, cover: u8) -> &Plan {
        &self.plans[usize::from(cover) - 1]
    }

    fn cover(&self) -> u8 {
        u8::try_from(self.plans.len()).expect("plans are few")
    }

    fn weights(&self) -> &[u32] {
        self.plan(self.cover()).weights()
    }

    fn weight(&self, place: usize) -> u32 {
        self.weights().get(place).copied().unwrap_or(0)
    }

    fn is_at_work(&self) -> bool {
        self.streams.iter().any(|streams| !streams.is_empty())
    }

    /// The first plan that somebody is at work under.
    fn first_at_work(&self) -> Option<u8> {
        self.streams.iter().flatten().map(|stream| stream.cover).min()
    }

    /// Whether there may be another plan beside all that are in force.
    fn has_room(&self) -> bool {
        let open = self.cover() + 1 - self.first_at_work().unwrap_or_else(|| self.cover());
        u32::from(open) < MAX_OPEN_EPOCHS
    }

    /// Who brings a block below what a plan is of.
    fn list_of(&self, cover: u8, cid: &Cid) -> Option<ListId> {
        let owner = self.plan(cover).owner(cid)?;
        let brings = |stream: &&Stream| {
            let owns = |cover| self.plan(cover).owner(cid) == Some(owner);
            (stream.cover == cover || (stream.cover < cover && owns(stream.cover)))
                && !(stream.beside && owns(stream.cover - 1))
        };
        self.streams.get(owner)?.iter().find(brings).map(|stream| stream.list)
    }

    pub(super) fn close(&mut self, source: SourceId, request: RequestId) {
        if let Some(streams) = self.streams.get_mut(usize::from(source)) {
            streams.retain(|stream| stream.request != request);
        }
    }

    /// Whether a source loses blocks where these weights take the place of the present ones: to anybody whose
    /// weight comes to more of what it was.
    fn loses(&self, place: usize, weights: &[u32]) -> bool {
        let reserve = u64::from(self.plan(self.cover()).reserve());
        let of = |place: usize| (u64::from(self.weight(place)), u64::from(weights[place]));
        let (was, is) = of(place);
        let gains = |(theirs, now): (u64, u64)| now * was > is * theirs;
        was > 0 && ((0..weights.len()).map(of).any(gains) || gains((reserve, reserve)))
    }
}

impl Pool {
    /// Makes a plan where several sources take one and their rates are known, or nothing but a chain is. What a
    /// source is told a plan of are nodes: of leaves that are known each is asked for once, by name.
    pub(super) fn share_out(&mut self, now: u64) {
        if self.options.differs || self.frontier.wanted_nodes() == 0 {
            return;
        }
        let Some(sharing) = &self.sharing else { return self.begin(now) };
        if !self.may_plan() {
            return;
        }
        if self.narrow >= NARROW && !sharing.is_at_work() {
            self.begin(now);
        } else if let Some(weights) = self.without_failed() {
            self.replace(&weights, now);
        } else if self.may_rebalance(now)
            && let Some(weights) = self.without_slow(now)
        {
            self.rebalance(&weights, now);
        }
    }

    /// Lets those take part who have nothing to do and found nothing to take over.
    pub(super) fn share_again(&mut self, now: u64) {
        for source in &mut self.sources {
            let idle = source.state == State::Ready && source.open == 0;
            source.idle_since = if idle { source.idle_since.or(Some(now)) } else { None };
        }
        if self.may_rebalance(now)
            && let Some(weights) = self.with_idle(now)
        {
            self.rebalance(&weights, now);
        }
        self.share_stream(now);
    }

    /// One source sends all that lies below a node, because nobody else was there: it shares that with who is now.
    fn share_stream(&mut self, now: u64) {
        let sharing = self.sharing.as_ref().is_some_and(Sharing::is_at_work);
        let streams: Vec<RequestId> = self.streams_below().collect();
        let idle = (0..self.sources.len()).any(|place| self.is_idle(place, now));
        if sharing || self.options.differs || !idle || streams.is_empty() || !self.is_of_nodes() {
            return;
        }
        // What a new plan would not take up is not given up.
        let theirs = |request: &RequestId| self.frontier.nodes(self.requests[request].list);
        let nodes = self.frontier.len(NODES) + streams.iter().map(theirs).sum::<usize>();
        if !self.may_plan() || !self.fits(nodes) {
            return;
        }
        streams.into_iter().for_each(|request| self.cancel(request));
        self.narrow = NARROW;
        self.begin(now);
    }

    fn may_plan(&self) -> bool {
        self.sharing.as_ref().is_none_or(|sharing| sharing.plans.len() < MAX_PLANS)
    }

    /// Whether there are as many nodes as one request names.
    fn fits(&self, nodes: usize) -> bool {
        (1..=self.options.max_named).contains(&nodes)
    }

    /// Whether a source that takes plans has had nothing to do for two round trips.
    fn is_idle(&self, place: usize, now: u64) -> bool {
        let of = &self.sources[place];
        let since = of.idle_since.filter(|since| now >= since + idle_for(of));
        of.kind.aware && since.is_some()
    }

    /// When a plan is to be looked at though nothing came.
    pub(super) fn looks_at_plan(&self) -> Option<u64> {
        if !self.is_of_nodes() {
            return None;
        }
        let sharing = self.sharing.as_ref().filter(|sharing| sharing.is_at_work());
        let at = match sharing {
            Some(sharing) => Some(sharing.calm.0),
            None => self.streams_below().next().and_then(|_| self.next_idle()),
        };
        at.map(|at| at.max(self.looks))
    }

    /// When a source that takes plans will have been idle for long.
    fn next_idle(&self) -> Option<u64> {
        let aware = self.sources.iter().filter(|of| of.kind.aware);
        aware.filter_map(|of| Some(of.idle_since? + idle_for(of))).min()
    }

    /// Requests for all that lies below something, of sources that take plans.
    fn streams_below(&self) -> impl Iterator<Item = RequestId> {
        let aware = |of: &Request| self.sources[usize::from(of.source)].kind.aware;
        let below = move |of: &Request| of.way == Way::Below && aware(of);
        self.requests.iter().filter(move |(_, of)| below(of)).map(|(request, _)| *request)
    }

    /// Whether it is time for that.
    pub(super) fn looks_again(&mut self, now: u64) -> bool {
        let due = self.looks_at_plan().is_some_and(|at| now >= at);
        if due {
            self.looks = now + LOOK;
        }
        due
    }

    /// Whether most of what is wanted can have links: of leaves that are known any source can take over any.
    pub(super) fn is_of_nodes(&self) -> bool {
        let nodes = self.frontier.wanted_nodes() as u64;
        let leaves = self.frontier.wanted() as u64 - nodes;
        nodes * self.sizes.of(true) > leaves * self.sizes.of(false)
    }

    fn may_rebalance(&self, now: u64) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        self.is_of_nodes() && self.may_plan() && sharing.is_at_work() && now >= sharing.calm.0
    }

    fn rebalance(&mut self, weights: &[u32], now: u64) {
        let cover = self.sharing.as_ref().map_or(0, Sharing::cover);
        // Where no node is left to share nobody is interrupted.
        if !self.roots_left(cover).is_empty() {
            self.replace(weights, now);
        }
        if let Some(sharing) = &mut self.sharing {
            sharing.calm = (now + sharing.calm.1, sharing.calm.1 * 2);
        }
    }

    /// The present weights without those who do not send any more.
    fn without_failed(&self) -> Option<Vec<u32>> {
        let sharing = self.sharing.as_ref()?;
        let failed =
            |place: usize| sharing.weight(place) > 0 && self.sources[place].state != State::Ready;
        let left = |place: usize| if failed(place) { 0 } else { sharing.weight(place) };
        let weights: Vec<u32> = (0..self.sources.len()).map(left).collect();
        let changes = (0..weights.len()).any(failed) && weights.iter().any(|weight| *weight > 0);
        changes.then_some(weights)
    }

    /// The present weights, less for who brings less than three quarters of what the best does for its weight.
    fn without_slow(&self, now: u64) -> Option<Vec<u32>> {
        let sharing = self.sharing.as_ref()?;
        let brings = |place: usize| -> Option<(u128, u128)> {
            let weight = u128::from(sharing.weight(place)).max(1);
            let rate = self.sources[place].stream_rate(now, MEASURED)?;
            (!sharing.streams.get(place)?.is_empty()).then_some((rate.into(), weight))
        };
        let places = 0..self.sources.len();
        let more = |a: &(u128, u128), b: &(u128, u128)| (a.0 * b.1).cmp(&(b.0 * a.1));
        let best = places.clone().filter_map(brings).max_by(more)?;
        let mut slow = false;
        let weigh = |place: usize| match brings(place) {
            Some((rate, weight)) if rate * best.1 * 4 < best.0 * weight * 3 => {
                slow = true;
                let less = rate * best.1 / best.0.max(1);
                u32::try_from(less).unwrap_or(u32::MAX).max(1)
            }
            _ => sharing.weight(place),
        };
        let weights: Vec<u32> = places.map(weigh).collect();
        slow.then_some(weights)
    }

    /// More weight for those who have been idle for two round trips. What is left is all of the others, so
    /// that they get their part of it they have to weigh more than their rate says.
    fn with_idle(&self, now: u64) -> Option<Vec<u32>> {
        let sharing = self.sharing.as_ref()?;
        let idle = |place: usize| self.is_idle(place, now);
        let rate = |place: usize| {
            let of = &self.sources[place];
            u128::from(of.stream_rate(now, MEASURED).unwrap_or_else(|| of.rate()))
        };
        let at_work = |place: &usize| sharing.streams.get(*place).is_some_and(|of| !of.is_empty());
        let places = 0..self.sources.len();
        let sum = |of: &dyn Fn(usize) -> bool, what: &dyn Fn(usize) -> u128| -> u128 {
            places.clone().filter(|place| of(*place)).map(what).sum()
        };
        let (busy, weight) = (|place| at_work(&place), |place| u128::from(sharing.weight(place)));
        let (rates, weights) = (sum(&busy, &rate).max(1), sum(&busy, &weight).max(1));
        let together = rates + sum(&idle, &rate);
        let raise = |place: usize| {
            let by_rate = rate(place) * weights / rates;
            let more = match sharing.weight(place) {
                0 => by_rate,
                was => u128::from(was) + by_rate * together / rates,
            };
            u32::try_from(more).unwrap_or(u32::MAX).max(1)
        };
        let any = places.clone().any(idle);
        let weigh = |place| if idle(place) { raise(place) } else { sharing.weight(place) };
        any.then(|| places.clone().map(weigh).collect())
    }

    /// Shares out what is wanted and nobody was asked for, by rates.
    fn begin(&mut self, now: u64) {
        let aware = |source: &&Source| source.kind.aware && source.state == State::Ready;
        let members = self.sources.iter().filter(aware).count();
        let known = self.sources.iter().filter(aware).all(Source::knows_rate);
        let fits = self.may_plan() && self.fits(self.frontier.len(NODES));
        if members < 2 || !fits || !(known || self.narrow >= NARROW) {
            return;
        }
        let known = || self.sources.iter().filter(|of| of.knows_rate()).map(Source::rate);
        let (most, count) = (known().max().unwrap_or(1), known().count() as u64);
        // Who is not known is taken for the mean of those who are.
        let mean = known().sum::<u64>().checked_div(count).unwrap_or(most);
        let weigh = |source: &Source| {
            let rate = if source.knows_rate() { source.rate() } else { mean };
            let weight = u128::from(rate) * u128::from(FULL) / u128::from(most.max(1));
            u32::try_from(weight).unwrap_or(u32::MAX).max(1)
        };
        let weight = |source| if aware(&source) { weigh(source) } else { 0 };
        let weights: Vec<u32> = self.sources.iter().map(weight).collect();
        // Who takes no plan lives on the reserve too.
        let others = self.sources.iter().filter(|source| !aware(source) && !source.is_gone());
        let others = others.fold(0_u32, |sum, source| sum.saturating_add(weigh(source)));
        let sum = weights.iter().fold(0_u32, |sum, weight| sum.saturating_add(*weight));
        let reserve = others.saturating_add(sum.saturating_add(others) / RESERVE);
        let wanted = self.all_of(NODES);
        self.narrow = 0;
        self.enter_epoch(&weights, reserve, now);
        self.ask_all(&wanted, |_| false, now);
    }

    /// A new plan with these weights in place of the present one, for what is left. Who loses nothing goes on, and is
    /// asked beside that for what is new.
    fn replace(&mut self, weights: &[u32], now: u64) {
        let Some(sharing) = &self.sharing else { return };
        let reserve = sharing.plan(sharing.cover()).reserve();
        let roots = self.roots_left(sharing.cover());
        let loses = |place| !sharing.has_room() || sharing.loses(place, weights);
        let losers: Vec<bool> = (0..weights.len()).map(loses).collect();
        let streams = sharing.streams.iter().enumerate().filter(|(place, _)| losers[*place]);
        let ended: Vec<RequestId> =
            streams.flat_map(|(_, of)| of.iter().map(|stream| stream.request)).collect();
        ended.into_iter().for_each(|request| self.cancel(request));
        self.enter_epoch(weights, reserve, now);
        if !roots.is_empty() {
            self.ask_all(&roots, |place| !losers[place], now);
        }
    }

    /// Nodes that are wanted and that the plan is of, in the order of a walk; of those that a source turned out not
    /// to have none.
    fn roots_left(&self, cover: u8) -> Vec<Id> {
        let (mut roots, mut at) = (Vec::new(), self.frontier.first_wanted());
        while let Some(id) = at.filter(|_| roots.len() < self.options.max_named) {
            let tried = self.frontier.lacking(id) | self.frontier.withheld(id);
            if self.frontier.is_node(id) && tried == 0 && self.frontier.cover(id) == cover {
                roots.push(id);
            }
            at = self.frontier.after(id);
        }
        roots
    }

    /// What waits, by the member that a plan gives it to.
    fn waits_by_owner(&self, plan: &Plan) -> Vec<Vec<Cid>> {
        let mut waits: Vec<Vec<Cid>> = plan.weights().iter().map(|_| Vec::new()).collect();
        self.waiting.for_each(|cid, _| {
            if let Ok(cid) = carpool_core::cid_exact(cid)
                && let Some(owner) = plan.owner(&cid)
            {
                waits[owner].push(cid);
            }
        });
        // A table has no order, and requests have.
        waits.iter_mut().for_each(|of| of.sort_unstable());
        waits
    }

    /// The epoch of the present plan.
    pub(super) fn epoch(&self) -> Option<u32> {
        self.sharing.as_ref().map(|sharing| u32::from(sharing.cover()) - 1)
    }

    fn enter_epoch(&mut self, weights: &[u32], reserve: u32, now: u64) {
        let slowest = self.sources.iter().map(Source::rtt).max().unwrap_or(0);
        let sharing = self.sharing.get_or_insert_with(|| {
            let stands = CALM.max(4 * slowest);
            Sharing { plans: Vec::new(), streams: Vec::new(), calm: (now + stands, 2 * stands) }
        });
        let epoch = u32::from(u8::try_from(sharing.plans.len()).expect("plans are few"));
        let plan = Plan::new(self.options.session, epoch, 0, reserve, weights.to_vec());
        sharing.plans.push(plan.expect("somebody weighs something"));
        sharing.streams.resize_with(weights.len(), Vec::new);
        let first = sharing.first_at_work().map_or(epoch, |cover| u32::from(cover) - 1);
        self.close_before(first);
    }

    /// Asks the members for their shares of what lies below `roots`; `beside` says of each whether it is asked beside
    /// what it sends.
    fn ask_all(&mut self, roots: &[Id], beside: impl Fn(usize) -> bool, now: u64) {
        let Some(sharing) = &self.sharing else { return };
        let (cover, plan) = (sharing.cover(), sharing.plan(sharing.cover()).clone());
        let before = (cover > 1).then(|| sharing.plan(cover - 1).weights().to_vec());
        let want: Vec<Cid> = roots.iter().map(|id| self.frontier.cid(*id)).collect();
        let mut waits = self.waits_by_owner(&plan);
        for (place, weight) in plan.weights().iter().enumerate() {
            let source = SourceId::try_from(place).expect("sources are few");
            if *weight == 0 {
                continue;
            }
            let beside = beside(place);
            let mut plan = plan.read_by(source);
            if let Some(mut before) = before.clone().filter(|_| beside) {
                before.resize(plan.weights().len(), 0);
                plan = plan.beside(before).expect("they are as many");
            }
            // It would be sent again.
            let mut have = core::mem::take(&mut waits[place]);
            have.retain(|cid| plan.is_mine(cid));
            have.truncate(MAX_HAVE);
            self.ask_for_share(source, (want.clone(), have), plan, (cover, beside), now);
        }
        for (id, cid) in roots.iter().zip(&want) {
            self.frontier.note_cover(*id, cover);
            let under = self.frontier.list(*id).and_then(|list| self.request_of(list));
            if let (None, Some(list)) = (under, self.share_of(*id, cid)) {
                self.frontier.put(*id, list, None);
            }
        }
    }

    fn ask_for_share(
        &mut self,
        source: SourceId,
        (want, have): (Vec<Cid>, Vec<Cid>),
        plan: Plan,
        (cover, beside): (u8, bool),
        now: u64,
    ) {
        let (form, part) = (Form::Share(plan), self.part(source));
        let (request, list) = self.open(source, &form, want.len(), now);
        if let Some(sharing) = &mut self.sharing {
            let stream = Stream { request, list, cover, beside };
            sharing.streams[usize::from(source)].push(stream);
        }
        self.sources[usize::from(source)].tally.named += want.len() as u64;
        self.outputs.push_back(PoolOutput::Ask(Ask { request, source, want, have, form, part }));
    }

    fn all_of(&self, list: ListId) -> Vec<Id> {
        let mut at = self.frontier.first(list);
        let mut all = Vec::new();
        while let Some(id) = at {
            all.push(id);
            at = self.frontier.right(id);
        }
        all
    }

    /// Whether a source is at work under a plan.
    pub(super) fn sends_share(&self, source: SourceId) -> bool {
        let streams = self.sharing.as_ref().and_then(|of| of.streams.get(usize::from(source)));
        streams.is_some_and(|streams| !streams.is_empty())
    }

    /// Whether a plan gives this block to somebody.
    pub(super) fn is_of_a_share(&self, id: Id, cid: &Cid) -> bool {
        let cover = self.frontier.cover(id);
        let sharing = self.sharing.as_ref().filter(|_| cover > 0);
        sharing.is_some_and(|sharing| sharing.plan(cover).owner(cid).is_some())
    }

    /// The list of the request that brings this block by a plan, as long as its source is at it.
    pub(super) fn share_of(&self, id: Id, cid: &Cid) -> Option<ListId> {
        let cover = self.frontier.cover(id);
        self.sharing.as_ref().filter(|_| cover > 0)?.list_of(cover, cid)
    }
}

/// Who has had nothing to do for so many microseconds found nothing to take over.
fn idle_for(source: &Source) -> u64 {
    MEASURED.max(2 * source.rtt())
}
