use alloc::vec::Vec;

use crate::{
    Error, Source,
    asking::Asking,
    extension::{Asked, Offer},
    planner::Step,
    sketch::{CellRange, NamedKey},
};

/// How the source of a push asks its sink to say what it lacks, and when it asks in another way: what a
/// sink of a pull does by itself, and the sink of a push cannot, for it hears of each request anew.
#[derive(Debug)]
pub struct Question {
    /// `None` where the sink is asked for nothing.
    asking: Option<Asking>,
    /// Whether the filter that is in force goes with the step that was given up.
    drops_filter: bool,
    /// The key of sketches that this side drew, and the cells that it needs.
    sketch: Option<(NamedKey, CellRange)>,
}

impl Question {
    /// Asks for these steps, the first one first, but for sketches; without any, for nothing.
    #[must_use]
    pub fn new(steps: &[Step]) -> Self {
        Self::keyed(steps, None)
    }

    /// As [`new`](Self::new), for sketches too under a key that was drawn for the sink.
    #[must_use]
    pub fn keyed(steps: &[Step], key: Option<NamedKey>) -> Self {
        let can = |step: &Step| key.is_some() || *step != Step::Sketch;
        let asking = (!steps.is_empty())
            .then(|| Asking::new(&steps.iter().copied().filter(can).collect::<Vec<_>>(), true));
        Self { asking, drops_filter: false, sketch: key.map(|key| (key, CellRange::BEGIN)) }
    }

    /// Whether the sink is asked for cells.
    #[must_use]
    pub fn sketches(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.step() == Step::Sketch)
    }

    /// Says which cells are needed next.
    pub const fn handle_need(&mut self, range: CellRange) {
        if let Some((_, cells)) = &mut self.sketch {
            *cells = range;
        }
    }

    /// Goes on to the step after the sketch: it was decoded, or will not be.
    pub fn end_sketch(&mut self) {
        if let Some(asking) = self.asking.as_mut().filter(|it| it.step() == Step::Sketch) {
            asking.fall_back();
        }
    }

    /// What the header of the next request says, once the source's round has begun.
    #[must_use]
    pub fn offer(&self, source: &Source) -> Option<Offer> {
        let asking = self.asking.as_ref()?;
        let keeps_filter = source.keeps_filter() && !self.drops_filter;
        let (key, cells) = self.sketch.filter(|_| self.sketches()).unzip();
        Some(Offer { ask: Some(asking.step()), keeps_filter, key, cells, ..Offer::default() })
    }

    /// Begins the round that answers the sink's extended message. One with a bitmap over what was not
    /// sent is answered as far as it names blocks, and the sink is asked for nothing any more; `false`
    /// then.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_asked(&mut self, source: &mut Source, asked: Asked) -> Result<bool, Error> {
        self.end_sketch();
        let (only_named, interior) = (source.sent_only_named(), source.sent_interior());
        if core::mem::take(&mut self.drops_filter) {
            source.forget_filter();
        }
        let named = Asked { links: None, ..asked.clone() };
        match source.handle_asked(asked) {
            Err(Error::UnknownTrail) => {
                self.asking = None;
                source.handle_asked(named).map(|()| false)
            }
            begun => {
                let judge = |asking: &mut Asking| asking.judge(only_named, interior);
                self.drops_filter = self.asking.as_mut().is_some_and(judge);
                begun.map(|()| true)
            }
        }
    }
}
