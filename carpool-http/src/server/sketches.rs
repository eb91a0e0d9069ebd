//! Pulls that bring cells of a sketch (`docs/extension.md`): this side is the source, and decodes.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use carpool_core::Cid;
use carpool_mirror::{
    extension::{self, Answer},
    sketch::{CellRange, Cells, Lacking, NamedKey, Reconciliation},
};
use carpool_store::BlockStore;
use http::StatusCode;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Server, ServerOptions, aged::AgedMap, held, keys::Keys, refusal::Refusal};
use crate::{
    Result,
    client::blocking,
    reconcile::{Reconciled, reconcile},
};

/// Reconciliations that wait for more cells, each of which takes up to 4 MiB.
const MAX_WAITING: usize = 16;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The keys, and what waits for more cells. Losing what waits costs its cells a second time.
pub(super) struct Sketching {
    keys: Option<Keys>,
    /// Whether pushes may bring delta bodies, which is said beside.
    takes_deltas: bool,
    /// By their number.
    waiting: Mutex<AgedMap<Begun, Reconciliation>>,
}

/// What was begun: the number of the key, and the root.
type Begun = (u64, Cid);

/// What comes of a request with cells.
pub(super) enum Outcome {
    Lacking(Lacking),
    /// An answer that is not a CAR.
    Asks(Response),
}

impl Sketching {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let waiting = Mutex::new(AgedMap::new(MAX_WAITING, PATIENCE));
        let takes_deltas = options.takes_deltas();
        Self { keys: Keys::new(options.sketch_key_life), takes_deltas, waiting }
    }

    /// What an answer says that brings a key.
    pub(super) fn offer(&self) -> Answer {
        let key = self.keys.as_ref().map(|keys| keys.draw(Instant::now()));
        Answer { key, takes_deltas: self.takes_deltas, ..Answer::default() }
    }

    fn find(&self, number: u64) -> Option<NamedKey> {
        self.keys.as_ref()?.find(number, Instant::now())
    }

    // Every step leaves it whole.
    fn waiting(&self) -> MutexGuard<'_, AgedMap<Begun, Reconciliation>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decodes as far as it goes.
///
/// # Errors
/// 412 where the sink has to say in another way what it holds, with a new key where its own is not
/// known here.
pub(super) async fn decode(server: &Server, root: Cid, cells: Cells) -> Result<Outcome, Refusal> {
    let Some(named) = server.between.sketching.find(cells.number()) else {
        let refusal = Refusal::new(StatusCode::PRECONDITION_FAILED, "that key is not known here");
        return Err(refusal.saying(server.between.sketching.offer()));
    };
    let place = server.place()?;
    let here = server.clone();
    let done = blocking(move || {
        let done = decode_here(&here, named, root, &cells);
        drop(place);
        done
    });
    match done.await? {
        Reconciled::Lacking(lacking) => Ok(Outcome::Lacking(lacking)),
        Reconciled::Need(range) => Ok(Outcome::Asks(asking(range))),
        Reconciled::GaveUp => {
            Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "the sketch does not decode"))
        }
    }
}

fn decode_here(server: &Server, named: NamedKey, root: Cid, cells: &Cells) -> Result<Reconciled> {
    let options = &server.options;
    if !server.store.has(&root)? {
        return Ok(Reconciled::GaveUp);
    }
    let begun = (named.number, root);
    let waiting = server.between.sketching.waiting().remove(&begun, Instant::now());
    let mut machine =
        waiting.unwrap_or_else(|| Reconciliation::new(named, root, &options.limits, options.seed));
    machine.handle_cells(cells);
    let done = reconcile(&mut machine, &*server.store)?;
    if matches!(done, Reconciled::Need(_)) {
        server.between.sketching.waiting().insert(begun, machine, 1, Instant::now());
    }
    Ok(done)
}

/// 202: nothing was sent yet, and these cells are needed.
fn asking(range: CellRange) -> Response {
    let mut response = (StatusCode::ACCEPTED, Body::empty()).into_response();
    let answer = Answer { cells: Some(range), ..Answer::default() };
    response.headers_mut().insert(extension::HEADER, held::header_of(&answer));
    response
}
