//! Pulls that say which roots the sink holds (`docs/extension.md`).

use carpool_core::Cid;
use carpool_mirror::{
    Source,
    extension::{self, Answer, Offer},
};
use carpool_store::BlockStore;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Server, refusal::Refusal, sessions::Name};
use crate::{Error, client::blocking, message::Request as Wanted};

/// What a pull asks for, in either form.
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    /// The root of the DAG, and the roots that the sink holds.
    held: Option<(Cid, Vec<Cid>)>,
    /// Whether a sink that names roots relies on them: beside a message of the specification they are
    /// an offer.
    relies: bool,
    /// The session under which the sink wants to be remembered.
    pub(super) session: Option<Name>,
    /// What the answer says of the extension, where the request knows of it.
    pub(super) answer: Option<Answer>,
}

impl From<Wanted> for Asked {
    fn from(wanted: Wanted) -> Self {
        Self { wanted, held: None, relies: false, session: None, answer: None }
    }
}

pub(super) fn is_extended(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == extension::CONTENT_TYPE)
}

impl Asked {
    /// Reads a body of the extension's content type.
    pub(super) fn decode(body: Vec<u8>, server: &Server) -> Result<Self, Refusal> {
        let options = &server.options;
        let read = extension::Asked::decode(body, &options.limits, options.seed);
        let extension::Asked { root, want, held, have, session } = read.map_err(Error::from)?;
        let (wanted, held) = (Wanted { want, have }, Some((root, held)));
        Ok(Self { wanted, held, relies: true, session, answer: Some(Answer::default()) })
    }

    /// Adds what the header beside a message of the specification says.
    pub(super) fn with_header(mut self, headers: &HeaderMap) -> Self {
        let value = headers.get(extension::HEADER).and_then(|value| value.to_str().ok());
        let Some(offer) = value.and_then(Offer::decode) else { return self };
        let only = || self.wanted.want.iter().next().filter(|_| self.wanted.want.len() == 1);
        self.held = offer.root.or_else(only).map(|root| (root, offer.held));
        self.session = offer.session;
        self.answer = Some(Answer::default());
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
            named.into_iter().zip(here).filter_map(|(cid, here)| here.then_some(cid)).collect();
        if held.is_empty() && self.relies && self.wanted.have.is_none() {
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "no such root is held here"));
        }
        if let Some(answer) = self.answer.as_mut().filter(|_| !held.is_empty()) {
            answer.used_held = true;
            self.held = Some((root, held));
        }
        Ok(self)
    }

    /// Begins the round.
    pub(super) fn begin(self, source: &mut Source) -> Result<(), carpool_mirror::Error> {
        let Wanted { want, have } = self.wanted;
        match self.held {
            Some((root, held)) => source.handle_held(root, want, held, have),
            None => source.handle_request(want, have),
        }
    }
}

/// The header of an answer.
pub(super) fn header_of(answer: Answer) -> HeaderValue {
    HeaderValue::from_static(answer.encode())
}
