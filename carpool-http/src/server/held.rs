//! Pulls that say which roots the sink holds (`docs/extension.md`).

use carpool_core::{Cid, CidList, may_link};
use carpool_mirror::{
    Answered, Share, Source, Trail,
    extension::{self, Answer, LinkBits, Memory, Offer, Plans, Scope},
    sketch::{Cells, Lacking},
};
use carpool_pool::Plan;
use carpool_store::BlockStore;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;

use super::{Server, pools::Gossiping, refusal::Refusal, sessions::Name};
use crate::{
    Error,
    client::blocking,
    driver::{About, Common, READ_BLOCKS},
    message::Request as Wanted,
    survey::survey,
};

/// What a pull asks for, in either form.
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    /// The root of the DAG, and the roots that the sink holds.
    held: Option<(Cid, Vec<Cid>)>,
    /// The roots that the sink named, where any of them is here.
    named: Vec<Cid>,
    /// Whether a sink that names roots relies on them: beside a message of the specification they are
    /// an offer.
    relies: bool,
    /// What it says of the last answer: what may be sent beside what is named, a bitmap, and what that
    /// is over.
    scope: Scope,
    links: Option<LinkBits>,
    before: Option<Answered>,
    /// What the bitmap is over where it is not what was sent, and what was found there.
    parents: CidList,
    surveyed: Option<Trail>,
    /// The session under which the sink wants to be remembered.
    pub(super) session: Option<Name>,
    /// What the answer says of the extension, where the request knows of it.
    pub(super) answer: Option<Answer>,
    /// The root of the DAG, and cells of a sketch of what the sink holds.
    pub(super) cells: Option<(Cid, Cells)>,
    /// What came of them.
    pub(super) lacking: Option<Lacking>,
    /// The plan of the pool that the sink takes the DAG from.
    pub(super) plan: Option<Plan>,
    /// Where the source may talk to others of the pool.
    pub(super) gossiping: Option<Arc<Gossiping>>,
}

impl From<Wanted> for Asked {
    fn from(wanted: Wanted) -> Self {
        Self {
            wanted,
            held: None,
            named: Vec::new(),
            relies: false,
            session: None,
            scope: Scope::All,
            links: None,
            before: None,
            parents: CidList::with_seed(0),
            surveyed: None,
            answer: None,
            cells: None,
            lacking: None,
            plan: None,
            gossiping: None,
        }
    }
}

const NO_PARENTS: &str = "the blocks that are named are not held here, or have no links";
const UNKNOWN: &str = "this was not sent here, or too long ago";

pub(super) fn is_extended(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == extension::CONTENT_TYPE)
}

impl Asked {
    /// Reads a body of the extension's content type.
    pub(super) fn decode(body: Vec<u8>, server: &Server) -> Result<Self, Refusal> {
        let options = &server.options;
        let read = extension::Asked::decode(body, &options.limits, options.seed);
        let asked = read.map_err(Error::from)?;
        let extension::Asked { root, want, held, have, scope, links, parents, session, cells } =
            asked;
        let over_what_was_sent = links.as_ref().filter(|_| parents.is_empty());
        let before = over_what_was_sent.and_then(|links| server.between.trails.find(&links.check));
        if over_what_was_sent.is_some() && before.is_none() {
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, UNKNOWN));
        }
        let (wanted, held) = (Wanted { want, have }, root.map(|root| (root, held)));
        // Who has a key goes on with it.
        let answer =
            Some(if cells.is_some() { Answer::default() } else { answer_to(server, &wanted) });
        let (relies, cells) = (true, root.zip(cells));
        let asked = Self::from(wanted);
        let asked = Self { held, relies, session, scope, links, ..asked };
        Ok(Self { parents, before, answer, cells, ..asked })
    }

    /// Reads the blocks that the message names to speak of their links.
    pub(super) async fn survey(mut self, server: &Server) -> Result<Self, Refusal> {
        if self.parents.is_empty() {
            return Ok(self);
        }
        let (store, limits) = (server.store.clone(), server.options.limits.clone());
        let (place, parents) = (server.place()?, self.parents.clone());
        let surveyed = blocking(move || {
            let surveyed = survey(&parents, &limits, &*store);
            drop(place);
            surveyed
        });
        self.surveyed = surveyed.await?;
        match self.surveyed {
            Some(_) => Ok(self),
            None => Err(Refusal::new(StatusCode::PRECONDITION_FAILED, NO_PARENTS)),
        }
    }

    /// Adds what the header beside a message of the specification says.
    pub(super) fn with_header(self, headers: &HeaderMap, server: &Server) -> Self {
        match offer_of(headers) {
            Some(offer) => self.with_offer(offer, server),
            None => self,
        }
    }

    /// What the header asks for by itself, where a root that it names is here: its message may come
    /// late, and is not needed.
    pub(super) async fn by_header(
        headers: &HeaderMap,
        server: &Server,
    ) -> Result<Option<Self>, Refusal> {
        let offer = offer_of(headers).filter(|offer| !offer.held.is_empty());
        let Some((want, offer)) = offer.and_then(|offer| Some((offer.want?, offer))) else {
            return Ok(None);
        };
        let wanted = Wanted::of(&[want], server.options.seed);
        let asked = Self::from(wanted).with_offer(offer, server).compare_with(server).await?;
        Ok(asked.answer.is_some_and(|answer| answer.used_held).then_some(asked))
    }

    fn with_offer(mut self, offer: Offer, server: &Server) -> Self {
        let only = || self.wanted.want.iter().next().filter(|_| self.wanted.want.len() == 1);
        self.held = offer.root.or_else(only).map(|root| (root, offer.held));
        self.session = offer.session;
        self.answer = Some(answer_to(server, &self.wanted));
        self
    }

    /// Leaves those roots that are here as well. A sink that relies on them and brought no filter would
    /// be sent everything where there are none, and is told instead.
    pub(super) async fn compare_with(mut self, server: &Server) -> Result<Self, Refusal> {
        let Some((root, named)) = self.held.take().filter(|(_, held)| !held.is_empty()) else {
            return Ok(self);
        };
        let (store, looked_for) = (server.store.clone(), named.clone());
        let here = blocking(move || store.has_many(&looked_for)).await.map_err(Error::from)?;
        let held: Vec<Cid> =
            named.iter().zip(here).filter_map(|(cid, here)| here.then_some(*cid)).collect();
        if held.is_empty() && self.relies && self.wanted.have.is_none() {
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "no such root is held here"));
        }
        if let Some(answer) = self.answer.as_mut().filter(|_| !held.is_empty()) {
            answer.used_held = true;
            self.named = named;
            self.held = Some((root, held));
        }
        Ok(self)
    }

    /// What is remembered of a session after this request: who goes on from a whole round speaks of what it
    /// sent, and not of blocks that were held before.
    pub(super) const fn memory(&self, memory: Memory) -> Memory {
        match (memory, &self.surveyed) {
            (Memory::Kept, Some(_)) => Memory::Begun,
            (memory, _) => memory,
        }
    }

    /// What a delta body is held against: roots that the sink names, where any of them is here, and else
    /// nothing, which saves hashes and the statistics of each block by itself.
    pub(super) fn take_about(&mut self, lost: Vec<Cid>) -> Option<About> {
        let held = std::mem::take(&mut self.named);
        let asked: Vec<Cid> = self.wanted.want.iter().collect();
        let root = self.held.as_ref().map(|(root, _)| *root).or_else(|| asked.first().copied())?;
        let common = Common { wanted: asked.clone(), held };
        Some(About { common, root, asked, lost, is_share: self.plan.is_some() })
    }

    /// Whether blocks are wanted and not what lies below them, by a sink that asks others for those that are
    /// not here.
    pub(super) fn is_of_single_blocks(&self) -> bool {
        self.scope == Scope::Named && self.wanted.want.len() > 1
    }

    /// Of a sink that takes shares, what it wants first. A share may be of nothing, so an answer says by
    /// itself whether any of what is wanted is here.
    pub(super) async fn share_of(&self, server: &Server) -> Result<Option<Cid>, Refusal> {
        if self.plan.is_none() {
            return Ok(None);
        }
        let (store, wanted) = (server.store.clone(), self.wanted.want.clone());
        let here = blocking(move || any_held(&wanted, &*store)).await?;
        let first = self.wanted.want.iter().next();
        if here { Ok(first) } else { Err(Refusal::nothing_held()) }
    }

    /// Begins the round. Of a sink that knows of the extension the source keeps what it sends.
    pub(super) fn begin(self, mut source: Source, server: &Server) -> Result<Source, Refusal> {
        let Self { wanted: Wanted { want, have }, held, scope, links, parents, .. } = self;
        let (before, answer) = (self.before, self.answer);
        if answer.is_some() && server.between.trails.is_on() {
            source = source.with_trail(before);
        }
        if let Some(plan) = self.plan {
            source = source.with_share(match self.gossiping {
                Some(gossiping) => Share::new(move |cid| gossiping.is_mine(cid)),
                None => Share::new(move |cid| plan.is_mine(cid)),
            });
        }
        let (root, held) = held.map_or((None, Vec::new()), |(root, held)| (Some(root), held));
        if let Some(surveyed) = self.surveyed {
            source.handle_forgotten();
            source.handle_surveyed(surveyed);
        }
        let (session, cells) = (None, None);
        let asked =
            extension::Asked { root, want, held, have, scope, links, parents, session, cells };
        let begun = match self.lacking {
            Some(lacking) => source.handle_reconciled(asked, lacking),
            None => source.handle_asked(asked),
        };
        match begun {
            Ok(()) => Ok(source),
            Err(carpool_mirror::Error::UnknownTrail) => {
                Err(Refusal::new(StatusCode::PRECONDITION_FAILED, UNKNOWN))
            }
            Err(error) => Err(Error::from(error).into()),
        }
    }
}

/// Whether any of the list is held.
fn any_held<S: BlockStore + ?Sized>(wanted: &CidList, store: &S) -> Result<bool, Error> {
    let mut wanted = wanted.iter().peekable();
    while wanted.peek().is_some() {
        let some: Vec<Cid> = wanted.by_ref().take(READ_BLOCKS).collect();
        if store.has_many(&some)?.contains(&true) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn offer_of(headers: &HeaderMap) -> Option<Offer> {
    let value = headers.get(extension::HEADER).and_then(|value| value.to_str().ok());
    // A plan that is none makes the header none.
    let reads = |plan: &str| Plan::decode(plan).is_ok();
    value.and_then(Offer::decode).filter(|offer| offer.pool.as_deref().is_none_or(reads))
}

/// What the answer says. A sink that asks for nothing but leaves is at the end of its transfer, and
/// brings no cells.
fn answer_to(server: &Server, wanted: &Wanted) -> Answer {
    let only_leaves = !wanted.want.is_empty() && !wanted.want.iter().any(|cid| may_link(&cid));
    if only_leaves { Answer::default() } else { server.between.sketching.offer() }
}

/// The header of an answer.
pub(super) fn header_of(answer: &Answer) -> HeaderValue {
    header_with(answer, &[])
}

/// As [`header_of`], with blocks that turned out not to be here.
pub(super) fn header_with(answer: &Answer, lost: &[Cid]) -> HeaderValue {
    let answer = Answer { plans: Plans::Gossips, ..*answer };
    HeaderValue::try_from(answer.encode() + &extension::lost(lost))
        .expect("letters, digits and marks")
}
