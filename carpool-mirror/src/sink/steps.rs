use carpool_core::{Cid, cid_exact, may_link};

use super::{Holding, Planning, Sink};
use crate::{asking::Asking, planner::Step as Way, sketching::Sketching};

/// How many leaves a [`Holding`] names.
const NAMED_LEAVES: usize = 16;

impl Sink {
    /// Answers a [`SinkOutput::Plan`](super::SinkOutput::Plan), or changes what was answered: the steps
    /// in the order in which to try them, and whether the source reads the extension, which all of them
    /// need but [`Filter`](Way::Filter) and [`Everything`](Way::Everything). The sink goes on to the
    /// next one where a step does not get on. [`HeldRoots`](Way::HeldRoots) in front is
    /// [`tell_roots`](Self::tell_roots). Without steps it is a filter.
    pub fn handle_plan(&mut self, steps: &[Way], extended: bool) {
        self.plan = Planning::Done;
        self.tells_roots = extended && steps.first() == Some(&Way::HeldRoots);
        self.asking = Some(Asking::new(steps, extended));
    }

    /// What the sink does now, where it was told what to do.
    #[must_use]
    pub fn step(&self) -> Option<Way> {
        if self.tells_roots() {
            return Some(Way::HeldRoots);
        }
        self.asking.as_ref().map(Asking::step)
    }

    /// The old roots, once it is known that all that lies below them is held: a source that reads
    /// the extension may be told of them. Empty where any block is missing.
    #[must_use]
    pub fn held_roots(&self) -> &[Cid] {
        self.seeds.complete_roots()
    }

    /// Says that the source is told of [`held_roots`](Self::held_roots), so that statuses carry no
    /// filter as long as there are any; `false` takes it back.
    pub fn tell_roots(&mut self, tells: bool) {
        self.tells_roots = tells;
    }

    /// Whether the next status leaves out what [`held_roots`](Self::held_roots) says.
    #[must_use]
    pub fn tells_roots(&self) -> bool {
        self.tells_roots && !self.held_roots().is_empty()
    }

    /// Says that the source has the step's filter already, from a message of another sink.
    pub fn handle_kept_filter(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.filtered = true;
        }
    }

    /// Whether the message of the open round relies on what the source may not know: roots that it was
    /// told of, what it sent, or a key that it drew.
    #[must_use]
    pub fn relies(&self) -> bool {
        self.round.told > 0 || self.tells_roots() || self.step() == Some(Way::Sketch)
    }

    /// Says that the source does not understand what the last message relied on: it has no root that
    /// was named, or does not know any more what it sent. The round counts as cut, and the next
    /// message does without.
    pub fn handle_refused(&mut self) {
        let told = self.round.told > 0;
        self.handle_cut();
        if let (true, Some(asking)) = (told, &mut self.asking) {
            asking.bitmaps = false;
        }
        if self.step() == Some(Way::Sketch) && !told {
            self.give_up_sketch();
        }
        self.tells_roots &= told;
    }

    /// Judges the round that has ended; whether the sink goes on to another step.
    pub(super) fn judge(&mut self) -> bool {
        let Some(only_named) = self.only_named.take() else { return false };
        if self.sketching.as_ref().is_some_and(Sketching::has_spoken) {
            // What cells did not bring they would not bring the next time.
            self.give_up_sketch();
            return false;
        }
        let interior = self.wants.any_interior();
        self.asking.as_mut().is_some_and(|asking| asking.judge(only_named, interior))
    }

    pub(super) fn holding(&self) -> Holding {
        let mut holding = Holding {
            depth: self.seeds.depth().max(self.walk.deepest()).into(),
            old_root: !self.held_roots().is_empty(),
            ..Holding::default()
        };
        self.for_each_told(&mut |cid| {
            holding.blocks += 1;
            let cid = cid_exact(cid).expect("a key is a CID");
            if may_link(&cid) {
                holding.interior += 1;
            } else if holding.leaves.len() < NAMED_LEAVES {
                holding.leaves.push(cid);
            }
        });
        holding
    }
}
