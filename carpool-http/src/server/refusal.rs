use axum::response::{IntoResponse, Response};
use carpool_mirror::extension::{self, Answer};
use carpool_store::NameEntry;
use http::{HeaderValue, StatusCode, header};

use super::{coded, held, observe::Reason};
use crate::{Error, NameRecord, names::Conflict};

/// An answer that says no, in a line of text.
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    answer: Option<Answer>,
    /// Whether it says what codings are taken.
    taking: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), answer: None, taking: false }
    }

    pub(super) fn nothing_held() -> Self {
        Self::new(StatusCode::NOT_FOUND, "none of the roots is held here")
    }

    /// With the codings that are taken, where there are any.
    pub(super) const fn taking(mut self, any: bool) -> Self {
        self.taking = any;
        self
    }

    /// A name points to something else than was expected: what to is told as the names routes tell it.
    pub(super) fn conflict(name: &str, current: Option<&NameEntry>) -> Self {
        let current = current.map(|entry| NameRecord::new(name.to_owned(), entry));
        let told =
            serde_json::to_string(&Conflict { current }).expect("strings and numbers are JSON");
        Self::new(StatusCode::CONFLICT, told)
    }

    /// With what the header of the extension says.
    pub(super) const fn saying(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.reason)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.taking {
            response.headers_mut().insert(header::ACCEPT_ENCODING, coded::taken());
        }
        if let Some(answer) = &self.answer {
            response.headers_mut().insert(extension::HEADER, held::header_of(answer));
        }
        response.extensions_mut().insert(Reason(self.reason));
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(status(&error), error.to_string())
    }
}

impl From<carpool_store::Error> for Refusal {
    fn from(error: carpool_store::Error) -> Self {
        Error::from(error).into()
    }
}

/// Which status an error is answered with.
fn status(error: &Error) -> StatusCode {
    use carpool_car::Error as Car;
    use carpool_core::Error as Block;
    match error {
        Error::TooLarge { .. }
        | Error::Car(
            Car::HeaderTooLong { .. }
            | Car::TooManyRoots { .. }
            | Car::SectionTooLong { .. }
            | Car::BlockTooLong { .. },
        )
        | Error::Mirror(carpool_mirror::Error::Unwanted { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Block(Block::DigestMismatch { .. } | Block::DigestLength { .. })
        | Error::Mirror(carpool_mirror::Error::Block(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Store(carpool_store::Error::DiskFull { .. }) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Store(
            carpool_store::Error::NameLength { .. } | carpool_store::Error::NameControl { .. },
        )
        | Error::Car(_)
        | Error::Block(_)
        | Error::Message(_)
        | Error::Mirror(_)
        | Error::Coding(_)
        | Error::Usage(_) => StatusCode::BAD_REQUEST,
        Error::Cut(_) => StatusCode::REQUEST_TIMEOUT,
        Error::Store(_)
        | Error::Pool(_)
        | Error::Aside(_)
        | Error::Connect(_)
        | Error::Refused { .. }
        | Error::Conflict { .. }
        | Error::Status { .. }
        | Error::Incomplete { .. }
        | Error::SourceLacks { .. }
        | Error::PeerTakesLess { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
