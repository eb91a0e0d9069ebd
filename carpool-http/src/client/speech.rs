use carpool_core::Cid;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::{Mutex, PoisonError};

use crate::{Error, message::Dialect, routes};

/// Which dialect the server speaks, as far as it is known.
#[derive(Debug)]
pub(crate) struct Speech(Mutex<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was answered yet.
    Guessed(Dialect),
    /// The first guess met no route.
    SecondGuess(Dialect),
    Known(Dialect),
}

impl Speech {
    /// `forced` is what the caller knows; a base path that ends in `/dag` hints at car-mirror.
    pub(crate) const fn new(forced: Option<Dialect>, ends_in_dag: bool) -> Self {
        Self(Mutex::new(match (forced, ends_in_dag) {
            (Some(dialect), _) => State::Known(dialect),
            (None, true) => State::Guessed(Dialect::CarMirror),
            (None, false) => State::Guessed(Dialect::Spec),
        }))
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// It was found out which dialect the server speaks.
    pub(crate) fn know(&self, dialect: Dialect) {
        self.set(State::Known(dialect));
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.state() {
            State::Guessed(dialect) | State::SecondGuess(dialect) | State::Known(dialect) => {
                dialect
            }
        }
    }

    /// Whether a missing route would say that the guess was wrong.
    pub(crate) fn is_guess(&self) -> bool {
        matches!(self.state(), State::Guessed(_))
    }

    /// The server has answered as one does that speaks the dialect; whether that is news.
    pub(crate) fn understood(&self) -> bool {
        let before = self.state();
        let now = State::Known(self.dialect());
        self.set(now);
        before != now
    }

    /// After an error, whether the transfer is to begin again in the other dialect: what it met
    /// looks like a route that does not exist, and only one dialect was tried.
    pub(crate) fn turn(&self, error: &Error) -> bool {
        let no_route = matches!(error, Error::Status { status, .. } if is_no_route(*status));
        let State::Guessed(dialect) = self.state() else { return false };
        if no_route {
            self.set(State::SecondGuess(match dialect {
                Dialect::Spec => Dialect::CarMirror,
                Dialect::CarMirror => Dialect::Spec,
            }));
        }
        no_route
    }
}

/// What a server answers where it has no such route.
pub(crate) fn is_no_route(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

/// Where a sink asks for the DAG below `root`.
pub(crate) fn pull_path(dialect: Dialect, root: &Cid) -> String {
    match dialect {
        Dialect::Spec => routes::PULL.to_owned(),
        Dialect::CarMirror => format!("{}/{root}", routes::CAR_MIRROR_PULL),
    }
}

/// Where a source brings the DAG below `root`; car-mirror has no place for a `diff`.
pub(crate) fn push_path(dialect: Dialect, root: &Cid, diff: Option<&str>) -> String {
    match (dialect, diff) {
        (Dialect::Spec, Some(diff)) => {
            format!("{}?diff={}", routes::PUSH, utf8_percent_encode(diff, NON_ALPHANUMERIC))
        }
        (Dialect::Spec, None) => routes::PUSH.to_owned(),
        (Dialect::CarMirror, _) => format!("{}/{root}", routes::CAR_MIRROR_PUSH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: StatusCode) -> Error {
        Error::Status { status, reason: String::new() }
    }

    #[test]
    fn turns_once_where_there_is_no_route() {
        for (ends_in_dag, first, second) in
            [(false, Dialect::Spec, Dialect::CarMirror), (true, Dialect::CarMirror, Dialect::Spec)]
        {
            let speech = Speech::new(None, ends_in_dag);
            assert_eq!(speech.dialect(), first);
            assert!(!speech.turn(&answered(StatusCode::BAD_REQUEST)), "that is an answer");
            assert!(speech.turn(&answered(StatusCode::NOT_FOUND)));
            assert_eq!(speech.dialect(), second);
            assert!(!speech.turn(&answered(StatusCode::METHOD_NOT_ALLOWED)), "only once");
        }
    }

    #[test]
    fn what_is_known_stays() {
        let forced = Speech::new(Some(Dialect::CarMirror), false);
        assert!(!forced.is_guess() && !forced.turn(&answered(StatusCode::NOT_FOUND)));
        let speech = Speech::new(None, false);
        assert!(speech.understood() && !speech.understood(), "it is news once");
        assert!(!speech.turn(&answered(StatusCode::NOT_FOUND)));
        assert_eq!(speech.dialect(), Dialect::Spec);
    }
}
