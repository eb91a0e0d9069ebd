use alloc::collections::VecDeque;

use crate::planner::Step;

/// How a sink asks, and when it asks in another way.
#[derive(Debug)]
pub(crate) struct Asking {
    /// The step that is taken, and what comes after it.
    steps: VecDeque<Step>,
    /// Whether the source reads the extension.
    pub(crate) extended: bool,
    /// Whether bitmaps are of use: a source that loses what it sent is asked by name.
    pub(crate) bitmaps: bool,
    /// Whether the source has the step's filter.
    pub(crate) filtered: bool,
    /// Rounds of this step.
    rounds: u32,
    /// Rounds in a row that brought what was named alone, where more is missing below it.
    meagre: u8,
    /// Whether filters were given up for good.
    last_resort: bool,
}

/// Levels after which a DAG is no tree.
const LEVELS: u32 = 64;
/// Of a filter that hides what lies below what is named, twice in a row, more is not to be expected:
/// by chance that is one transfer in some hundred thousand.
const MEAGRE: u8 = 2;

impl Asking {
    /// Steps that a sink cannot take are left out.
    pub(crate) fn new(steps: &[Step], extended: bool) -> Self {
        let taken = |step: &Step| match step {
            Step::Filter | Step::Everything => true,
            Step::InteriorFilter | Step::Bitmaps | Step::Sketch => extended,
            Step::HeldRoots => false,
        };
        let steps = steps.iter().copied().filter(taken).collect();
        let (filtered, last_resort) = (false, false);
        Self { steps, extended, bitmaps: extended, filtered, rounds: 0, meagre: 0, last_resort }
    }

    pub(crate) fn step(&self) -> Step {
        self.steps.front().copied().unwrap_or(Step::Filter)
    }

    /// Judges the round that has ended: `only_named` where it brought nothing beside what was named,
    /// and `interior` where blocks with links are missing now. Says whether another step is taken.
    pub(crate) fn judge(&mut self, only_named: bool, interior: bool) -> bool {
        self.rounds += 1;
        let hides = matches!(self.step(), Step::Filter | Step::InteriorFilter);
        self.meagre = if hides && only_named && interior { self.meagre + 1 } else { 0 };
        let chain = self.step() == Step::Bitmaps && self.rounds >= LEVELS && interior;
        let hidden = self.meagre >= MEAGRE;
        if chain {
            self.fall_back();
        } else if hidden {
            self.fall_back_from_filter();
        }
        chain || hidden
    }

    /// The step after this one.
    pub(crate) fn next_step(&self) -> Step {
        self.steps.get(1).copied().unwrap_or(Step::Filter)
    }

    /// Where so little is held that a filter of all of it is small, a round for leaves is dearer.
    pub(crate) fn hold_nothing_back(&mut self) {
        if let Some(step) = self.steps.front_mut().filter(|step| **step == Step::InteriorFilter) {
            *step = Step::Filter;
        }
    }

    /// A message goes out. To ask for everything is of use once: what is left after that, as after a
    /// cut, lies beside what has come.
    pub(crate) fn begin(&mut self) {
        if self.step() == Step::Everything && !self.last_resort {
            self.steps = [Step::Filter].into();
        }
    }

    /// Takes the next step.
    pub(crate) fn fall_back(&mut self) {
        self.steps.pop_front();
        (self.filtered, self.rounds, self.meagre) = (false, 0, 0);
    }

    /// A filter of all that is held is larger than one of what has links; after it comes none.
    fn fall_back_from_filter(&mut self) {
        let next = if self.step() == Step::Filter { Step::Everything } else { Step::Filter };
        self.fall_back();
        self.steps.push_front(next);
        self.last_resort |= next == Step::Everything;
    }
}
