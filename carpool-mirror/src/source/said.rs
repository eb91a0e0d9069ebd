use alloc::boxed::Box;
use carpool_bloom::{Filter, Params};
use carpool_core::{Cid, CidList, CidSet};
use carpool_selector::Difference;

use super::{RECOGNISED, Source};
use crate::{
    Answered, Error, Narrowing, Status, extension::Asked, naming::Naming, sketch::Lacking,
};

/// After so many rounds in which a filter hid what the sink lacks, filters count no more: a sink that
/// begins each answer anew cannot know it.
const MAX_HIDINGS: u32 = 4;

impl Source {
    /// Begins a round that answers what the sink says of itself.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_status(&mut self, status: Status) -> Result<(), Error> {
        self.check_wanted(status.want.len())?;
        self.hidings += u32::from(self.has_hidden(&status.want));
        self.remember();
        let tells = |have: &Filter| self.hidings < MAX_HIDINGS && !self.is_of_what_was_sent(have);
        let have = status.have.filter(tells);
        let wanted = self.list(&status.want);
        self.begin(wanted, have.into(), None);
        Ok(())
    }

    /// As [`handle_status`](Self::handle_status), with the wants in a list that takes less memory.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_request(&mut self, want: CidList, have: Option<Filter>) -> Result<(), Error> {
        self.check_wanted(want.len())?;
        self.doubt(&want);
        self.begin(want, have.into(), None);
        Ok(())
    }

    /// Begins a round for a sink that holds everything below `held`: what lies below `want` and not
    /// below those, as far as the DAG of `root` shows (the extension's held roots). Where none of
    /// them is held here it goes by `have`. Costs about three look-ups a block that is missing.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`].
    pub fn handle_held(
        &mut self,
        root: Cid,
        want: CidList,
        held: impl IntoIterator<Item = Cid>,
        have: Option<Filter>,
    ) -> Result<(), Error> {
        self.check_wanted(want.len())?;
        self.doubt(&want);
        self.begin_comparing(root, want, held, have);
        Ok(())
    }

    /// As [`handle_held`](Self::handle_held), of all that lies below `root`.
    pub fn handle_presumed(&mut self, root: Cid, held: impl IntoIterator<Item = Cid>) {
        self.begin_comparing(root, self.list(&[root]), held, None);
    }

    fn begin_comparing(
        &mut self,
        root: Cid,
        want: CidList,
        held: impl IntoIterator<Item = Cid>,
        have: Option<Filter>,
    ) {
        self.begin(want, have.into(), None);
        let (limits, capacity) = (&self.limits, self.limits.max_compared);
        let difference = Difference::new([root], held, capacity, limits, self.seed);
        if let Some(round) = &mut self.round {
            round.difference = Some(Box::new(difference));
        }
    }

    /// Begins a round that answers the sink's extended message. A bitmap has to be over what the last
    /// round sent, whose filter stays in force unless the message has another, or over what the
    /// message names and [`handle_surveyed`](Self::handle_surveyed) told.
    ///
    /// # Errors
    /// [`Error::TooManyWanted`]; [`Error::UnknownTrail`], after which no round has begun.
    pub fn handle_asked(&mut self, asked: Asked) -> Result<(), Error> {
        self.answer(asked, None)
    }

    /// As [`handle_asked`](Self::handle_asked), of a message whose cells were decoded: of what lies
    /// below what is wanted, the round sends what is `lacking`, as far as a
    /// [`Reconciliation`](crate::sketch::Reconciliation) found out.
    ///
    /// # Errors
    /// As [`handle_asked`](Self::handle_asked).
    pub fn handle_reconciled(&mut self, asked: Asked, lacking: Lacking) -> Result<(), Error> {
        self.answer(asked, Some(lacking))
    }

    pub(super) fn answer(&mut self, asked: Asked, lacking: Option<Lacking>) -> Result<(), Error> {
        let Asked { root, want, held, have, scope, links, parents, .. } = asked;
        self.check_wanted(want.len())?;
        self.close_trail();
        let (answered, surveyed) = (self.answered.take(), self.surveyed.take());
        let before = if parents.is_empty() {
            answered.unwrap_or_default()
        } else {
            Answered { trail: surveyed.unwrap_or_default(), filter: None }
        };
        let mut narrowing = have;
        let naming = match links {
            Some(links) => {
                narrowing = narrowing.or(before.filter);
                Some(Naming::new(before.trail, &links, self.seed)?)
            }
            None => None,
        };
        self.doubt(&want);
        match root.filter(|_| !held.is_empty()) {
            Some(root) => self.begin_comparing(root, want, held, narrowing),
            None => {
                let sketched = lacking.map(Narrowing::Sketched);
                self.begin(want, sketched.unwrap_or_else(|| narrowing.into()), None);
            }
        }
        let unsent = naming.is_some().then(|| CidSet::with_seed(self.seed));
        if let Some(round) = &mut self.round {
            round.unsent = round.unsent.take().or(unsent);
            (round.scope, round.naming) = (scope, naming);
        }
        Ok(())
    }

    fn check_wanted(&self, wanted: usize) -> Result<(), Error> {
        let (wanted, max) = (wanted as u64, self.limits.max_wanted as u64);
        if wanted > max { Err(Error::TooManyWanted { wanted, max }) } else { Ok(()) }
    }

    /// What was sent and is wanted did not arrive, so nobody knows of the rest. A share's rounds begin at what
    /// arrived long ago.
    fn doubt(&mut self, want: &CidList) {
        if self.share.is_none() && want.iter().any(|cid| self.session.contains(&cid)) {
            self.session.forget();
        }
    }

    /// Whether the filter of the round before hid any of these, which were not wanted by name then.
    fn has_hidden(&self, want: &[Cid]) -> bool {
        self.round.as_ref().is_some_and(|round| {
            let hidden = |cid: &Cid| round.narrowing.hides(cid) && !round.wanted.contains(cid);
            round.narrowing.may_err() && want.iter().any(hidden)
        })
    }

    /// A sink that takes its source for forgetful tells of what came. After a cold call that is a
    /// filter of one CID in two bytes, which would hide a block in a thousand by chance.
    fn is_of_what_was_sent(&self, have: &Filter) -> bool {
        let bytes = have.as_bytes().len();
        let few = self.session.len() <= RECOGNISED;
        let params = Params::new(bytes, have.k()).ok().filter(|_| few);
        params.is_some_and(|params| {
            let mut sent = Filter::new(params);
            self.recognised.for_each(|cid| sent.insert(cid));
            sent == *have
        })
    }
}
