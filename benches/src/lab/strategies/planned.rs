use carpool_mirror::planner::{Facts, Step, plan};

use super::{Bitmaps, Bloom, Deferral, Full, HeldRoots, Sketches};
use crate::lab::{Sink, Source, Strategy, Transcript};

/// What the planner begins with, where no root is in common, out of all steps that there are in the
/// laboratory, and without any word of what changed before.
#[derive(Clone, Copy, Debug)]
pub struct Planned;

impl Strategy for Planned {
    fn name(&self) -> &'static str {
        "planned"
    }

    fn choice(&self, sink: &Sink<'_>) -> u64 {
        let (step, strategy) = first(sink);
        strategy.choice(sink) << 4 | step as u64
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let (_, strategy) = first(sink);
        let mut transcript = strategy.run(source, sink);
        transcript.note(strategy.name());
        transcript
    }
}

/// The first step of the plan, and the strategy that takes it.
fn first(sink: &Sink<'_>) -> (Step, &'static dyn Strategy) {
    let facts = Facts { common_root: false, last_change: None, ..sink.facts };
    let step = plan(&facts, &Step::ALL).first();
    let strategy: &dyn Strategy = match step {
        Step::HeldRoots => &HeldRoots::FIRST_CONTACT,
        Step::Filter => &Bloom::TUNED,
        Step::InteriorFilter => &Deferral,
        Step::Bitmaps => &Bitmaps,
        Step::Sketch => &Sketches,
        Step::Everything => &Full,
        _ => unreachable!("a step that the laboratory does not have"),
    };
    (step, strategy)
}
