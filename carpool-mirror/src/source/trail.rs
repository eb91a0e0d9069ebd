use super::{Round, Source};
use crate::{Answered, Narrowing, Trail};

impl Source {
    /// Lets the sink speak of what a round sends by a bitmap ([`handle_asked`](Self::handle_asked)).
    /// `before` is what the last round answered, where that was another source.
    #[must_use]
    pub fn with_trail(mut self, before: Option<Answered>) -> Self {
        (self.trail, self.answered) = (Some(Trail::default()), before);
        self
    }

    /// Says what a [`Survey`](crate::Survey) made of the blocks that the next message's bitmap is over,
    /// before [`handle_asked`](Self::handle_asked).
    pub fn handle_surveyed(&mut self, trail: Trail) {
        self.surveyed = Some(trail);
    }

    /// What the round that came to its [`EndRound`](super::SourceOutput::EndRound) sent, for
    /// [`with_trail`](Self::with_trail) of another source; `None` where no bitmap can speak of it.
    pub fn take_answered(&mut self) -> Option<Answered> {
        self.close_trail();
        self.answered.take()
    }

    /// Whether the round that ended sent nothing beside what was named.
    pub(crate) fn sent_only_named(&self) -> bool {
        let only = |round: &Round| round.over && round.sent <= round.named;
        self.round.as_ref().is_some_and(only)
    }

    /// Whether the round sent blocks that can have links.
    pub(crate) fn sent_interior(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.sent_interior)
    }

    /// Whether a filter stays in force where the next message has a bitmap and no filter.
    #[must_use]
    pub fn keeps_filter(&self) -> bool {
        let of_round = |round: &Round| matches!(round.narrowing, Narrowing::Bloom(_));
        let kept = |answered: &Answered| answered.filter.is_some();
        self.trail.is_some()
            && self
                .round
                .as_ref()
                .map_or_else(|| self.answered.as_ref().is_some_and(kept), of_round)
    }

    /// Forgets the filter of the last round, so that it does not stay in force.
    pub(crate) fn forget_filter(&mut self) {
        self.close_trail();
        if let Some(answered) = &mut self.answered {
            answered.filter = None;
        }
    }

    pub(super) fn close_trail(&mut self) {
        let Some(trail) = &mut self.trail else { return };
        let Some(round) = self.round.as_mut().filter(|round| round.over) else { return };
        let trail = core::mem::take(trail);
        let filter = match core::mem::take(&mut round.narrowing) {
            Narrowing::Bloom(filter) => Some(filter),
            Narrowing::None
            | Narrowing::Known(_)
            | Narrowing::Compared(_)
            | Narrowing::Sketched(_) => None,
        };
        self.answered = trail.check().is_some().then_some(Answered { trail, filter });
    }
}
