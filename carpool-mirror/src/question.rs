use crate::{
    Error, Source,
    asking::Asking,
    extension::{Asked, Offer},
    planner::Step,
};

/// How the source of a push asks its sink to say what it lacks, and when it asks in another way: what a
/// sink of a pull does by itself, and the sink of a push cannot, for it hears of each request anew.
#[derive(Debug)]
pub struct Question {
    /// `None` where the sink is asked for nothing.
    asking: Option<Asking>,
    /// Whether the filter that is in force goes with the step that was given up.
    drops_filter: bool,
}

impl Question {
    /// Asks for these steps, the first one first; without any, for nothing.
    #[must_use]
    pub fn new(steps: &[Step]) -> Self {
        let asking = (!steps.is_empty()).then(|| Asking::new(steps, true));
        Self { asking, drops_filter: false }
    }

    /// The step that the sink is asked for.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.asking.as_ref().map(Asking::step)
    }

    /// Goes on to the next step: a sketch is of use once.
    pub fn end_step(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.fall_back();
        }
    }

    /// What the header of the next request says, once the source's round has begun.
    #[must_use]
    pub fn offer(&self, source: &Source) -> Option<Offer> {
        let asking = self.asking.as_ref()?;
        let keeps_filter = source.keeps_filter() && !self.drops_filter;
        Some(Offer { ask: Some(asking.step()), keeps_filter, ..Offer::default() })
    }

    /// Begins the round that answers the sink's extended message. One with a bitmap over what was not
    /// sent is answered as far as it names blocks, and the sink is asked for nothing any more; `false`
    /// then.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_asked(&mut self, source: &mut Source, asked: Asked) -> Result<bool, Error> {
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
