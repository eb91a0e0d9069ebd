use carpool_bloom::Filter;
use carpool_mirror::{
    Status,
    extension::LinkBits,
    planner::{Encoding, Plan},
    sketch::Cells,
};
use std::{fmt, sync::Arc, time::Instant};

use super::Client;
use crate::{Encodings, Error, Result, Totals, message::Dialect};

/// What happens in a transfer, told as it happens to [`ClientOptions::listener`].
///
/// [`ClientOptions::listener`]: super::ClientOptions::listener
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server was found to speak this dialect.
    Speaks(Dialect),
    /// The server does not seem to have the routes of the dialect that was tried, so the transfer
    /// begins again in this one.
    Turns(Dialect),
    /// How the transfer goes on.
    Plans(Plan),
    /// Whether blocks travel as what differs from old ones, which client and server hold both.
    Encodes(Encoding),
    /// A round has ended.
    Round(Box<Round>),
}

/// One request of a transfer with its answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// Which one it is of those that the client made, from 1.
    pub number: u64,
    /// What it began with.
    pub call: Call,
    /// How it ended.
    pub end: End,
    /// Blocks that were wanted and came, or that were sent.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that travelled in delta bodies.
    pub encodings: Encodings,
    /// Blocks that arrived although held.
    pub duplicates: u64,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

/// What a round began with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// A pull asks for blocks.
    Request(Wants),
    /// A push sends a few blocks to a server of which nothing is known.
    Cold,
    /// A push leaves out what the server is believed to hold.
    Estimate,
    /// A push sends what the answer before asked for.
    Answer,
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// Of a pull: so many blocks are known to be missing now.
    Missing(u64),
    /// Of a push: what the server wants now.
    Wants(Wants),
    /// It failed, for this reason.
    Failed(String),
}

/// A sink's message, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wants {
    /// Roots of subgraphs that the sink lacks.
    pub roots: u64,
    /// The Bloom filter of what it holds.
    pub filter: Option<FilterSize>,
    /// Bytes of the bitmap that asks for links of what the source sent last.
    pub bitmap: Option<u64>,
    /// Cells of a sketch of what is held.
    pub cells: Option<u64>,
    /// Whether the message waits for the server to say that it knows none of the roots that are
    /// named, and stays where it knows one.
    pub held_back: bool,
}

/// A Bloom filter, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterSize {
    /// Bytes.
    pub bytes: u64,
    /// Hashes a key.
    pub k: u32,
    /// How many keys it holds, estimated from the bits that are set.
    pub keys: u64,
}

impl Wants {
    pub(super) fn of(status: &Status) -> Self {
        let filter = status.have.as_ref().map(FilterSize::of);
        let roots = status.want.len() as u64;
        Self { roots, filter, bitmap: None, cells: None, held_back: false }
    }

    /// A message in the extension's form.
    pub(super) fn of_extended(
        want: usize,
        have: Option<&Filter>,
        links: Option<&LinkBits>,
        cells: Option<&Cells>,
    ) -> Self {
        let bitmap = links.map(|links| links.bits.len() as u64);
        let roots = if bitmap.is_some() { want } else { want.max(1) };
        let cells = cells.map(|cells| cells.cells().len() as u64);
        let (roots, filter) = (roots as u64, have.map(FilterSize::of));
        Self { roots, filter, bitmap, cells, held_back: false }
    }
}

impl FilterSize {
    /// Of m bits, n keys leave about m·e^(-kn/m) unset.
    #[expect(clippy::cast_possible_truncation, reason = "it is positive, and casts saturate")]
    fn of(filter: &Filter) -> Self {
        let (bits, k) = (filter.bits() as f64, filter.k());
        let unset = (filter.bits() - filter.ones()).max(1) as f64;
        let keys = (bits / f64::from(k) * (bits / unset).ln()).round();
        Self { bytes: filter.bits() / 8, k, keys: keys as u64 }
    }
}

/// Whoever wants to know what happens in a transfer. It is called between rounds, and transfers
/// wait for it.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(&Event) + Send + Sync>);

impl Listener {
    /// A listener that calls `hear`.
    pub fn new(hear: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// A round under way, where somebody listens.
pub(super) struct Opened {
    begun: Instant,
    before: Totals,
    call: Call,
}

impl Client {
    pub(super) fn open_round(&self, call: impl FnOnce() -> Call) -> Option<Opened> {
        self.options.listener.as_ref().map(|_| {
            let (begun, before) = (Instant::now(), self.progress.totals());
            Opened { begun, before, call: call() }
        })
    }

    /// `done` says how a round ended that did not fail.
    pub(super) fn close_round<T>(
        &self,
        opened: Option<Opened>,
        round: &Result<T>,
        done: impl FnOnce(&T) -> End,
    ) {
        let Some(Opened { begun, before, call }) = opened else { return };
        let now = self.progress.totals();
        let blocks = |totals: &Totals| totals.blocks_received + totals.blocks_sent;
        self.tell(&Event::Round(Box::new(Round {
            number: now.rounds,
            call,
            end: round.as_ref().map_or_else(|error| End::Failed(error.to_string()), done),
            blocks: blocks(&now) - blocks(&before),
            bytes: now.block_bytes - before.block_bytes,
            encodings: now.encodings.since(&before.encodings),
            duplicates: now.duplicate - before.duplicate,
            seconds: begun.elapsed().as_secs_f64(),
        })));
    }

    pub(super) fn tell(&self, event: &Event) {
        if let Some(Listener(hear)) = &self.options.listener {
            hear(event);
        }
    }

    /// The server has answered as one does that speaks the dialect.
    pub(super) fn understood(&self) {
        if self.speech.understood() {
            self.tell(&Event::Speaks(self.speech.dialect()));
        }
    }

    /// After an error, whether the transfer begins again in the other dialect.
    pub(super) fn turns(&self, error: &Error) -> bool {
        let turns = self.speech.turn(error);
        if turns {
            self.tell(&Event::Turns(self.speech.dialect()));
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_bloom::Params;

    #[test]
    fn the_keys_of_a_filter_are_estimated() {
        let mut filter = Filter::new(Params::new(1024, 8).unwrap());
        assert_eq!(FilterSize::of(&filter), FilterSize { bytes: 1024, k: 8, keys: 0 });
        filter.extend((0..500_u32).map(u32::to_le_bytes));
        let keys = FilterSize::of(&filter).keys;
        assert!((480..=520).contains(&keys), "{keys}");
    }
}
