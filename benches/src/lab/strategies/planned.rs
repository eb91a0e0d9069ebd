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

    fn adapts(&self) -> bool {
        true
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let facts = Facts { common_root: false, last_change: None, ..sink.facts };
        let plan = plan(&facts, &Step::ALL);
        let strategy: &dyn Strategy = match plan.first() {
            Step::HeldRoots => &HeldRoots::FIRST_CONTACT,
            Step::Filter => &Bloom::TUNED,
            Step::InteriorFilter => &Deferral,
            Step::Bitmaps => &Bitmaps,
            Step::Sketch => &Sketches,
            Step::Everything => &Full,
            _ => unreachable!("a step that the laboratory does not have"),
        };
        let mut transcript = strategy.run(source, sink);
        transcript.note(strategy.name());
        transcript
    }
}
