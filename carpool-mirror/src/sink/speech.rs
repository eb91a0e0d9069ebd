use alloc::{boxed::Box, vec::Vec};
use carpool_core::may_link;

use super::{Asked, Outcome, Planning, Sink, SinkOutput};
use crate::{
    Known, Status, Trail,
    composition::{Composed, Composition},
    extension::{Request, Scope},
    planner::Step as Way,
};

/// Bytes of a filter that are nothing to speak of.
const LITTLE_FILTER: usize = 4096;

/// After so many rounds whose filters hid what was missing there is no filter: someone made blocks for
/// that, or it tells too little.
const MAX_HIDINGS: u32 = 4;

/// How many missing CIDs an [`Outcome`] names.
const NAMED_MISSING: usize = 16;

impl Sink {
    pub(super) fn next_round(&mut self) -> Option<SinkOutput> {
        let want = self.wants.available(self.limits.max_wanted);
        if want.is_empty() || self.rounds >= self.limits.max_rounds {
            self.finished = true;
            return Some(SinkOutput::Done(self.outcome()));
        }
        match self.plan {
            Planning::NotYet => {
                self.plan = Planning::Open;
                return Some(SinkOutput::Plan(self.holding()));
            }
            Planning::Open => return None,
            Planning::Done => {}
        }
        if self.asking.as_ref().is_some_and(|asking| asking.extended) && !self.tells_roots() {
            return self.next_question();
        }
        // Of leaves there is nothing to leave out: what is wanted by name comes in any case.
        let narrows = self.may_filter()
            && self.step() != Some(Way::Everything)
            && (self.forgetful || want.iter().any(may_link));
        if narrows && let Some(waits) = self.ask_for_summary() {
            return waits;
        }
        let have = if narrows { self.filter() } else { None };
        self.rounds += 1;
        let may_hide = have.is_some() && want.len() == self.wants.len();
        self.open_round(want.clone(), 0);
        self.round.may_hide = may_hide;
        Some(SinkOutput::Transmit(Status { want, have }))
    }

    /// Asks for the summary before a filter is made; `None` where it is answered or of no use. A
    /// source that forgets sends in many rounds what nobody holds, and the answer to each would have
    /// the summary.
    pub(super) fn ask_for_summary(&mut self) -> Option<Option<SinkOutput>> {
        match self.summary {
            Asked::NotYet if self.repeated || !self.forgetful => {
                self.summary = Asked::Open;
                Some(Some(SinkOutput::Summary))
            }
            Asked::Open => Some(None),
            Asked::Never | Asked::NotYet | Asked::Answered(_) => None,
        }
    }

    /// The next message in the extension's form.
    fn next_question(&mut self) -> Option<SinkOutput> {
        if self.links.is_some() {
            return self.ask();
        }
        let fell_back = self.judge();
        let asking = self.asking.as_mut()?;
        // The first message of a step is by name: beside a bitmap the last filter would stay.
        let speaks = asking.bitmaps && !self.stalled && !fell_back;
        let by_filter = asking.filtered && !fell_back;
        let trail = self.trail.take().filter(|_| speaks);
        self.composition = if asking.bitmaps && !self.stalled {
            self.compose_over(trail, by_filter)
        } else {
            None
        };
        let asking = self.asking.as_mut()?;
        let held_back = matches!(asking.step(), Way::InteriorFilter | Way::Bitmaps);
        if self.composition.is_none() && held_back && self.wants.len() > self.limits.max_wanted {
            // Too many to be named one by one: subgraphs are fewer.
            asking.fall_back();
        }
        self.compose().unwrap_or_else(|| self.ask())
    }

    /// Goes on with the bitmap; `None` where there is none in the making.
    pub(super) fn compose(&mut self) -> Option<Option<SinkOutput>> {
        let composition = self.composition.as_mut()?;
        if let Some(cid) = composition.poll(&mut self.wants, &self.limits) {
            return Some(Some(SinkOutput::Load(cid)));
        }
        if !composition.is_done() {
            return Some(None);
        }
        let composition = self.composition.take();
        self.links = composition.and_then(|made| made.finish(&mut self.wants));
        Some(self.ask())
    }

    /// A bitmap over what came, or over blocks that were held before and are named: as after a cut,
    /// when much is wanted below few. Beside those no filter stays in force.
    fn compose_over(&self, trail: Option<Trail>, by_filter: bool) -> Option<Composition> {
        let round = self.rounds + 1;
        if !by_filter || !self.wants.any_interior() {
            let families = self.wants.families(trail.as_ref(), self.limits.max_wanted);
            if let Some(over) = Composition::over(families, round) {
                return Some(over);
            }
        }
        Composition::new(trail?, round)
    }

    pub(super) fn ask(&mut self) -> Option<SinkOutput> {
        let cells = match self.ask_by_cells() {
            Ok(cells) => cells,
            Err(waits) => return waits,
        };
        let narrows = self.needs_filter();
        if narrows && let Some(waits) = self.ask_for_summary() {
            return waits;
        }
        if narrows && self.knows_little() {
            self.asking.as_mut()?.hold_nothing_back();
        }
        let step = self.asking.as_ref()?.step();
        let have = match step {
            _ if !narrows => None,
            Way::InteriorFilter => self.interior_filter(),
            Way::HeldRoots | Way::Filter | Way::Bitmaps | Way::Sketch | Way::Everything => {
                self.filter()
            }
        };
        let scope = match step {
            Way::InteriorFilter if !self.stalled => Scope::Interior,
            Way::Bitmaps if !self.stalled => Scope::Named,
            Way::HeldRoots
            | Way::Filter
            | Way::InteriorFilter
            | Way::Bitmaps
            | Way::Sketch
            | Way::Everything => Scope::All,
        };
        self.rounds += 1;
        let composed = self.links.take();
        let told = composed.as_ref().map_or(0, |composed| composed.wanted);
        let (links, parents) = composed.map(|it| (it.links, it.parents)).unzip();
        let parents = parents.unwrap_or_default();
        let mut want = self.wants.untold(self.limits.max_wanted, self.rounds);
        self.open_round(want.clone(), told);
        let all = want.len() as u64 + told == self.wants.len() as u64;
        self.round.may_hide = have.is_some() && scope == Scope::All && all;
        // One that is wanted alone goes as the root, which is shorter.
        let root = if links.is_none() && want.len() == 1 { want.pop() } else { None };
        let root = match &cells {
            Some(cells) => self.whole(root, &mut want, cells),
            None => root,
        };
        if let Some(asking) = &mut self.asking {
            let stays = links.is_some() && parents.is_empty();
            asking.filtered = narrows || stays && asking.filtered;
        }
        let (held, session) = (Vec::new(), None);
        Some(SinkOutput::Ask(Box::new(Request {
            root,
            want,
            held,
            have,
            scope,
            links,
            parents,
            session,
            cells,
        })))
    }

    /// A filter goes with what is named, and with the first bitmap after a step began; then it stays
    /// with the source from bitmap to bitmap.
    fn needs_filter(&self) -> bool {
        let Some(asking) = &self.asking else { return false };
        let over_what_came = |composed: &Composed| composed.parents.is_empty();
        let kept = self.links.as_ref().is_some_and(over_what_came) && asking.filtered;
        let filters = matches!(asking.step(), Way::Filter | Way::InteriorFilter);
        filters && !kept && self.may_filter() && self.wants.any_interior()
    }

    /// Whether a summary was asked for and says so little that a filter of all is no longer than a
    /// round trip.
    fn knows_little(&self) -> bool {
        let Asked::Answered(known) = &self.summary else { return false };
        let own = self.walk.seen().len() + self.seeds.held().len();
        known.as_ref().map_or(0, Known::bytes) <= LITTLE_FILTER && own <= LITTLE_FILTER
    }

    fn may_filter(&self) -> bool {
        !self.stalled && self.hidings < MAX_HIDINGS && !self.tells_roots()
    }

    fn outcome(&self) -> Outcome {
        let mut named = self.wants.unavailable(NAMED_MISSING);
        if named.is_empty() {
            named = self.wants.available(NAMED_MISSING);
        }
        Outcome { missing: self.wants.len() as u64, named, rounds: self.rounds }
    }
}
